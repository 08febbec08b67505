//! The view as a person sees it: what comes in, keys that are pressed, and the words that are then on the screen.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

use super::meters::Reading;
use super::model::{Act, Effect, Input, Model, Verb};
use super::paint::Paint;
use super::{draw, layout};
use crate::cli::term::Pen;
use crate::herd::api::{ClientStatus, FaultStatus, Knowledge, Knows, LinkStatus, Ps, ServerStatus, State, Summary};
use crate::herd::api::{Whereis, Wrong};

const NAMES: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
const LINKS: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4)];

fn server(name: &str) -> ServerStatus {
    ServerStatus {
        name: name.into(),
        state: State::Running,
        since: "2026-11-22T15:04:05.123456Z".into(),
        since_ms: 8_200,
        addr: "127.0.0.1:11000".into(),
        by: None,
        restarts: 0,
        uptime_ms: Some(724_113),
        links_up: 2,
        links: 2,
        clients: 3,
        knows: 41,
        edition: 57,
        digest: "00c0ffee00c0ffee".into(),
        unconfirmed: 0,
        log_lost: 0,
        archive: None,
        bus: None,
        note: None,
    }
}

/// Five servers, six links, and nothing wrong.
fn well() -> Ps {
    let link = |(from, to): (usize, usize)| LinkStatus {
        from: NAMES[from].into(),
        to: NAMES[to].into(),
        up: true,
        lag: Some([0, 0]),
        held: [false; 2],
    };
    Ps {
        schema: "herd.ps/1".into(),
        config: "/srv/herd/herd.toml".into(),
        herd: "herd".into(),
        pid: 48213,
        version: "0.1.0".into(),
        protocol: 1,
        uptime_ms: 724_113,
        logs: "/srv/herd/logs".into(),
        summary: Summary {
            servers: 5,
            running: 5,
            paused: 0,
            down: 0,
            links: 6,
            links_up: 6,
            islands: 1,
            converged: true,
            faults: 0,
        },
        faults: Vec::new(),
        servers: NAMES.map(server).into(),
        notes: Vec::new(),
        links: LINKS.map(link).into(),
    }
}

/// Clark is killed, Jaquez paused, and the link of Campbell and Jaquez cut.
fn ill() -> Ps {
    let mut ps = well();
    ps.summary = Summary { running: 3, paused: 1, down: 1, links_up: 3, faults: 1, converged: false, ..ps.summary };
    ps.servers[3] =
        ServerStatus { state: State::Killed, by: Some("cli".into()), uptime_ms: None, links_up: 0, ..server("Clark") };
    ps.servers[4].state = State::Paused;
    for nth in [3, 4, 5] {
        ps.links[nth] = LinkStatus { up: false, lag: None, ..ps.links[nth].clone() };
    }
    ps.faults = vec![FaultStatus {
        id: 1,
        wrong: Wrong::Cut { silent: true },
        from: "Campbell".into(),
        to: "Jaquez".into(),
        one_way: false,
        partition: false,
        seed: None,
        expires_in_ms: Some(21_500),
    }];
    ps
}

/// A view, and the terminal that it is on.
struct View {
    model: Model,
    size: (u16, u16),
    now: Instant,
}

impl View {
    fn of(ps: Ps, size: (u16, u16)) -> Self {
        let mut view = Self { model: Model::new("~/herd/herd.toml".into(), true), size, now: Instant::now() };
        view.take(Input::Look(Box::new(ps), Reading::default()));
        view
    }

    fn take(&mut self, input: Input) -> Effect {
        let effect = self.model.update(input, self.now);
        self.screen();
        effect
    }

    fn press(&mut self, code: KeyCode) -> Effect {
        self.take(Input::Key(code.into()))
    }

    fn typed(&mut self, keys: &str) -> Effect {
        keys.chars().map(|key| self.press(KeyCode::Char(key))).last().unwrap_or(Effect::None)
    }

    fn terminal(&mut self, styled: bool) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let paint = Paint { pen: Pen { styled } };
        let model = &mut self.model;
        terminal
            .draw(|frame| {
                layout::fit(model, frame.area());
                draw::draw(model, paint, frame);
            })
            .unwrap();
        terminal
    }

    /// What stands on the screen, row by row.
    fn screen(&mut self) -> String {
        let width = usize::from(self.size.0);
        let terminal = self.terminal(false);
        let cells: Vec<&str> =
            terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.chunks(width).map(|row| row.concat().trim_end().to_owned() + "\n").collect()
    }

    #[track_caller]
    fn shows(&mut self, words: &[&str]) {
        let screen = self.screen();
        for word in words {
            assert!(screen.contains(word), "no {word:?} on\n{screen}");
        }
    }

    #[track_caller]
    fn hides(&mut self, words: &[&str]) {
        let screen = self.screen();
        for word in words {
            assert!(!screen.contains(word), "{word:?} on\n{screen}");
        }
    }
}

const USUAL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

