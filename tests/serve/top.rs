//! `top` over a herd of processes, in a real terminal: what is seen of all, and keys that reach the right one.

use super::{SERVERS, Served};
use crate::support::wait_until;
use crate::terminal::Terminal;

fn state(herd: &Served, server: &str) -> String {
    let ps = herd.field.json("ps --json");
    let servers = ps["servers"].as_array().unwrap();
    servers.iter().find(|one| one["name"] == server).unwrap()["state"].as_str().unwrap().to_owned()
}

#[test]
fn top_shows_all_processes_and_its_keys_reach_the_right_one() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let Some(terminal) = Terminal::open(&herd.field, 140, 45) else { return };
    wait_until("the herd to be ready", || herd.field.run("wait --ready --timeout 100ms").code == 0);
    terminal.run("herdctl top");
    terminal.sees(&["5 processes", "5 running · 6/6 links up", "▸ Bailey", "Jaquez#"]);
    terminal.press(&["Down", "Down", "Down", "k", "y"]);
    terminal.sees(&["▸ Clark    ✗ killed", "4 running, 1 down", "server.killed", "Clark/herd    | ── Clark killed ──"]);
    assert_eq!((state(&herd, "Clark"), state(&herd, "Bona")), ("killed".into(), "running".into()));
    terminal.press(&["s", "y"]);
    terminal.sees(&["▸ Clark    ● running", "5 running · 6/6 links up"]);
    terminal.press(&["p", "y"]);
    terminal.sees(&["‖ paused"]);
    terminal.press(&["p", "y"]);
    terminal.sees(&["5 running · 6/6 links up"]);
    terminal.press(&["!", "2", "c"]);
    terminal.sees(&["✂ cut", "1 fault"]);
    assert_eq!(herd.field.json("links --json")["faults"].as_array().unwrap().len(), 1);
    terminal.press(&["X"]);
    terminal.sees(&["6/6 links up · 1 island"]);

    // A process goes and comes, and so do all.
    herd.take("Jaquez").kill().unwrap();
    terminal.sees(&["unreachable", "it cannot be asked: its process"]);
    herd.start("Jaquez");
    terminal.sees(&["another herd has come up", "5 running · 6/6 links up"]);
    assert_eq!(herd.field.run("down").code, 0);
    terminal.sees(&["the herd has gone; waiting"]);
    terminal.press(&["q"]);
    terminal.is_restored();
}
