//! The page in a real browser: that it shows the herd and does what is clicked, and what it does not let happen.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::browser::{Browser, PATIENCE, Tab};
use super::{Served, token_of};

/// The page of a herd in a browser, live.
struct Shown {
    served: Served,
    browser: Browser,
    tab: Tab,
}

const LIVE: &str = "document.querySelector('#contact')?.dataset.contact === 'live' \
                    && document.querySelectorAll('#graph .server').length === 5";

impl Shown {
    /// `None`: there is no browser.
    fn new() -> Option<Self> {
        let mut browser = Browser::open()?;
        let (served, tab) = (Served::new(), browser.tab());
        let mut shown = Self { served, browser, tab };
        shown.go(&shown.served.url.clone());
        shown.until(LIVE);
        Some(shown)
    }

    fn go(&mut self, url: &str) {
        self.tab.go(&mut self.browser, url);
    }

    #[track_caller]
    fn value(&mut self, expression: &str) -> Value {
        self.tab.value(&mut self.browser, expression)
    }

    #[track_caller]
    fn until(&mut self, expression: &str) {
        self.tab.until(&mut self.browser, expression);
    }

    #[track_caller]
    fn until_server(&mut self, name: &str, state: &str) {
        self.until(&format!("document.querySelector('[data-server={name}]')?.dataset.state === '{state}'"));
    }

    #[track_caller]
    fn until_link(&mut self, ends: &str, state: &str) {
        self.until(&format!("document.querySelector('[data-link=\"{ends}\"]').dataset.state === '{state}'"));
    }

    #[track_caller]
    fn text(&mut self, selector: &str) -> String {
        self.tab.text(&mut self.browser, selector)
    }

    #[track_caller]
    fn click(&mut self, selector: &str) {
        self.tab.click(&mut self.browser, selector, "left");
    }

    fn press(&mut self, key: &str) {
        self.tab.press(&mut self.browser, key);
    }

    fn emulate(&mut self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.tab.call(&mut self.browser, "Emulation.setEmulatedMedia", features);
    }

    /// What `told` of this kind says, each at this place.
    fn told(&self, method: &str, place: &str) -> Vec<String> {
        let ours = self.browser.told.iter().filter(|told| told["method"] == method);
        ours.map(|told| told["params"].pointer(place).map_or_else(|| told.to_string(), ToString::to_string)).collect()
    }

    /// Errors, warnings and violations that the browser has noted.
    fn complaints(&self) -> Vec<String> {
        let kinds = [("Log.entryAdded", "/entry/text"), ("Runtime.exceptionThrown", "/exceptionDetails")];
        let said = kinds.iter().flat_map(|(method, place)| self.told(method, place));
        said.chain(self.told("Runtime.consoleAPICalled", "/args")).collect()
    }
}

#[test]
fn the_page_shows_the_herd_and_asks_nobody_else() {
    let Some(mut shown) = Shown::new() else { return };
    assert_eq!(shown.value("document.querySelectorAll('#graph .link[data-state=up]').length"), 6);
    assert!(shown.text("#summary").starts_with("5/5 running · 6/6 links up · 1 island"));
    shown.until("document.querySelector('#log-text').textContent.includes('INFO')");
    let own = format!("\"http://{}/", shown.served.addr);
    let asked = shown.told("Network.requestWillBeSent", "/request/url");
    assert!(
        asked.len() > 10 && asked.iter().all(|url| url.starts_with(&own) || url.starts_with("\"data:")),
        "{asked:?}"
    );
    assert_eq!(shown.complaints(), Vec::<String>::new());
}

#[test]
fn the_token_is_nowhere_to_be_seen_once_the_page_is_there() {
    let Some(mut shown) = Shown::new() else { return };
    let seen = shown.value(
        "[location.href, document.title, document.documentElement.outerHTML, document.cookie,
          ...performance.getEntries().map((entry) => entry.name)].join()",
    );
    let history = shown.tab.call(&mut shown.browser, "Page.getNavigationHistory", json!({}));
    for place in
        [seen.to_string(), history.to_string(), shown.told("Network.requestWillBeSent", "/request/url").join("")]
    {
        assert!(!place.contains(shown.served.token()), "{place}");
    }
    let referrer = shown.value("document.referrer");
    assert!(!referrer.to_string().contains(shown.served.token()));
}

