//! Links that are cut, late, lossy, slow or mixed up, over real sockets: what is wrong is applied, shown, expires, heals
//! without trace, and the herd comes to know the same all the same.

mod commands;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use herdctl::limits;
use herdctl::server::fault::{Chance, Cut, Delay, Fault};
use herdctl::server::question::Question;
use herdctl::server::{Signal, vitals::Phase};

use crate::support::{Client, Herd, wait_until};

fn cut(how: Cut) -> Fault {
    Fault { cut: Some(how), ..Fault::default() }
}

fn late(ms: u64) -> Fault {
    Fault { delay: Delay { by: Duration::from_millis(ms), ..Delay::default() }, ..Fault::default() }
}

fn chance(percent: f64, seed: u64) -> Chance {
    Chance { percent, seed }
}

fn links_live(herd: &Herd, name: &str) -> usize {
    herd.vitals(name).links_live()
}

/// The log is written a moment after what it tells.
#[track_caller]
fn wait_log(herd: &Herd, name: &str, text: &str) {
    wait_until(&format!("{name}'s log to say {text:?}"), || herd.log(name).contains(text));
}

/// Tells a server so many locations, in bursts, and hears every answer.
pub fn tell_many(client: &mut Client, prefix: &str, clients: usize, time: usize) {
    let lines: String = (0..clients).map(|n| format!("IAMAT {prefix}{n} +1-1 {time}\n")).collect();
    client.say(lines);
    for _ in 0..clients {
        assert!(client.hear().starts_with("AT "));
    }
}

#[test]
fn a_closed_cut_is_seen_at_once_and_heals_without_a_trace() {
    let herd = Herd::two(|_| {});
    let start = Instant::now();
    herd.fault_both("Bona", "Clark", cut(Cut::Closed));
    wait_until("both to see it", || links_live(&herd, "Bona") + links_live(&herd, "Clark") == 0);
    assert!(start.elapsed() < limits::LINK_SILENCE_MAX, "by the cut, not by silence");
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"), "nobody to wait for");
    wait_until("the dialer to say why", || herd.log("Bona").contains("no link to Clark: the link is cut (a fault)"));
    assert_eq!(herd.vitals("Bona").knows.load(Relaxed), 0);

    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_linked();
    herd.wait_converged(1);
    for line in ["from Bona: cut", "link Bona down: the link is cut (a fault)", "from Bona: none", "link Bona up"] {
        wait_log(&herd, "Clark", line);
    }
}

#[test]
fn a_silent_cut_is_noticed_by_heartbeats_at_both_ends() {
    let herd = Herd::two(|_| {});
    let start = Instant::now();
    herd.fault_both("Bona", "Clark", cut(Cut::Silent));
    wait_until("both to notice", || links_live(&herd, "Bona") + links_live(&herd, "Clark") == 0);
    let took = start.elapsed();
    assert!(took > limits::LINK_SILENCE_MAX - limits::HEARTBEAT_EVERY - Duration::from_millis(100), "{took:?}");
    assert!(took < limits::LINK_SILENCE_MAX + Duration::from_secs(1), "{took:?}");
    wait_until("a log to say so", || {
        ["Bona", "Clark"].iter().any(|name| herd.log(name).contains("down: heard nothing for 2.9 s"))
    });
    herd.client("Clark").ask("IAMAT kiwi +1-1 5");
    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_silent_cut_that_is_short_loses_nothing_and_ends_no_link() {
    let herd = Herd::two(|_| {});
    herd.fault_both("Bona", "Clark", cut(Cut::Silent));
    wait_until("the servers to know of it", || {
        ["Bona", "Clark"].iter().all(|name| herd.log(name).contains(": cut, silent"))
    });
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 1, "nobody could say that it heard");
    assert_eq!(herd.vitals("Bona").knows.load(Relaxed), 0);
    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_converged(1);
    assert!(["Bona", "Clark"].iter().all(|name| !herd.log(name).contains(" down: ")), "the same connection");
}