fn whereis(client: &str, agreed: bool) -> Whereis {
    let knowledge = |server: &str, knows| Knowledge {
        server: server.into(),
        knows,
        location: Some("+34.068930-118.445127".into()),
        time: Some("1".into()),
        said_to: Some("Clark".into()),
        ..Knowledge::default()
    };
    let second = if agreed { Knows::Newest } else { Knows::Old };
    let servers = vec![knowledge("Bailey", Knows::Newest), knowledge("Bona", second)];
    let clients = vec![ClientStatus { client: client.into(), agreed, servers }];
    Whereis { schema: "herd.whereis/1".into(), clients, known: 1, silent: Vec::new() }
}

#[test]
fn the_usual_terminal_shows_servers_links_a_picture_events_and_keys() {
    let mut view = View::of(well(), USUAL);
    view.shows(&[
        "herd ~/herd/herd.toml  up 12m  pid 48213",
        "5 running · 6/6 links up · 1 island · converged",
        "▶ 1 servers",
        "▸ Bailey",
        "● running",
        "Jaquez",
        "2 links",
        "Clark – Jaquez",
        "3 map",
        "6 events",
        "q leave  ? help  k kill  s start",
    ]);
    view.hides(&["7 log", "4 topology"]);
}

#[test]
fn a_large_terminal_shows_everything_at_once() {
    let mut view = View::of(well(), LARGE);
    view.take(Input::Clients(whereis("kiwi", true)));
    view.shows(&[
        "1 servers",
        "2 links",
        "3 map",
        "4 topology",
        "5 latency",
        "6 events",
        "7 log",
        "● kiwi",
        "1 client",
    ]);
}

#[test]
fn what_is_wrong_is_told_by_shape_and_word() {
    let mut view = View::of(ill(), LARGE);
    view.shows(&["✗ killed 8s ago", "‖ paused", "1 fault", "✂ cut", "cut, silent", "✗ down", "✗ Clark", "‖ Jaquez"]);
    view.press(KeyCode::Enter);
    view.shows(&["by herdctl kill", "Campbell – Jaquez cut, silent"]);
    view.press(KeyCode::Enter);
    view.take(Input::Clients(whereis("kiwi", false)));
    view.shows(&["○ kiwi"]);
    // Colours add to that, and are only where they are wanted.
    let is_red = |view: &mut View, styled| {
        view.terminal(styled).backend().buffer().content().iter().any(|cell| cell.fg == Color::Red)
    };
    assert!(is_red(&mut view, true) && !is_red(&mut view, false));
}

#[test]
fn an_order_names_its_command_and_is_given_after_one_more_key() {
    let mut view = View::of(well(), USUAL);
    (0..3).for_each(|_| _ = view.press(KeyCode::Down));
    assert_eq!(view.typed("k"), Effect::None);
    view.shows(&["herdctl kill Clark ?", "y: yes"]);
    assert_eq!(view.typed("n"), Effect::None);
    view.hides(&["herdctl kill"]);
    let act = |verb, names: &[&str]| Effect::Do(Act { verb, names: names.iter().map(|&name| name.into()).collect() });
    assert_eq!(view.typed("ky"), act(Verb::Kill, &["Clark"]));
    assert_eq!(view.typed("sy"), act(Verb::Start, &["Clark"]));
    assert_eq!(view.typed("ry"), act(Verb::Restart, &["Clark"]));
    assert_eq!(view.typed("py"), act(Verb::Pause, &["Clark"]));
    assert_eq!(view.typed("xy"), act(Verb::Heal, &["Clark"]));
    assert_eq!(view.typed("cy"), act(Verb::Cut, &["Bailey", "Bona"]));
    assert_eq!(view.typed("Xy"), act(Verb::HealAll, &[]));
    view.typed("2");
    view.press(KeyCode::End);
    assert_eq!(view.typed("cy"), act(Verb::Cut, &["Clark", "Jaquez"]));
    assert_eq!(view.typed("xy"), act(Verb::Heal, &["Clark", "Jaquez"]));
    // Without being asked.
    view.typed("!");
    view.shows(&["keys act at once"]);
    assert_eq!(view.typed("k"), act(Verb::Kill, &["Clark"]));
}

#[test]
fn pause_lets_go_on_what_is_paused() {
    let mut view = View::of(ill(), USUAL);
    view.press(KeyCode::End);
    assert!(matches!(view.typed("py"), Effect::Do(Act { verb: Verb::Resume, .. })));
}

#[test]
fn what_an_order_did_is_said_for_a_while() {
    let mut view = View::of(well(), USUAL);
    view.take(Input::Done("✗ Clark killed: 2 links and 0 client connections gone".into()));
    view.shows(&["✗ Clark killed: 2 links"]);
    view.now += Duration::from_secs(20);
    view.take(Input::Tick);
    view.hides(&["✗ Clark killed"]);
    view.shows(&["q leave"]);
}