#[test]
fn what_is_clicked_happens_and_what_happens_elsewhere_is_shown() {
    let Some(mut shown) = Shown::new() else { return };
    // By buttons.
    shown.click("[data-server=Clark]");
    shown.click("[data-deed=kill]");
    shown.until_server("Clark", "killed");
    assert_eq!(shown.text("#command"), "herdctl kill Clark");
    assert_eq!(shown.served.field.json("ps --json")["summary"]["down"], 1);
    shown.until_link("Clark–Jaquez", "down");
    // By the command line.
    assert_eq!(shown.served.field.run("start Clark --wait").code, 0);
    shown.until_server("Clark", "running");
    assert_eq!(shown.served.field.run("delay Bona Campbell 250ms").code, 0);
    shown.until("document.querySelector('[data-link=\"Bona–Campbell\"]').textContent.includes('+250 ms')");
    assert_eq!(shown.served.field.run("pause Bona").code, 0);
    shown.until_server("Bona", "paused");
    assert_eq!(shown.text("[data-server=Bona] .word"), "paused");
    // By right click.
    shown.tab.click(&mut shown.browser, "[data-link=\"Campbell–Jaquez\"] .reach", "right");
    shown.click("#menu [data-deed=cut]");
    shown.until_link("Campbell–Jaquez", "cut");
    assert_eq!(shown.text("#command"), "herdctl cut Campbell Jaquez");
    shown.click("[data-deed='heal all']");
    shown.until_link("Campbell–Jaquez", "up");
    assert_eq!(shown.served.field.json("links --json")["faults"], json!([]));
    // The command that is shown does the same.
    assert_eq!(shown.text("#command"), "herdctl heal --all");
    assert_eq!(shown.served.field.run("heal --all").code, 0);
}

#[test]
fn keys_are_enough() {
    let Some(mut shown) = Shown::new() else { return };
    let mut tab_to = |selector: &str| {
        for _ in 0..60 {
            shown.press("Tab");
            if shown.value(&format!("document.activeElement.matches({})", json!(selector))) == true {
                return;
            }
        }
        panic!("Tab never comes to {selector}");
    };
    tab_to("[data-server=Clark]");
    shown.press("k");
    shown.until_server("Clark", "killed");
    shown.press("s");
    shown.until_server("Clark", "running");
    // The menu, and out of it again.
    shown.press("Enter");
    shown.until("document.activeElement.closest('#menu') !== null");
    shown.press("ArrowDown");
    shown.press("Escape");
    shown.until("document.activeElement.matches('[data-server=Clark]') && document.querySelector('#menu').hidden");
    shown.value("document.querySelector('[data-link=\"Bona–Clark\"]').focus()");
    shown.press("c");
    shown.until_link("Bona–Clark", "cut");
    shown.press("x");
    shown.until_link("Bona–Clark", "up");
    shown.press("?");
    shown.until("document.querySelector('#help').open");
    shown.press("Escape");
    shown.until("!document.querySelector('#help').open");
}