#[test]
fn a_cut_can_be_one_way() {
    let herd = Herd::two(|_| {});
    herd.fault("Bona", "Clark", cut(Cut::Silent));
    wait_until("the deaf end to notice", || links_live(&herd, "Clark") == 0);
    wait_log(&herd, "Clark", "link Bona down: heard nothing for 2.9 s");
    herd.client("Bona").ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.vitals("Clark").knows.load(Relaxed), 0);
    herd.fault("Bona", "Clark", Fault::default());
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_silent_cut_keeps_the_hello_out_and_the_link_comes_up_when_it_heals() {
    for deaf in ["Bona", "Clark"] {
        let mut herd = Herd::two(|_| {});
        herd.kill("Bona");
        wait_until("the link to be down", || links_live(&herd, "Clark") == 0);
        let other = if deaf == "Bona" { "Clark" } else { "Bona" };
        herd.fault(other, deaf, cut(Cut::Silent));
        herd.start("Bona");
        wait_until("Bona to dial", || herd.log("Clark").contains("PEER 1 test Bona Clark "));
        assert_eq!(links_live(&herd, "Clark") + links_live(&herd, "Bona"), 0, "{deaf} hears nothing");
        herd.fault(other, deaf, Fault::default());
        herd.wait_linked();
    }
}

#[test]
fn what_is_delayed_arrives_so_much_later_and_one_way_only() {
    let herd = Herd::two(|_| {});
    herd.fault("Bona", "Clark", late(150));
    wait_log(&herd, "Clark", "fault on what comes from Bona: delay 150ms");
    let arrives = |from: &str, to: &str, client: &str, known: u64| {
        let mut said = herd.client(from);
        let start = Instant::now();
        said.say(format!("IAMAT {client} +1-1 5\n"));
        wait_until("it to arrive", || herd.vitals(to).knows.load(Relaxed) == known);
        start.elapsed()
    };
    let slow = arrives("Bona", "Clark", "kiwi", 1);
    assert!(slow >= Duration::from_millis(150), "{slow:?}");
    let start = Instant::now();
    herd.fault("Bona", "Clark", Fault::default());
    let fast = arrives("Clark", "Bona", "mango", 2);
    assert!(fast < Duration::from_millis(150), "{fast:?} after {:?}", start.elapsed());
    assert!(!herd.log("Clark").contains(" down: "));
}

#[test]
fn a_hello_is_late_too() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    herd.fault_both("Bona", "Clark", late(100));
    let start = Instant::now();
    herd.start("Bona");
    herd.wait_linked();
    assert!(start.elapsed() >= Duration::from_millis(300), "hello, answer and proof: {:?}", start.elapsed());
}

#[test]
fn a_herd_converges_whatever_reports_its_links_lose_repeat_or_mix_up() {
    let herd = Herd::five();
    let wrong = |seed| Fault {
        loss: chance(20.0, seed),
        dup: chance(20.0, seed),
        reorder: chance(50.0, seed),
        delay: Delay { by: Duration::from_millis(2), jitter: Duration::from_millis(2), seed },
        ..Fault::default()
    };
    for (seed, link) in (7313..).zip(herd.config.links.clone()) {
        let [one, other] = [link.dialer, link.listener].map(|server| herd.config.servers[server].name.clone());
        herd.fault_both(&one, &other, wrong(seed));
    }
    for (nth, name) in herd.names().iter().enumerate() {
        tell_many(&mut herd.client(name), "shared", 200, nth + 1);
        tell_many(&mut herd.client(name), name, 200, 1);
    }
    herd.wait_converged(1200);
    let lost = herd.names().iter().any(|name| herd.log(name).contains("something was lost, telling it again"));
    assert!(lost, "a test without losses proves nothing");
}

