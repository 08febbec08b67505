//! The sessions of the README, run as written: each `console` block's commands, in order, with what they print.
//!
//! `[..]` stands for anything within a line, `...` on a line of its own for any lines. All blocks share one folder. The
//! ports of herd.toml are moved to free ones, so that a herd on the usual ports is left alone.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use snapbox::{Assert, Data, IntoData};

const README: &str = include_str!("../README.md");

/// The ports of the shipped herd.toml begin with this; the last digit is the server's.
const USUAL_PORTS: &str = "1100";

#[test]
fn every_session_runs_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let _down = Down(folder.path());
    let ports = free_ports();
    for step in console_blocks(README).flat_map(steps) {
        let command = step.command.replace(USUAL_PORTS, &ports);
        let expected = step.expected.replace(USUAL_PORTS, &ports);
        let printed = run(&command, folder.path());
        move_ports(&folder.path().join("herd.toml"), &ports);
        Assert::new()
            .action(snapbox::assert::Action::Verify)
            .try_eq(Some(&format!("README.md: $ {command}")), printed.into_data(), Data::text(expected))
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

fn console_blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n```console\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default())
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.into(), expected: String::new() }),
            (None, Some(step)) => step.expected.extend([line, "\n"]),
            (None, None) => panic!("a session begins with a command, not with {line}"),
        }
    }
    steps
}

/// Runs a line in a shell, as a reader would, with this build of herdctl first on the path.
fn run(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_herdctl"));
    let path = std::env::join_paths(
        std::iter::once(binary.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("HERD_CONFIG")
        .env_remove("HERD_SOCKET")
        .output()
        .unwrap();
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