#[test]
fn a_flood_is_shown_hop_by_hop_in_the_order_in_which_it_happened() {
    let Some(mut shown) = Shown::new() else { return };
    assert_eq!(shown.served.field.run("iamat kiwi +34.068930-118.445127 --to Clark").code, 0);
    assert_eq!(shown.served.field.run("wait --converged").code, 0);
    // At least what five servers and six links make of one report.
    shown.until("document.querySelector('#scrub').max >= 13");
    let said = shown.served.field.run("events --flood --kind flood --since 1 --count 14 --json");
    let told: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = told
        .iter()
        .filter(|event| event["kind"] != "stream.opened")
        .map(|event| format!("#{},", event["seq"]))
        .collect();
    shown.press("2");
    shown.press(" ");
    shown.value(
        "(() => { const bar = document.querySelector('#scrub'); bar.value = 0; \
                 bar.dispatchEvent(new Event('input')); })()",
    );
    let mut dropped = false;
    for (nth, number) in told.iter().enumerate() {
        let hop = shown.text("#hop");
        assert!(hop.contains(&format!("hop {} of ", nth + 1)) && hop.contains(number.as_str()), "{number}: {hop}");
        if hop.contains("dropped") {
            dropped |= shown.value("document.querySelectorAll('.sprite.dropped').length") == 1;
        }
        shown.press(".");
    }
    assert!(told.len() >= 13 && dropped, "{told:?}");
    // On its way, and with no motion where none is wanted.
    shown.value("document.querySelector('[data-slower=\"10000\"]').click()");
    shown.press("f");
    shown.until("document.querySelector('.sprite.flying')");
    shown.emulate("prefers-reduced-motion", "reduce");
    shown.press("f");
    shown.until("document.querySelector('.sprite.flying')");
    // From a frame on in which that is known, each of them stands in the middle of a link.
    let midst = "(() => { const lines = [...document.querySelectorAll('.link .line')]; \
                 return [...document.querySelectorAll('.sprite.flying')].every((dot) => { const at = dot.getCTM(); \
                 return lines.some((line) => { const to = line.getCTM(); \
                 const x = (line.x1.baseVal.value + line.x2.baseVal.value) / 2, y = (line.y1.baseVal.value + line.y2.baseVal.value) / 2; \
                 return Math.hypot(to.a * x + to.e - at.e, to.d * y + to.f - at.f) < 1; }); }); })()";
    shown.until(midst);
}

#[test]
fn where_clients_are_and_who_knows_it() {
    let Some(mut shown) = Shown::new() else { return };
    let field = &shown.served.field;
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127 --to Clark").code, 0);
    assert_eq!(field.run("partition Clark,Jaquez").code, 0);
    assert_eq!(field.run("iamat kiwi +40.7484-073.9857 --to Clark").code, 0);
    shown.until("document.querySelector('.legend')?.textContent.includes('known to Clark, Jaquez')");
    assert_eq!(shown.value("document.querySelectorAll('.client[data-client=kiwi] .old').length"), 3);
    shown.click(".client[data-client=kiwi] path");
    shown.until("document.querySelectorAll('#track tbody .old').length === 3");
    assert!(shown.text("#track tr[data-server=Clark]").contains("newest+40.7484-073.9857the client"));
    assert_eq!(shown.served.field.run("heal --all").code, 0);
    shown.until("document.querySelectorAll('#track tbody .newest').length === 5");
    shown.until("document.querySelector('.legend').textContent.includes('known to all that answer')");
}

#[test]
fn hostile_names_stay_text() {
    let Some(mut shown) = Shown::new() else { return };
    shown.value("document.querySelector('#show-hops').click()");
    for name in ["<img/src=x/onerror=alert(1)>", "\u{1b}[2J\u{202e}evil", "'\"><script>alert(1)</script>"] {
        let said = shown.served.field.args(&["iamat", name, "+10+10", "--to", "Clark"]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    shown.until("document.querySelector('#event-list').textContent.includes('<img/src=x/onerror=alert(1)>')");
    shown.until("document.querySelector('#event-list').textContent.includes('\\\\u{202e}evil')");
    shown.until("document.querySelectorAll('.client').length === 3");
    shown.value(
        "(() => { const field = document.querySelector('input[type=search]'); \
                 field.value = '<img/src=x/onerror=alert(1)>'; field.dispatchEvent(new Event('change')); })()",
    );
    shown.until("document.querySelectorAll('#track tbody .newest').length === 5");
    assert_eq!(shown.value("document.querySelectorAll('img').length"), 0);
    assert_eq!(shown.value("document.querySelectorAll('script').length"), 1);
    assert_eq!(shown.value("/[\\u001b\\u202e]/.test(document.body.innerText)"), false);
    assert_eq!(shown.told("Page.javascriptDialogOpening", "/message"), Vec::<String>::new());
    assert_eq!(shown.complaints(), Vec::<String>::new());
}

/// Another program of this machine that serves a page: to a browser the nearest that is not the same.
fn neighbour() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            let page = "<title>evil</title><body>";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}", page.len());
            let _ = write!(stream.get_mut(), "{head}\r\nconnection: close\r\n\r\n{page}");
        }
    });
    url
}