#[test]
fn a_link_that_loses_every_report_keeps_nobody_busy_and_recovers() {
    let herd = Herd::two(|_| {});
    herd.fault("Clark", "Bona", Fault { loss: chance(100.0, 1), ..Fault::default() });
    wait_log(&herd, "Bona", "loss 100%");
    let mut client = herd.client("Clark");
    tell_many(&mut client, "c", 300, 1);
    // Each time that all is lost, the link begins again with a mark.
    let marks = || herd.log("Clark").matches(" OUT   Bona | TOLD 0 0").count();
    // The batch is halved each time; then the link rests longer and longer.
    wait_until("the link to rest as long as it ever does", || marks() > 30);
    let before = marks();
    let start = Instant::now();
    wait_until("a second", || start.elapsed() > Duration::from_secs(1));
    let busy = marks() - before;
    assert!((1..=6).contains(&busy), "told again {busy} times in a second");
    assert_eq!(herd.vitals("Bona").knows.load(Relaxed), 0);
    herd.fault("Clark", "Bona", Fault::default());
    herd.wait_converged(300);
}

/// Which of the reports told one by one arrived at the first try, as the two logs have it.
fn drops(seed: u64) -> Vec<bool> {
    let herd = Herd::two(|_| {});
    herd.fault("Clark", "Bona", Fault { loss: chance(40.0, seed), ..Fault::default() });
    wait_log(&herd, "Bona", "loss 40%");
    let mut client = herd.client("Clark");
    for n in 1..=12 {
        client.ask(&format!("IAMAT c{n} +1-1 5"));
        herd.wait_converged(n);
    }
    wait_until("the logs to have it all", || {
        ["Bona", "Clark"].iter().all(|name| herd.log(name).contains(" HEARD 12\n"))
    });
    let told = herd.log("Clark");
    let told = told.lines().filter(|line| line.contains(" OUT   Bona | AT "));
    let arrived = herd.log("Bona");
    let mut arrived = arrived.lines().filter(|line| line.contains(" IN    Clark | AT ")).peekable();
    let report = |line: &str| line.split_once(" | ").unwrap().1.to_owned();
    let mut pattern = Vec::new();
    let told: Vec<String> = told.map(report).collect();
    for (nth, line) in told.iter().enumerate() {
        let again = told[nth + 1..].contains(line);
        pattern.push(!again);
        if !again {
            assert_eq!(arrived.next().map(report).as_deref(), Some(line.as_str()));
        }
    }
    pattern
}

#[test]
fn the_same_seed_drops_the_same_reports() {
    let (one, again, other) = (drops(7313), drops(7313), drops(99));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!(one.contains(&false), "nothing was lost: {one:?}");
}

#[test]
fn a_throttled_link_is_slow_but_stays_up_and_slows_nobody_else() {
    let herd = Herd::two(|_| {});
    herd.fault("Clark", "Bona", Fault { throttle: 20_000, ..Fault::default() });
    wait_log(&herd, "Bona", "throttle 20000 bytes/s");
    let start = Instant::now();
    tell_many(&mut herd.client("Clark"), "c", 1000, 1);
    herd.wait_converged(1000);
    // A thousand reports of 30 bytes and more.
    assert!(start.elapsed() > Duration::from_millis(1200), "{:?}", start.elapsed());
    assert!(!herd.log("Bona").contains(" down: "));
}

#[test]
fn faults_outlive_a_kill() {
    let mut herd = Herd::two(|_| {});
    herd.fault_both("Bona", "Clark", cut(Cut::Closed));
    wait_log(&herd, "Clark", "from Bona: cut");
    herd.kill("Clark");
    herd.start("Clark");
    herd.wait_phase("Clark", Phase::Serving);
    wait_until("the new life to know", || herd.log("Clark").matches("fault on what comes from Bona: cut").count() == 2);
    assert_eq!(links_live(&herd, "Clark"), 0);
    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_linked();
}

