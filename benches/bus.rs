//! What a bridge to the bus keeps up with: `cargo bench --bench bus [-- SECONDS]`. Two herds of one server each, joined by
//! a real nats-server on this machine; updates to distinct clients, as fast as one server takes them, until the bus has
//! been told all and until the other herd knows all. Then the bus is away for a minute, or for so long, while clients
//! move: how soon it is level again.

#[path = "../tests/nats.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod nats;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use herdctl::config::{Bus, Traffic};
use herdctl::server::vitals::BusState;
use nats::Nats;
use support::{Client, Herd, wait_until};

const CLIENTS: usize = 500_000;
/// How long the bus is away unless another time is asked for.
const ABSENCE: Duration = Duration::from_secs(60);
/// Meanwhile, and after, so many clients move, each again every ten seconds.
const MOVING: usize = 100_000;
const RATE: usize = 10_000;
/// Updates that are said together.
const BURST: usize = 100;

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

    let absence = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).map_or(ABSENCE, Duration::from_secs);
    go_away(&mut nats, absence, [&here, &there], client);
}

/// The bus ends and comes back while clients move.
fn go_away(nats: &mut Nats, absence: Duration, [here, there]: [&Herd; 2], mut client: Client) {
    let (start, mut moves) = (Instant::now(), 0);
    let mut keep_moving = || {
        if moves <= start.elapsed().as_millis() as usize * RATE / 1000 {
            let first = moves % MOVING;
            say_at(&mut client, first..first + BURST, 6 + moves / MOVING);
            moves += BURST;
        } else {
            sleep(Duration::from_millis(1));
        }
    };
    nats.kill();
    while start.elapsed() < absence {
        keep_moving();
    }
    nats.run();
    let (back, goal) = (Instant::now(), here.vitals("Clark").edition.load(Relaxed));
    let missed = goal - here.vitals("Clark").bus.told.load(Relaxed);
    // Whoever learns of this one, whom nobody knew, has learnt what was said before.
    here.client("Clark").ask("IAMAT last-of-all +1-1 5");
    let (mut told, mut known) = (None, None);
    while told.is_none() || known.is_none() {
        keep_moving();
        assert!(back.elapsed() < Duration::from_secs(120), "the bus is not level again");
        let bus = &here.vitals("Clark").bus;
        if told.is_none() && bus.state() == BusState::Joined && bus.told.load(Relaxed) >= goal {
            told = Some(back.elapsed());
        }
        if known.is_none() && knows(there) > CLIENTS as u64 {
            known = Some(back.elapsed());
        }
    }
    let [told, known] = [told, known].map(|took| took.expect("both were waited for"));
    println!(
        "away for {absence:?}, {MOVING} of {CLIENTS} clients moving {RATE} times a second, {missed} moves missed:"
    );
    println!("  told what it missed {told:.2?} after it was back, and the other herd {known:.2?}");
    let digests = || [here, there].map(|herd| herd.vitals("Clark").digest.load(Relaxed));
    wait_until("all to be level", || is_level(here) && digests()[0] == digests()[1]);
    println!("  nothing was lost: both know the same of {}", knows(there));
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

/// Says where these clients are, some hundred at a time, and hears the answers.
fn say(client: &mut Client, clients: Range<usize>) {
    say_at(client, clients, 5);
}

fn say_at(client: &mut Client, clients: Range<usize>, time: usize) {
    for first in clients.clone().step_by(500) {
        let some = first..clients.end.min(first + 500);
        let line = |n| format!("IAMAT client-{n} +34.068930-118.445127 {time}\n");
        client.say(some.clone().map(line).collect::<String>());
        some.for_each(|_| assert!(client.hear().starts_with("AT ")));
    }
}