#[test]
fn other_pages_can_do_nothing_to_the_herd() {
    let Some(mut shown) = Shown::new() else { return };
    let before = shown.served.state();
    let addr = shown.served.addr.clone();
    let kill = r#"{"servers":["Clark"]}"#;
    let evil = neighbour();
    // A form that says what an order says.
    shown.go(&evil);
    shown.until("document.title === 'evil'");
    shown.value(&format!(
        "(() => {{ const form = document.createElement('form'), field = document.createElement('input');
         form.method = 'post'; form.enctype = 'text/plain'; form.action = 'http://{addr}/v1/kill';
         field.name = {}; field.value = '\"}}'; form.append(field); document.body.append(form); form.submit(); }})()",
        json!(kill.replace('}', ",\"x\":\""))
    ));
    shown.until("document.title !== 'evil' && document.body.textContent.includes('another site may ask nothing here')");
    // A script that does not care for the answer, and one that does.
    shown.go(&evil);
    shown.until("document.title === 'evil'");
    for mode in ["no-cors", "cors"] {
        let said = shown.value(&format!(
            "fetch('http://{addr}/v1/kill', {{ method: 'POST', mode: '{mode}', body: {} }}).then((it) => it.type, () => 'no')",
            json!(kill)
        ));
        assert_eq!(said, "no", "{mode}");
    }
    // A frame, to have a person click what is in it.
    shown.value(&format!(
        "(() => {{ const frame = document.createElement('iframe'); frame.src = 'http://{addr}/'; document.body.append(frame); }})()"
    ));
    let deadline = Instant::now() + PATIENCE;
    while !shown.complaints().iter().any(|said| said.contains("frame-ancestors")) {
        assert!(Instant::now() < deadline, "the frame was shown: {:?}", shown.complaints());
        shown.until("document.readyState === 'complete'");
    }
    assert_eq!(shown.served.state(), before);
}

#[test]
fn without_its_token_the_page_shows_nothing_and_says_why() {
    let Some(mut shown) = Shown::new() else { return };
    let (addr, herd) = (shown.served.addr.clone(), "document.querySelectorAll('#graph .server').length");
    shown.value("sessionStorage.clear()");
    shown.go(&format!("http://{addr}/"));
    shown.until("document.querySelector('#notice')?.textContent.includes('herdctl dash --open')");
    assert_eq!(shown.value(herd), 0);
    shown.go(&format!("http://{addr}/#t=0123456789abcdef0123456789abcdef"));
    shown.until("document.querySelector('#contact')?.dataset.contact === 'refused'");
    assert_eq!(shown.value(herd), 0);
    // To look is to look.
    let look = shown.served.field.json("dash --read-only --json");
    shown.go(look["url"].as_str().unwrap());
    shown.until(LIVE);
    shown.click("[data-server=Clark]");
    assert_eq!(shown.value("document.querySelectorAll('#orders button:not(:disabled)').length"), 0);
}

#[test]
fn a_herd_that_goes_and_another_that_comes_are_told_from_each_other() {
    let Some(mut shown) = Shown::new() else { return };
    let port = shown.served.addr.rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(shown.served.field.run("down").code, 0);
    shown.until("document.querySelector('#contact').dataset.contact === 'disconnected'");
    assert_eq!(shown.served.field.run("up -d").code, 0);
    let again = shown.served.field.json(&format!("dash --port {port} --json"));
    shown.until("document.querySelector('#contact').dataset.contact === 'refused'");
    assert_eq!(shown.served.field.run("kill Bona").code, 0);
    assert_ne!(token_of(again["url"].as_str().unwrap()), shown.served.token());
    shown.go(again["url"].as_str().unwrap());
    shown.until_server("Bona", "killed");
    // What has been is told once.
    let told =
        "[...document.querySelectorAll('#event-list li')].filter((row) => row.textContent.includes('server.killed'))";
    shown.until(&format!("{told}.length > 0"));
    assert_eq!(shown.value(&format!("{told}.length")), 1);
}