#[test]
fn a_partition_makes_islands_that_know_different_things_and_one_herd_again() {
    let herd = Herd::five();
    let across = [("Clark", "Bona"), ("Campbell", "Jaquez")];
    for (one, other) in across {
        herd.fault_both(one, other, cut(Cut::Closed));
    }
    wait_until("the cuts to be seen", || links_live(&herd, "Jaquez") == 1 && links_live(&herd, "Clark") == 1);
    herd.client("Clark").ask("IAMAT left +1-1 5");
    herd.client("Bailey").ask("IAMAT right +1-1 5");
    herd.client("Bailey").ask("IAMAT right2 +1-1 5");
    let knows = |name: &str| herd.vitals(name).knows.load(Relaxed);
    wait_until("each island to agree", || {
        knows("Clark") == 1
            && knows("Jaquez") == 1
            && ["Bailey", "Bona", "Campbell"].iter().all(|name| knows(name) == 2)
    });
    for (one, other) in across {
        herd.fault_both(one, other, Fault::default());
    }
    herd.wait_linked();
    herd.wait_converged(3);
}

#[test]
fn a_power_cut_resets_connections_and_a_kill_ends_them() {
    for (signal, resets) in [(Signal::Kill, false), (Signal::PowerCut, true)] {
        let mut herd = Herd::two(|_| {});
        let mut client = herd.client("Clark");
        client.ask("IAMAT kiwi +1-1 5");
        herd.end("Clark", signal).unwrap().unwrap();
        let mut byte = [0];
        let ended = std::io::Read::read(&mut client.stream, &mut byte);
        let was_reset = ended.is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionReset);
        assert_eq!(was_reset, resets, "{signal:?}");
        wait_until("the neighbour to see it", || links_live(&herd, "Bona") == 0);
        herd.start("Clark");
        herd.wait_linked();
        herd.wait_converged(1);
    }
}

#[test]
fn a_paused_server_can_lose_its_power() {
    let mut herd = Herd::one(|_| {});
    herd.signal("Clark", Signal::Stop);
    herd.wait_phase("Clark", Phase::Paused);
    herd.end("Clark", Signal::PowerCut).unwrap().unwrap();
}

#[test]
fn servers_say_what_they_know_and_forget_what_they_are_told_to() {
    let herd = Herd::two(|_| {});
    herd.client("Clark").ask("IAMAT future +1-1 9999999999");
    herd.client("Bona").ask("IAMAT kiwi +34.068930-118.445127 5");
    herd.wait_converged(2);
    let whereis = |name: &str, client: &str| {
        let clients = [client.as_bytes().to_vec()].into();
        herd.ask(name, |to| Question::Whereis { clients, to }).pop().unwrap()
    };
    let known = whereis("Clark", "kiwi").unwrap();
    assert_eq!((known.location().as_str(), known.time().as_str()), ("+34.068930-118.445127", "5"));
    assert_eq!(known.said_to(), "Bona");
    assert_eq!(Some(known), whereis("Bona", "kiwi"));
    assert_eq!(whereis("Bona", "nobody"), None);
    let newest = herd.ask("Bona", |to| Question::Newest { most: 1, to });
    assert_eq!(newest, [b"kiwi".to_vec()]);

    for name in ["Bona", "Clark"] {
        assert!(herd.ask(name, |to| Question::Forget { client: b"future".to_vec(), to }).is_some());
        assert!(herd.ask(name, |to| Question::Forget { client: b"future".to_vec(), to }).is_none());
    }
    herd.wait_converged(1);
    // It is gone for good, and a time of today is news again, at both.
    assert_eq!(herd.client("Clark").ask("WHATSAT future 1 0"), "? WHATSAT future 1 0\n");
    herd.client("Bona").ask("IAMAT future +2-2 7");
    herd.wait_converged(2);
    assert_eq!(whereis("Clark", "future").unwrap().time(), "7");
}

#[test]
fn a_time_far_in_the_future_is_refused_and_logged_if_the_herd_says_so() {
    let herd = Herd::one(|config| config.limits.future_seconds_max = 60);
    let mut client = herd.client("Clark");
    assert_eq!(client.ask("IAMAT kiwi +1-1 9999999999"), "? IAMAT kiwi +1-1 9999999999\n");
    assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"));
    wait_until("the log to say so", || {
        herd.log("Clark").contains("1 locations refused, further in the future than future_seconds_max")
    });
}
