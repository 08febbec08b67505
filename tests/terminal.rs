//! The program in a real terminal: tmux has one for each test, keys are typed into it and its screen is read. What it
//! shows is waited for; and whatever was shown, the terminal is given back as it was.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Field;
use crate::support::canary;

/// Nothing takes longer to be on the screen on a machine that works.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the screen.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What the shell asks with.
const PROMPT: &str = "ready>";

/// A terminal of its own with a shell in it, in the folder of a herd.
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// `None`: there is no tmux on this machine, where that is no mistake.
    pub fn open(field: &Field, columns: u16, rows: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "tmux is missing");
            eprintln!("tmux is missing: nothing is tried in a terminal");
            return None;
        }
        let terminal = Self { socket: field.path("tmux.sock").to_string_lossy().into_owned() };
        let program = canary::herdctl(&field.path(""));
        let programs = Path::new(program.get_program()).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut tmux = terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows]);
        tmux.args(["bash", "--norc", "--noprofile"]).current_dir(field.path(""));
        tmux.env("PATH", path).env("PS1", format!("{PROMPT} ")).env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/bash");
        canary::carry(&mut tmux);
        ["TMUX", "PROMPT_COMMAND"].iter().for_each(|name| _ = tmux.env_remove(name));
        let opened = tmux.output().unwrap();
        assert!(opened.status.success(), "{opened:?}");
        terminal.wait_for("a prompt", |screen| screen.contains(PROMPT));
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-S", &self.socket]).args(args);
        command
    }

    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.tmux(args).output().unwrap();
        assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Presses keys by tmux's names for them: `Down`, `C-c`, `k`.
    pub fn press(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// Types a command and Enter.
    pub fn run(&self, line: &str) {
        self.ask(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "not seen: {what}, but\n{screen}");
            thread::park_timeout(LOOK_EVERY);
        }
    }

    #[track_caller]
    pub fn sees(&self, words: &[&str]) {
        self.wait_for(&format!("{words:?}"), |screen| words.iter().all(|word| screen.contains(word)));
    }

    /// A shell asks again, and the terminal is as it was: the usual screen, a cursor, and what is typed is echoed.
    #[track_caller]
    pub fn is_restored(&self) {
        self.wait_for("the prompt at the end", |screen| screen.trim_end().ends_with(PROMPT));
        assert_eq!(self.ask(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");
        self.run("echo ec'ho'ed $((40 + 2)); stty -a");
        self.sees(&["echo ec'ho'ed", "echoed 42", "isig icanon iexten echo echoe"]);
        self.run("clear");
        self.wait_for("an empty screen", |screen| screen.trim() == PROMPT);
    }

    /// The process that the shell runs.
    fn child(&self) -> Pid {
        let shell = self.ask(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        Pid::from_raw(children.split_whitespace().next().expect("it runs something").parse().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
    }
}

fn state(field: &Field, server: usize) -> String {
    field.json("ps --json")["servers"][server]["state"].as_str().unwrap().to_owned()
}

#[test]
fn top_breaks_and_mends_the_herd_and_leaves_it_up() {
    let field = Field::new();
    let Some(terminal) = Terminal::open(&field, 80, 24) else { return };
    assert_eq!(field.run("up -d").code, 0);
    terminal.run("herdctl top");
    terminal.sees(&["5 running · 6/6 links up", "▸ Bailey", "q leave"]);
    terminal.press(&["Down", "Down", "Down", "k"]);
    terminal.sees(&["herdctl kill Clark ?"]);
    assert_eq!(state(&field, 3), "running");
    terminal.press(&["y"]);
    terminal.sees(&["▸ Clark    ✗ killed", "4 running, 1 down", "server.killed"]);
    assert_eq!(state(&field, 3), "killed");
    terminal.press(&["s", "y"]);
    terminal.sees(&["▸ Clark    ● running", "5 running · 6/6 links up"]);
    terminal.press(&["!", "2", "c"]);
    terminal.sees(&["✂ cut", "1 fault"]);
    terminal.press(&["X"]);
    terminal.sees(&["6/6 links up · 1 island"]);

    // What is done elsewhere is seen too, and any size will do.
    assert_eq!(field.run("pause Jaquez").code, 0);
    terminal.sees(&["‖ paused"]);
    terminal.ask(&["resize-window", "-x", "40", "-y", "10"]);
    terminal.sees(&["2 links", "q leave"]);
    terminal.ask(&["resize-window", "-x", "120", "-y", "40"]);
    terminal.sees(&["4 topology", "7 log", "‖ Jaquez"]);
    terminal.press(&["?"]);
    terminal.sees(&["Leaving it leaves the herd up"]);
    terminal.press(&["Escape"]);

    // The herd goes, and comes back.
    assert_eq!(field.run("down").code, 0);
    terminal.sees(&["the herd has gone; waiting"]);
    assert_eq!(field.run("up -d").code, 0);
    terminal.sees(&["5 running · 6/6 links up"]);
    terminal.press(&["q"]);
    terminal.sees(&["the herd is still up"]);
    terminal.is_restored();
    assert_eq!(field.run("ps --check").code, 0);
}

#[test]
fn top_gives_the_terminal_back_when_it_is_told_to_end() {
    let field = Field::new();
    let Some(terminal) = Terminal::open(&field, 80, 24) else { return };
    terminal.run("herdctl top; echo left with $?");
    terminal.sees(&["no herd is running", "left with 3"]);
    terminal.run("clear");
    assert_eq!(field.run("up -d").code, 0);
    for (nth, signal) in [Signal::SIGTERM, Signal::SIGHUP].into_iter().enumerate() {
        terminal.run(&format!("herdctl top; echo left {nth} with $?"));
        terminal.sees(&["5 running"]);
        kill(terminal.child(), signal).unwrap();
        terminal.sees(&["the herd is still up", &format!("left {nth} with 0")]);
        terminal.is_restored();
    }
    terminal.run("herdctl top --color never; echo left with $?");
    terminal.sees(&["5 running"]);
    let painted = terminal.ask(&["capture-pane", "-p", "-e"]);
    let coloured = (30..38).chain(90..98).find(|code| painted.contains(&format!("\u{1b}[{code}m")));
    assert_eq!(coloured, None, "{painted:?}");
    terminal.press(&["C-c"]);
    terminal.sees(&["left with 0"]);
    terminal.is_restored();
    assert_eq!(field.run("ps --check").code, 0);
}

#[test]
fn without_a_terminal_top_says_what_to_use_instead() {
    let field = Field::new();
    let said = field.run("top");
    assert!(said.code == 2 && said.out.is_empty() && said.err.contains("hint: herdctl ps --watch\n"), "{said:?}");
    let failure = field.run("top --json").failure();
    assert_eq!((failure["exit"].as_i64(), failure["hint"].as_str()), (Some(2), Some("herdctl ps --watch --json")));
}

#[test]
fn what_is_watched_is_redrawn_in_its_place_and_logs_go_on_through_everything() {
    let field = Field::new();
    let Some(terminal) = Terminal::open(&field, 120, 30) else { return };
    assert_eq!(field.run("up -d").code, 0);
    terminal.run("herdctl ps --watch");
    terminal.sees(&["5 running"]);
    assert_eq!(field.run("kill Clark").code, 0);
    let screen = terminal.wait_for("the kill", |screen| screen.contains("killed"));
    assert_eq!(screen.matches("SERVER ").count(), 1, "{screen}");
    terminal.press(&["C-c"]);
    terminal.is_restored();

    terminal.run("herdctl logs -f -n 0 --grep '^Clark|IAMAT kiwi'");
    assert_eq!(field.run("start Clark --wait").code, 0);
    terminal.sees(&["── Clark running ──"]);
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127 --to Clark").code, 0);
    terminal.sees(&["| IAMAT kiwi +34.068930-118.445127"]);
    assert_eq!(field.run("down").code, 0);
    assert_eq!(field.run("up -d").code, 0);
    terminal.sees(&["── herd up since"]);
    terminal.press(&["C-c"]);
    terminal.is_restored();
    assert_eq!(field.run("ps --check").code, 0);
}
