//! What each level of `ack` loses when the answering server is killed at the instant of an answer, and what `heard = 2`
//! loses, and `heard = 1`, when a neighbour is killed with it: `cargo bench --bench durability -- [KILLS] [LEVEL]`. And
//! what an archive costs: a load of a million clients, and answers a second that wait for the disk.

#[path = "../tests/losses.rs"]
mod losses;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use herdctl::config::{Ack, Archive};
use herdctl::server::Signal;
use losses::Level;
use support::{Herd, wait_until};

/// Kills of each level, unless the command line says otherwise.
const KILLS: u64 = 1000;
/// Clients in the archive that is loaded.
const CLIENTS: usize = 1_000_000;

fn main() {
    // Cargo says `--bench` first.
    let kills = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(KILLS);
    let of = |ack, heard, victims| Level { ack, heard, victims };
    let (clark, both): (_, &[&str]) = (&["Clark"][..], &["Clark", "Bona"]);
    let levels = [
        ("sent", of(Ack::Sent, 1, clark)),
        ("heard", of(Ack::Heard, 1, clark)),
        ("heard", of(Ack::Heard, 1, both)),
        ("heard2", of(Ack::Heard, 2, both)),
        ("stored", of(Ack::Stored, 1, clark)),
    ];
    let only = std::env::args().find(|arg| levels.iter().any(|(word, _)| word == arg));
    for (word, level) in levels.into_iter().filter(|(word, _)| only.as_deref().is_none_or(|only| only == *word)) {
        for (how, signal) in [("kills", Signal::Kill), ("power cuts", Signal::PowerCut)] {
            let start = Instant::now();
            let found = losses::of_kills(level, kills, signal);
            println!(
                "{word:8} {} {how} of {}, {} updates answered ({} of them unconfirmed): {} unknown meanwhile, {} lost; {:.0} s",
                found.kills,
                level.victims.join(" and "),
                found.answered,
                found.unconfirmed,
                found.lost_while_down,
                found.lost,
                start.elapsed().as_secs_f64()
            );
        }
    }
    load();
}

/// From the start of a server to its first answer, with a full archive.
fn load() {
    let mut herd = Herd::one(|config| {
        config.archive = Some(Archive { directory: config.directory().join("data") });
        config.log.traffic = herdctl::config::Traffic::Off;
    });
    let mut client = herd.client("Clark");
    let start = Instant::now();
    for first in (0..CLIENTS).step_by(1000) {
        let clients = first..first + 1000;
        client.say(
            clients.map(|n| format!("IAMAT client-{n:09} +34.068930-118.445127 1621464827.95\n")).collect::<String>(),
        );
        (0..1000).for_each(|_| assert!(client.hear().starts_with("AT ")));
    }
    let known = CLIENTS as u64;
    wait_until("all to be stored", || herd.vitals("Clark").archive.stored.load(Relaxed) == known);
    let told = start.elapsed();
    herd.kill("Clark");
    let bytes = std::fs::metadata(herd.folder().join("data/Clark.redb")).unwrap().len();
    let start = Instant::now();
    herd.start("Clark");
    assert!(herd.client("Clark").ask("WHATSAT client-000000007 10 0").starts_with("AT "));
    println!(
        "{CLIENTS} clients: told and stored in {told:.2?}, loaded in {:.2?}, {} MB",
        start.elapsed(),
        bytes / 1_000_000
    );
}
