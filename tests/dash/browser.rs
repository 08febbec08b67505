//! A real headless Chromium, driven by its DevTools protocol over two pipes: JSON, each message ended by NUL.
//!
//! The pipes have names in a folder, so that the shell can give them to Chromium as the descriptors 3 and 4, where it
//! looks for them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use crate::support::canary::Folder;

/// Nothing takes longer on a machine that works, with all its cores at other work.
pub const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Root has no sandbox in a container; nothing is asked of the network that the page does not ask.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
];

pub struct Browser {
    process: Child,
    to: File,
    from: File,
    unread: Vec<u8>,
    calls: u64,
    /// What was told without having been asked for.
    pub told: Vec<Value>,
    /// Its profile; goes after the process.
    _folder: Folder,
}

impl Browser {
    /// `None`: there is no Chromium on this machine, where that is no mistake.
    pub fn open() -> Option<Self> {
        if Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "chromium is missing");
            eprintln!("chromium is missing: nothing is tried in a browser");
            return None;
        }
        let folder = Folder::new();
        let [to, from] = ["to", "from"].map(|name| pipe(&folder.path().join(name)));
        let process = Command::new("bash")
            .args(["-c", "exec chromium \"$@\" 3<to 4>from", "chromium"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, to, from, unread: Vec::new(), calls: 0, told: Vec::new(), _folder: folder })
    }

    /// A new tab.
    pub fn tab(&mut self) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call(None, "Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log", "Accessibility"] {
            self.call(Some(&session), &format!("{domain}.enable"), json!({}));
        }
        Tab(session)
    }

    #[track_caller]
    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.try_call(session, method, params).unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// What Chromium answers, or why it does not.
    fn try_call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut text = message.to_string().into_bytes();
        text.push(0);
        self.to.write_all(&text).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut heard = self.hear(deadline);
            if heard["id"] == self.calls {
                let error = heard["error"].take();
                return if error.is_null() { Ok(heard["result"].take()) } else { Err(error) };
            }
            self.told.push(heard);
        }
    }

    fn hear(&mut self, deadline: Instant) -> Value {
        loop {
            if let Some(end) = memchr::memchr(0, &self.unread) {
                let message: Vec<u8> = self.unread.drain(..=end).collect();
                return serde_json::from_slice(&message[..end]).unwrap();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "chromium does not answer");
            let mut ready = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)).unwrap() > 0 {
                let mut piece = [0; 65_536];
                let read = self.from.read(&mut piece).unwrap();
                self.unread.extend_from_slice(&piece[..read]);
            }
        }
    }
}

impl Drop for Browser {
    /// Asks first: whoever is killed leaves children that still write into the folder.
    fn drop(&mut self) {
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::park_timeout(LOOK_EVERY);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A pipe with a name, open at both ends, so that nobody waits for the other to open it.
fn pipe(path: &Path) -> File {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// One tab, by its session.
pub struct Tab(String);

impl Tab {
    #[track_caller]
    pub fn call(&self, browser: &mut Browser, method: &str, params: Value) -> Value {
        browser.call(Some(&self.0), method, params)
    }

    pub fn go(&self, browser: &mut Browser, url: &str) {
        self.call(browser, "Page.navigate", json!({"url": url}));
    }

    /// The value of an expression of JavaScript.
    #[track_caller]
    pub fn value(&self, browser: &mut Browser, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut said = self.call(browser, "Runtime.evaluate", asked);
        assert!(said["exceptionDetails"].is_null(), "{expression}: {}", said["exceptionDetails"]);
        said["result"]["value"].take()
    }

    #[track_caller]
    pub fn text(&self, browser: &mut Browser, selector: &str) -> String {
        let asked = format!("document.querySelector({})?.textContent ?? ''", json!(selector));
        self.value(browser, &asked).as_str().unwrap().to_owned()
    }

    /// Whether an expression is true now. Between two pages nothing is.
    fn holds(&self, browser: &mut Browser, expression: &str) -> bool {
        let asked = json!({"expression": format!("Boolean({expression})"), "returnByValue": true});
        browser.try_call(Some(&self.0), "Runtime.evaluate", asked).is_ok_and(|said| said["result"]["value"] == true)
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, browser: &mut Browser, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.holds(browser, expression) {
            if Instant::now() > deadline {
                panic!("never: {expression}\n{}", self.value(browser, "document.body.innerText"));
            }
            thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Presses and releases a key: a letter, or one by its name.
    pub fn press(&self, browser: &mut Browser, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            _ => (0, key),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text});
            self.call(browser, "Input.dispatchKeyEvent", event);
        }
    }

    /// Clicks into the midst of what a selector finds, with the `left` or the `right` button.
    #[track_caller]
    pub fn click(&self, browser: &mut Browser, selector: &str, button: &str) {
        let place = format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{ block: 'center' }});
             const {{ left, top, width, height }} = it.getBoundingClientRect();
             return {{ x: left + width / 2, y: top + height / 2 }}; }})()",
            json!(selector)
        );
        let place = self.value(browser, &place);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place["x"], "y": place["y"], "button": button, "clickCount": 1});
            self.call(browser, "Input.dispatchMouseEvent", event);
        }
    }
}