#[test]
fn a_list_that_was_scrolled_up_stays_and_counts_what_is_new() {
    let mut view = View::of(well(), USUAL);
    view.take(Input::Events((0..50).map(|n| format!("event {n}.")).collect()));
    view.shows(&["event 49."]);
    view.typed("6");
    view.press(KeyCode::Up);
    view.take(Input::Events((50..192).map(|n| format!("event {n}.")).collect()));
    view.shows(&["142 new ↓", "event 47."]);
    view.hides(&["event 50.", "event 191."]);
    view.press(KeyCode::End);
    view.shows(&["event 191."]);
    view.hides(&["new ↓"]);
    // The log has a window of its own.
    view.take(Input::Log(vec!["a record".into()]));
    view.typed("7");
    view.shows(&["a record", "7 log"]);
}

#[test]
fn help_names_every_key_and_any_key_closes_it() {
    let mut view = View::of(well(), USUAL);
    view.typed("?");
    view.shows(&["herdctl kill", "leaves the herd up", "Shift-Tab", "p50, p99"]);
    assert_eq!(view.press(KeyCode::Esc), Effect::None);
    view.shows(&["1 servers"]);
}

#[test]
fn a_pane_can_have_the_whole_screen() {
    let mut view = View::of(well(), USUAL);
    view.typed("4");
    view.press(KeyCode::Enter);
    view.shows(&["4 topology", "● Campbell"]);
    view.hides(&["1 servers"]);
    assert_eq!(view.press(KeyCode::Esc), Effect::None);
    view.shows(&["1 servers"]);
    assert_eq!(view.press(KeyCode::Esc), Effect::Leave);
}

#[test]
fn the_keys_that_leave_leave_whatever_is_open() {
    for open in ["", "?", "k"] {
        let mut view = View::of(well(), USUAL);
        view.typed(open);
        assert_eq!(view.typed("q"), Effect::Leave, "{open}");
        view.typed(open);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.take(Input::Key(control_c)), Effect::Leave, "{open}");
    }
}

#[test]
fn a_herd_that_goes_is_said_to_be_gone_until_it_is_back() {
    let mut view = View::of(well(), USUAL);
    view.take(Input::Lost(None));
    view.shows(&["the herd has gone; waiting", "Clark"]);
    view.take(Input::Lost(Some("no answer from pid 48213 in 5s".into())));
    view.shows(&["✗ no answer from pid 48213 in 5s"]);
    view.take(Input::Look(Box::new(well()), Reading::default()));
    view.hides(&["✗"]);
    // With fewer servers than before, the chosen one is one of them.
    view.press(KeyCode::End);
    let mut smaller = well();
    smaller.servers.truncate(2);
    smaller.links.clear();
    view.take(Input::Look(Box::new(smaller), Reading::default()));
    view.shows(&["▸ Bona"]);
    view.typed("2");
    assert_eq!(view.typed("cy"), Effect::None);
}

#[test]
fn rates_and_latencies_come_from_two_looks() {
    let page = |answers: u32| {
        format!(
            "herd_answers_total{{server=\"Clark\",kind=\"report\"}} {answers}\n\
             herd_reports_accepted_total{{server=\"Clark\",from=\"client\"}} {answers}\n\
             herd_answer_seconds_bucket{{server=\"Clark\",le=\"0.0001\"}} {answers}\n\
             herd_answer_seconds_bucket{{server=\"Clark\",le=\"+Inf\"}} {answers}\n"
        )
    };
    let mut view = View::of(well(), LARGE);
    view.take(Input::Look(Box::new(well()), Reading::of(&page(1000))));
    view.now += Duration::from_secs(1);
    view.take(Input::Look(Box::new(well()), Reading::of(&page(3042))));
    view.shows(&["ANSW/s", "99µs", "50µs"]);
}

#[test]
fn any_size_and_any_moment_can_be_drawn() {
    for (width, height) in [1, 10, 40, 60, 110].into_iter().flat_map(|width| [1, 3, 10, 20, 32].map(|h| (width, h))) {
        let mut nothing = View { model: Model::new("x".into(), true), size: (width, height), now: Instant::now() };
        nothing.screen();
        let mut view = View::of(ill(), (width, height));
        let come = [Input::Clients(whereis("kiwi", false)), Input::Events(vec!["event".into(); 100])];
        let keys = "1k\u{1b}234567?".chars().map(|key| Input::Key(KeyCode::Char(key).into()));
        for input in come.into_iter().chain(keys) {
            view.take(input);
        }
        view.press(KeyCode::PageUp);
        view.press(KeyCode::Enter);
    }
    let mut small = View::of(ill(), (40, 10));
    small.shows(&["3 running", "▶ 1 servers", "Clark", "✗ killed", "q leave"]);
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}";
    let mut ps = ill();
    ps.version = hostile.into();
    for server in &mut ps.servers {
        server.name = hostile.into();
        server.note = Some(hostile.into());
        server.addr = hostile.into();
    }
    ps.links.iter_mut().for_each(|link| link.from = hostile.into());
    for pane in "1234567".chars() {
        let mut view = View::of(ps.clone(), LARGE);
        view.take(Input::Clients(whereis(hostile, true)));
        view.typed("k");
        view.press(KeyCode::Esc);
        view.typed(&pane.to_string());
        view.press(KeyCode::Enter);
        let screen = view.screen();
        assert!(!screen.contains(|c: char| c == '\u{202e}' || (c.is_control() && c != '\n')), "{screen:?}");
    }
}
