//! How a herd of five heals: how soon a silent partition is noticed, whether a link is ever taken for dead that is not, how
//! soon all are equal again after a heal and after a pause, what a paused server costs the others, and what a link that
//! only blinked says again. Each figure stands beside what it should be.
//!
//! `cargo bench --bench healing -- [PART] [SECONDS]`: all parts take some two minutes; `alarms 600` and `pause 60` are those
//! for the record. Compare figures of one run only.

#[expect(dead_code, reason = "compare.sh loads a Redis too")]
mod load;
#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use herdctl::server::Signal;
use herdctl::server::fault::{Cut, Fault};
use load::{Load, Speech};
use support::Herd;

/// How late an end may be seen.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// The links between Bailey and Campbell and the other three.
const BETWEEN: [(&str, &str); 3] = [("Campbell", "Bona"), ("Campbell", "Jaquez"), ("Bona", "Bailey")];
/// Those who move while the herd is apart.
const MOVED: usize = 100_000;
/// Those of a large herd, and how many of them a link misses while it blinks.
const MANY: usize = 1_000_000;
const MISSED: usize = 1_000;
/// How often each thing is done.
const TIMES: u32 = 5;

/// What is measured, by its name, and for how many seconds if nobody says so.
type Part = (&'static str, fn(Duration), u64);

const PARTS: [Part; 5] =
    [("noticed", noticed, 40), ("alarms", alarms, 20), ("equal", equal, 0), ("pause", pause, 10), ("blink", blink, 0)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seconds = args.iter().find_map(|arg| arg.parse().ok());
    let only = args.iter().find(|arg| PARTS.iter().any(|(name, ..)| name == arg));
    for (_, part, usual) in PARTS.into_iter().filter(|(name, ..)| only.is_none_or(|only| only == name)) {
        part(Duration::from_secs(seconds.unwrap_or(usual)));
    }
}

fn say(what: &str, figure: impl std::fmt::Display, goal: &str, is_met: bool) {
    println!("{:6} {what}: {figure} (goal: {goal})", if is_met { "ok" } else { "MISSED" });
}

/// From a silent cut to when both ends of all cut links call them down.
fn noticed(lasts: Duration) {
    const GOAL: Duration = Duration::from_secs(3);
    for (what, is_loaded) in [("idle", false), ("at full load", true)] {
        let herd = Herd::five();
        let (start, mut took) = (Instant::now(), Vec::new());
        while_loaded(&herd, is_loaded.then_some("Bailey"), || {
            while took.is_empty() || start.elapsed() < lasts / 2 {
                // Heartbeats come every second: never at the same time of one.
                sleep(Duration::from_millis(137 * took.len() as u64 % 1000));
                let cut = Instant::now();
                part_ways(&herd, Some(Cut::Silent));
                until(|| {
                    BETWEEN.iter().all(|&(one, other)| !is_live(&herd, one, other) && !is_live(&herd, other, one))
                });
                took.push(cut.elapsed());
                part_ways(&herd, None);
                herd.wait_linked();
            }
        });
        took.sort_unstable();
        let (last, half) = (took[took.len() - 1], took[took.len() / 2]);
        let figure = format!("{last:.3?} at the latest of {}, {half:.3?} for half of them", took.len());
        say(&format!("a silent partition is noticed, {what}"), figure, "3 s", last <= GOAL);
    }
}

/// A link that is dialled again had been taken for dead, and nothing was wrong with it.
fn alarms(lasts: Duration) {
    let herd = Herd::five();
    let connections = || herd.running().map(|vitals| vitals.counts.connections.load(Relaxed)).sum::<u64>();
    let (start, before) = (Instant::now(), connections());
    let rounds = while_loaded(&herd, Some("Clark"), || sleep(lasts)).rounds;
    let (updates, again) = (rounds * ROUND, connections() - before - rounds * FULL.connections as u64);
    herd.wait_linked();
    let rate = updates as f64 / start.elapsed().as_secs_f64();
    let figure = format!("{again}, in {:.0} s at {rate:.0} updates a second", start.elapsed().as_secs_f64());
    say("links taken for dead", figure, "none in ten minutes", again == 0);
}

/// From a heal, and from a resume, to when all five are equal, after so many have moved.
fn equal(_: Duration) {
    const GOAL: Duration = Duration::from_millis(500);
    let herd = Herd::five();
    move_to(&herd, "Clark", 0..MOVED, 1);
    herd.wait_converged(MOVED as u64);
    let (mut time, mut healed, mut resumed) = (1, Vec::new(), Vec::new());
    for _ in 0..TIMES {
        time += 1;
        part_ways(&herd, Some(Cut::Silent));
        until(|| BETWEEN.iter().all(|&(one, other)| !is_live(&herd, one, other) && !is_live(&herd, other, one)));
        move_to(&herd, "Bailey", 0..MOVED / 2, time);
        move_to(&herd, "Clark", MOVED / 2..MOVED, time);
        until(|| are_equal(&herd, &["Bailey", "Campbell"]) && are_equal(&herd, &["Bona", "Clark", "Jaquez"]));
        let heal = Instant::now();
        part_ways(&herd, None);
        until(|| are_equal(&herd, &FIVE));
        healed.push(heal.elapsed());
        herd.wait_linked();

        time += 1;
        herd.signal("Clark", Signal::Stop);
        until(|| !is_live(&herd, "Bona", "Clark") && !is_live(&herd, "Jaquez", "Clark"));
        move_to(&herd, "Bailey", 0..MOVED, time);
        until(|| are_equal(&herd, &["Bailey", "Bona", "Campbell", "Jaquez"]));
        let resume = Instant::now();
        herd.signal("Clark", Signal::Continue);
        until(|| are_equal(&herd, &FIVE));
        resumed.push(resume.elapsed());
        herd.wait_linked();
    }
    for (what, mut took) in [("a heal", healed), ("a resume", resumed)] {
        took.sort_unstable();
        let (last, half) = (took[took.len() - 1], took[took.len() / 2]);
        let figure = format!("{last:.0?} at the latest of {}, {half:.0?} for half of them", took.len());
        say(&format!("all equal after {what}, {MOVED} having moved"), figure, "500 ms", last <= GOAL);
    }
}

/// The same load with Clark well and with Clark paused, by turns: what the others need more, in memory and in time.
fn pause(lasts: Duration) {
    const BYTES_GOAL: f64 = 16.0;
    let herd = Herd::five();
    let mut turns: [Vec<Turn>; 2] = Default::default();
    while_loaded_with(&herd, Some("Jaquez"), MANY, || {
        until(|| herd.vitals("Bailey").knows.load(Relaxed) == MANY as u64);
    });
    for turn in 0..3 {
        for is_paused in [false, true] {
            if is_paused {
                herd.signal("Clark", Signal::Stop);
            }
            let found = take_turn(&herd, lasts);
            if is_paused {
                herd.signal("Clark", Signal::Continue);
                herd.wait_linked();
                until(|| are_equal(&herd, &FIVE));
            }
            // The first only warms up.
            if turn > 0 {
                turns[usize::from(is_paused)].push(found);
            }
        }
    }
    let [well, paused] = turns.map(|turns| Turn::middle(&turns));
    let bytes = (paused.bytes - well.bytes) / MANY as f64;
    let figure = format!("{bytes:.1} bytes a client, in {} s at {:.0} updates a second", lasts.as_secs(), paused.rate);
    say(&format!("a paused server costs the others, with {MANY} clients"), figure, "16", bytes <= BYTES_GOAL);
    let slower = well.rate / paused.rate;
    let figure = format!("{slower:.2} times slower, {:.0} instead of {:.0} a second", paused.rate, well.rate);
    say("the others' answers, all together", figure, "2", slower <= 2.0);
    let slower = paused.p99 / well.p99;
    let figure =
        format!("{slower:.2} times slower at the 99th of 100, {:.2} ms instead of {:.2}", paused.p99, well.p99);
    say("the others' answers, one by one", figure, "2", slower <= 2.0);
}

/// What a load found.
#[derive(Clone, Copy)]
struct Turn {
    /// The most memory of the process.
    bytes: f64,
    /// Updates a second.
    rate: f64,
    /// Milliseconds of 99 of 100 answers, to a client that says one thing at a time.
    p99: f64,
}

impl Turn {
    fn middle(turns: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = turns.iter().map(figure).collect();
            figures.sort_unstable_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Self { bytes: middle(|turn| turn.bytes), rate: middle(|turn| turn.rate), p99: middle(|turn| turn.p99) }
    }
}

fn take_turn(herd: &Herd, lasts: Duration) -> Turn {
    let (mut bytes, mut answers) = (0, Histogram::<u64>::new(3).expect("three digits"));
    let loaded = while_loaded_with(herd, Some("Jaquez"), MANY, || {
        let (start, mut client) = (Instant::now(), herd.client("Bona"));
        while start.elapsed() < lasts {
            let said = Instant::now();
            assert!(client.ask(&format!("IAMAT kiwi +1-1 {}", load::time(now_ns()))).starts_with("AT Bona "));
            answers.record(said.elapsed().as_nanos() as u64).expect("it grows");
            bytes = bytes.max(memory());
            sleep(Duration::from_millis(1));
        }
    });
    let rate = (loaded.rounds * ROUND) as f64 / loaded.took.as_secs_f64();
    Turn { bytes: bytes as f64, rate, p99: answers.value_at_quantile(0.99) as f64 / 1e6 }
}

/// What is said over a link that was cut and healed, while some of many moved.
fn blink(_: Duration) {
    const BYTES_GOAL: usize = 4_000_000;
    let herd = Herd::two(|config| config.log.file_bytes_max = 1 << 40);
    move_to(&herd, "Clark", 0..MANY, 1);
    herd.wait_converged(MANY as u64);
    let cut = Fault { cut: Some(Cut::Closed), ..Fault::default() };
    herd.fault_both("Bona", "Clark", cut);
    until(|| !is_live(&herd, "Bona", "Clark") && !is_live(&herd, "Clark", "Bona"));
    let before = ["Bona", "Clark"].map(|name| said_to_neighbours(&herd, name));
    move_to(&herd, "Clark", 0..MISSED, 2);
    herd.fault_both("Bona", "Clark", Fault::default());
    until(|| are_equal(&herd, &["Bona", "Clark"]));
    // What was said last is on its way into the logs.
    sleep(Duration::from_millis(500));
    let after = ["Bona", "Clark"].map(|name| said_to_neighbours(&herd, name));
    let bytes = after[0] + after[1] - before[0] - before[1];
    let what = format!("said over a link that blinked, {MISSED} of {MANY} missed");
    say(&what, format!("{bytes} bytes"), "4 MB", bytes <= BYTES_GOAL);
}

/// Bytes, by its log.
fn said_to_neighbours(herd: &Herd, name: &str) -> usize {
    let log = fs::read(herd.folder().join(format!("logs/{name}.log"))).unwrap_or_default();
    let said = log.split(|&byte| byte == b'\n').filter_map(|record| {
        let start = memchr::memmem::find(record, b" | ")?;
        let is_said = memchr::memmem::find(&record[..start], b" OUT ").is_some();
        let is_to_client = memchr::memmem::find(&record[..start], b" client ").is_some();
        (is_said && !is_to_client).then_some(record.len() - start - " | ".len() + 1)
    });
    said.sum()
}

const FIVE: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
/// A load that takes all that two cores have.
const FULL: Load = Load { connections: 32, depth: 256, clients: 1000, speech: Speech::Herd };
/// Updates that are said before anybody looks whether that is enough.
const ROUND: u64 = 8 * 32 * 256;

/// What was said meanwhile.
#[derive(Default)]
struct Loaded {
    rounds: u64,
    took: Duration,
}

fn while_loaded(herd: &Herd, server: Option<&str>, act: impl FnOnce()) -> Loaded {
    while_loaded_with(herd, server, FULL.clients, act)
}

/// Acts while that server is told of so many clients as fast as it takes it.
fn while_loaded_with(herd: &Herd, server: Option<&str>, clients: usize, act: impl FnOnce()) -> Loaded {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = server.map(|server| {
            let (to, enough) = (herd.address(server), &enough);
            scope.spawn(move || {
                let mut loaded = Loaded::default();
                let mut clock = now_ns();
                while !enough.load(Relaxed) {
                    loaded.took += Load { clients, ..FULL }.run(to, ROUND, &mut clock);
                    loaded.rounds += 1;
                }
                loaded
            })
        });
        act();
        enough.store(true, Relaxed);
        load.map(|load| load.join().unwrap()).unwrap_or_default()
    })
}

