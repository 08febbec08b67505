//! The sessions of the README, run as written: each `console` block's commands, in order, with what they print.
//!
//! `[..]` stands for anything within a line. All blocks share one folder. The ports of herd.toml are moved to free ones,
//! so that a herd on the usual ports is left alone.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use snapbox::{Assert, Data, IntoData};

use crate::support::canary::{self, Folder};

const README: &str = include_str!("../README.md");

/// The ports of the shipped herd.toml begin with this; the last digit is the server's.
const USUAL_PORTS: &str = "1100";

#[test]
fn every_session_runs_as_it_is_written() {
    let folder = Folder::new();
    let _down = Down(folder.path());
    let ports = free_ports();
    for step in steps(README) {
        let step = Step {
            command: step.command.replace(USUAL_PORTS, &ports),
            expected: step.expected.replace(USUAL_PORTS, &ports),
        };
        if step.command.starts_with("python3") && lacks_python() {
            assert!(std::env::var_os("CI").is_none(), "python3 is missing");
            continue;
        }
        let printed = run(&step.command, folder.path());
        move_ports(&folder.path().join("herd.toml"), &ports);
        let what = format!("README.md: {}", step.command);
        Assert::new()
            .try_eq(Some(&what), printed.into_data(), Data::text(step.expected))
            .unwrap_or_else(|difference| panic!("{difference}"));
    }
}

/// One command and what it prints, on either stream.
struct Step {
    command: String,
    expected: String,
}

/// Ends the herd that the sessions have left, whatever became of them.
struct Down<'a>(&'a Path);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run("herdctl down", self.0);
    }
}

/// The commands of all `console` blocks and the programs of all `python` blocks, in the order of the page.
fn steps(text: &str) -> Vec<Step> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks
        .flat_map(|block| match block.split_once('\n') {
            Some(("console", session)) => commands(session),
            Some(("python", program)) => vec![python(program)],
            _ => Vec::new(),
        })
        .collect()
}

fn commands(session: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.into(), expected: String::new() }),
            (None, Some(step)) => step.expected.extend([line, "\n"]),
            (None, None) => panic!("a session begins with a command, not with {line}"),
        }
    }
    steps
}

/// The page's one program asks where a client is.
fn python(program: &str) -> Step {
    let command = format!("python3 - <<'END'\n{program}\nEND");
    Step { command, expected: "AT [..]\n\n".into() }
}

/// Whether this machine lacks the one program that a reader may do without. The gate's machine has it.
fn lacks_python() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    !std::env::split_paths(&path).any(|folder| folder.join("python3").exists())
}

/// Runs a line in a shell, as a reader would, with this build of herdctl first on the path.
fn run(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_herdctl"));
    let path = std::env::join_paths(
        std::iter::once(binary.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(folder).env("PATH", path);
    canary::carry(&mut bash);
    let output = bash.output().unwrap();
    canary::look(command, &output.stdout);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Five free ports that differ from the usual ones in all but the last digit.
fn free_ports() -> String {
    let is_free = |prefix: &u16| (0..5).all(|digit| TcpListener::bind(("127.0.0.1", prefix * 10 + digit)).is_ok());
    let start = 1200 + (std::process::id() % 1000) as u16;
    (start..start + 1000).find(is_free).expect("five free ports").to_string()
}

fn move_ports(herd_toml: &Path, ports: &str) {
    if let Ok(text) = std::fs::read_to_string(herd_toml) {
        std::fs::write(herd_toml, text.replace(USUAL_PORTS, ports)).unwrap();
    }
}