#[test]
fn everything_has_a_name_and_fits_on_a_small_and_on_a_large_screen() {
    let Some(mut shown) = Shown::new() else { return };
    shown.click("[data-server=Clark]");
    let tree = shown.tab.call(&mut shown.browser, "Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != true);
    let roles = ["button", "combobox", "checkbox", "slider", "searchbox", "textbox", "image", "dialog", "listbox"];
    let named: Vec<&Value> =
        nodes.filter(|node| roles.contains(&node["role"]["value"].as_str().unwrap_or_default())).collect();
    assert!(named.len() > 25, "{} of them", named.len());
    for node in named {
        assert_ne!(node["name"]["value"].as_str().unwrap_or_default(), "", "{node:#}");
    }
    for width in [320, 1920] {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        shown.tab.call(&mut shown.browser, "Emulation.setDeviceMetricsOverride", size);
        shown.until(&format!("innerWidth === {width} && document.documentElement.scrollWidth <= innerWidth"));
    }
}

#[test]
fn a_page_that_nobody_sees_takes_no_connection_from_the_one_that_is_seen() {
    let Some(mut shown) = Shown::new() else { return };
    let url = shown.served.url.clone();
    let tabs: Vec<Tab> = (0..7).map(|_| shown.browser.tab()).collect();
    for tab in &tabs {
        tab.call(&mut shown.browser, "Page.bringToFront", json!({}));
        tab.go(&mut shown.browser, &url);
        tab.until(&mut shown.browser, LIVE);
    }
}

/// So many updates a second make ten thousand events and more: each report makes some fourteen hops.
const UPDATES: &str = "bench --to Clark --clients 50 --rate 800 --duration 10s --mix 100:0";
/// Frames, and the time they took, from here until they are asked for.
const COUNT_FRAMES: &str = "(() => { window.frames_ = 0; window.began_ = performance.now(); \
     const count = () => { window.frames_++; requestAnimationFrame(count); }; requestAnimationFrame(count); })()";

/// A measure and no test: what it finds depends on the machine, and on what else it does.
/// `cargo test --release -- --ignored --nocapture measure_the_page`
#[test]
#[ignore = "a measure: it takes half a minute, and a quiet machine"]
fn measure_the_page() {
    let Some(mut shown) = Shown::new() else { return };
    for _ in 0..5 {
        println!("a kill is on the screen after {:.1} ms", latency_of_a_kill(&mut shown));
    }
    let heap = |shown: &mut Shown| {
        shown.tab.call(&mut shown.browser, "HeapProfiler.collectGarbage", json!({}));
        shown.tab.call(&mut shown.browser, "Runtime.getHeapUsage", json!({}))["usedSize"].as_f64().unwrap() / 1e6
    };
    shown.value(COUNT_FRAMES);
    shown.value("window.seen_ = 0; page.stream.onBatch = ((take) => (events, isNew) => { window.seen_ += events.length; take(events, isNew); })(page.stream.onBatch)");
    for _ in 0..3 {
        shown.value("window.frames_ = 0; window.seen_ = 0; window.began_ = performance.now()");
        assert_eq!(shown.served.field.run(UPDATES).code, 0);
        let said = shown.value(
            "(() => { const s = (performance.now() - window.began_) / 1000; return { frames_a_second: window.frames_ / s, \
             events_a_second: window.seen_ / s, seconds: s, missed: page.events.missed, \
             gaps_shown: document.querySelectorAll('#event-list .gap').length }; })()",
        );
        println!("{said}, {:.1} MB of heap", heap(&mut shown));
    }
}

/// From the event that a server was killed until the page shows it, by the clock that both have.
fn latency_of_a_kill(shown: &mut Shown) -> f64 {
    shown.value(
        "(() => { const node = document.querySelector('[data-server=Bona]'); \
         new MutationObserver(() => { if (node.dataset.state === 'killed') window.killed_ ??= performance.timeOrigin + performance.now(); }) \
         .observe(node, { attributes: true }); window.killed_ = undefined; })()",
    );
    assert_eq!(shown.served.field.run("kill Bona").code, 0);
    shown.until("window.killed_");
    let at = shown.value("window.killed_").as_f64().unwrap();
    let ps = shown.served.field.json("ps --json");
    let since = ps["servers"][1]["since"].as_str().unwrap();
    let since: jiff::Timestamp = since.parse().unwrap();
    assert_eq!(shown.served.field.run("start Bona --wait").code, 0);
    shown.until_server("Bona", "running");
    at - since.as_microsecond() as f64 / 1000.0
}
