//! What a bridge to the bus keeps up with: `cargo bench --bench bus`. Two herds of one server each, joined by a real
//! nats-server on this machine; updates to distinct clients, as fast as one server takes them, until the bus has been
//! told all and until the other herd knows all. Then the bus is away for a while under load: how soon it is level again.

#[path = "../tests/nats.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod nats;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use herdctl::config::{Bus, Traffic};
use herdctl::server::vitals::BusState;
use nats::Nats;
use support::{Client, Herd, wait_until};

const CLIENTS: usize = 500_000;
/// How long the bus is away, and how many updates a second are said meanwhile.
const ABSENCE: Duration = Duration::from_secs(10);
const RATE: usize = 10_000;

fn main() {
    let Some(mut nats) = Nats::start() else { return };
    let (here, there) = (joined("here", &nats), joined("there", &nats));
    let mut client = here.client("Clark");

    let start = Instant::now();
    say(&mut client, 0..CLIENTS);
    let said = start.elapsed();
    wait_until("the bus to be told", || is_level(&here));
    let told = start.elapsed();
    wait_until("the other herd to know", || knows(&there) == CLIENTS as u64);
    let known = start.elapsed();
    println!("{CLIENTS} distinct clients: said and answered in {said:.2?}");
    println!("  the bus was told all after {told:.2?}: {:.0} a second", CLIENTS as f64 / told.as_secs_f64());
    println!("  the other herd knew all after {known:.2?}: {:.0} a second", CLIENTS as f64 / known.as_secs_f64());

    nats.kill();
    let mut next = CLIENTS;
    let away = Instant::now();
    let mut burst = |next: &mut usize| {
        say(&mut client, *next..*next + RATE / 100);
        *next += RATE / 100;
    };
    while away.elapsed() < ABSENCE {
        if next - CLIENTS <= due(away) {
            burst(&mut next);
        }
    }
    let missed = next - CLIENTS;
    nats.run();
    let back = Instant::now();
    // The load goes on: what was missed is told, and the lag is again that of a batch on its way.
    let (mut told, mut known) = (None, None);
    let goal = next as u64;
    while told.is_none() || known.is_none() {
        if next - CLIENTS - missed <= due(back) {
            burst(&mut next);
        }
        let bus = &here.vitals("Clark").bus;
        if told.is_none() && bus.state() == BusState::Joined && bus.told.load(Relaxed) >= goal {
            told = Some(back.elapsed());
        }
        if known.is_none() && knows(&there) >= goal {
            known = Some(back.elapsed());
        }
    }
    println!("away for {ABSENCE:?} at {RATE} updates a second, {missed} missed, {CLIENTS} in the bucket:");
    println!(
        "  told what it missed {:.2?} after it was back, and the other herd {:.2?}",
        told.unwrap(),
        known.unwrap()
    );
    wait_until("all to be level", || is_level(&here) && knows(&there) == next as u64);
    assert_eq!(
        here.vitals("Clark").digest.load(Relaxed),
        there.vitals("Clark").digest.load(Relaxed),
        "nothing is lost"
    );
    println!("  nothing was lost: both know {next}");
}

fn joined(name: &str, nats: &Nats) -> Herd {
    let herd = Herd::one(|config| {
        let bus = Bus { url: nats.url(), creds_file: None, servers: vec![0], bucket: "bench".into(), replicas: 1 };
        (config.herd, config.bus, config.log.traffic) = (name.into(), Some(bus), Traffic::Off);
    });
    wait_until("the bus to be joined", || is_level(&herd));
    herd
}

fn is_level(herd: &Herd) -> bool {
    let vitals = herd.vitals("Clark");
    vitals.bus.state() == BusState::Joined && vitals.bus.told.load(Relaxed) == vitals.edition.load(Relaxed)
}

fn knows(herd: &Herd) -> u64 {
    herd.vitals("Clark").knows.load(Relaxed)
}

/// How many updates should have been said since then.
fn due(since: Instant) -> usize {
    since.elapsed().as_millis() as usize * RATE / 1000
}

/// Says where these clients are, some hundred at a time, and hears the answers.
fn say(client: &mut Client, clients: std::ops::Range<usize>) {
    let clients: Vec<usize> = clients.collect();
    for some in clients.chunks(500) {
        client.say(some.iter().map(|n| format!("IAMAT client-{n} +34.068930-118.445127 5\n")).collect::<String>());
        some.iter().for_each(|_| assert!(client.hear().starts_with("AT ")));
    }
}