/// Says of each of these clients where it is at that time.
fn move_to(herd: &Herd, server: &str, clients: Range<usize>, time: u64) {
    let mut client = herd.client(server);
    for first in clients.clone().step_by(1000) {
        let some = first..(first + 1000).min(clients.end);
        let lines: String =
            some.clone().map(|n| format!("IAMAT client-{n:09} +34.068930-118.445127 {time}\n")).collect();
        client.say(lines);
        some.for_each(|_| assert!(client.hear().starts_with("AT ")));
    }
}

/// Cuts the herd in two, or heals it.
fn part_ways(herd: &Herd, cut: Option<Cut>) {
    BETWEEN.iter().for_each(|(one, other)| herd.fault_both(one, other, Fault { cut, ..Fault::default() }));
}

/// Whether `from` calls its link to `to` live.
fn is_live(herd: &Herd, from: &str, to: &str) -> bool {
    let to = herd.config.server_named(to).expect("a server");
    herd.vitals(from).neighbours.iter().any(|neighbour| neighbour.server == to && neighbour.live.load(Relaxed))
}

fn are_equal(herd: &Herd, names: &[&str]) -> bool {
    let mut known = names.iter().map(|name| herd.vitals(name).digest.load(Relaxed));
    let first = known.next();
    known.all(|other| Some(other) == first)
}

fn until(ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(120), "it never came to that");
        sleep(LOOK_EVERY);
    }
}

/// Nanoseconds since the epoch: newer than anything that was said before.
fn now_ns() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("a clock that is set")
}

/// Bytes of memory of this process.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
}
