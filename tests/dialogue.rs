//! One server over real TCP: what a client says, and byte for byte what it gets.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use herdctl::limits;

use crate::support::{Herd, wait_until};

/// What one client says on one connection, and what it gets. `<skew>` stands for any skew; the answer of a question
/// is told apart in tests of its own.
const DIALOGUES: &[(&str, &str, &str)] = &[
    (
        "a location",
        "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n",
        "AT Clark <skew> kiwi +34.068930-118.445127 1621464827.959498503\n",
    ),
    ("any white space", "\t IAMAT\x0bkiwi \x0c+1-1\r 5 \r\n", "AT Clark <skew> kiwi +1-1 5\n"),
    (
        "an older location is answered too",
        "IAMAT kiwi +1-1 5\nIAMAT kiwi +2-2 4\n",
        "AT Clark <skew> kiwi +1-1 5\nAT Clark <skew> kiwi +2-2 4\n",
    ),
    ("a client nobody has reported", "WHATSAT nobody 10 5\n", "? WHATSAT nobody 10 5\n"),
    ("an empty line", "\n", "? \n"),
    ("a line as it came, less its line ending", "  hello\tworld \r\n", "?   hello\tworld \r\n"),
    ("too few fields", "IAMAT kiwi +1-1\n", "? IAMAT kiwi +1-1\n"),
    ("too many fields", "IAMAT kiwi +1-1 5 6\n", "? IAMAT kiwi +1-1 5 6\n"),
    ("beyond the pole", "IAMAT kiwi +90.1-1 5\n", "? IAMAT kiwi +90.1-1 5\n"),
    ("too far", "IAMAT kiwi +1-1 5\nWHATSAT kiwi 50.1 5\n", "AT Clark <skew> kiwi +1-1 5\n? WHATSAT kiwi 50.1 5\n"),
    ("too many", "IAMAT kiwi +1-1 5\nWHATSAT kiwi 50 21\n", "AT Clark <skew> kiwi +1-1 5\n? WHATSAT kiwi 50 21\n"),
    ("case matters", "iamat kiwi +1-1 5\n", "? iamat kiwi +1-1 5\n"),
    (
        "a forged report",
        "AT Clark +0.000000000 kiwi +1-1 5\nWHATSAT kiwi 1 1\n",
        "? AT Clark +0.000000000 kiwi +1-1 5\n? WHATSAT kiwi 1 1\n",
    ),
    ("what neighbours say", "TOLD 1 0\nHEARD 0\nPROOF 00\nPEER x\n", "? TOLD 1 0\n? HEARD 0\n? PROOF 00\n? PEER x\n"),
    ("a last line without its LF", "IAMAT kiwi +1-1 5", "AT Clark <skew> kiwi +1-1 5\n"),
    ("nothing", "", ""),
    (
        "pipelined",
        "IAMAT a +1-1 5\nx\nIAMAT b +1-1 5\ny\n",
        "AT Clark <skew> a +1-1 5\n? x\nAT Clark <skew> b +1-1 5\n? y\n",
    ),
];

#[test]
fn what_a_client_says_and_gets() {
    for (what, said, expected) in DIALOGUES {
        let herd = Herd::one(|_| {});
        let mut client = herd.client("Clark");
        client.say(said);
        client.half_close();
        assert_eq!(without_skews(&client.hear_out()), *expected, "{what}");
    }
}

#[test]
fn a_line_may_come_in_any_pieces() {
    let herd = Herd::one(|_| {});
    let said = b"IAMAT kiwi +34.068930-118.445127 5\nnonsense\n";
    for cut in 0..said.len() {
        let mut client = herd.client("Clark");
        client.say(&said[..cut]);
        // The first piece has arrived when its lines are answered, or at the latest with the second.
        client.say(&said[cut..]);
        client.half_close();
        assert_eq!(
            without_skews(&client.hear_out()),
            "AT Clark <skew> kiwi +34.068930-118.445127 5\n? nonsense\n",
            "cut at {cut}"
        );
    }
    let mut client = herd.client("Clark");
    for byte in said {
        client.say([*byte]);
    }
    client.half_close();
    assert_eq!(without_skews(&client.hear_out()), "AT Clark <skew> kiwi +34.068930-118.445127 5\n? nonsense\n");
}

#[test]
fn a_skew_is_the_servers_clock_less_the_clients_time() {
    let herd = Herd::one(|_| {});
    let now = || jiff::Timestamp::now().as_nanosecond();
    let mut client = herd.client("Clark");
    let before = now();
    let answer = client.ask("IAMAT kiwi +1-1 1600000000.5");
    let after = now();
    let skew = answer.split(' ').nth(2).unwrap();
    let digits = skew.strip_prefix('+').unwrap();
    assert_eq!(digits.split('.').nth(1).unwrap().len(), 9);
    let nanos: i128 = digits.replace('.', "").parse().unwrap();
    let at = nanos + 1_600_000_000_500_000_000;
    assert!((before..=after).contains(&at), "{before} <= {at} <= {after}");
}

#[test]
fn names_are_bytes() {
    let herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    client.say(b"IAMAT \xff\xfe\x00\x1b[31m +1-1 5\n\xf0\x9f\n");
    client.half_close();
    let answer = client.hear_out();
    let (first, second) = answer.split_at(answer.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    assert!(first.ends_with(b" \xff\xfe\x00\x1b[31m +1-1 5\n"));
    assert_eq!(second, b"? \xf0\x9f\n");
    wait_until("the log to have it, escaped", || herd.log("Clark").contains(r"IAMAT \xff\xfe\x00\x1b[31m +1-1 5"));
    assert!(herd.log("Clark").bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
}

#[test]
fn a_question_is_answered_with_the_newest_line_places_and_an_empty_line() {
    let herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +0.000000-150.000000 4");
    let at = client.ask("IAMAT kiwi +34.068930-118.445127 5");
    client.say("WHATSAT kiwi 10 5\nWHATSAT kiwi 10 0\nWHATSAT kiwi 0.001 20\nx\n");
    let (line, places) = client.hear_places();
    assert_eq!(line, at);
    assert_eq!((places["status"].as_str(), places["results"].as_array().unwrap().len()), (Some("OK"), 5));
    let (line, places) = client.hear_places();
    assert_eq!((line, places["results"].as_array().unwrap().len()), (at.clone(), 0));
    let (_, places) = client.hear_places();
    assert_eq!(places["status"], "ZERO_RESULTS");
    assert_eq!(client.hear(), "? x\n", "the answers come in the order of the commands");
    wait_until("the log to have each answer in two records", || {
        let log = herd.log("Clark");
        let said: Vec<&str> = log.lines().filter(|line| line.contains(" OUT ")).collect();
        ["| (5 places, ", "| (0 places, ", "| (ZERO_RESULTS, "].iter().all(|places| log.contains(places))
            && said.len() == 9
    });
}

#[test]
fn more_questions_than_are_answered_at_once_are_answered_in_order() {
    let herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +34.068930-118.445127 5");
    let bounds: Vec<usize> = (0..3 * limits::QUESTIONS_AT_ONCE + 1).map(|number| number % 21).collect();
    let questions: String = bounds.iter().map(|bound| format!("WHATSAT kiwi 50 {bound}\n")).collect();
    client.say(format!("{questions}x\n"));
    for bound in bounds {
        assert_eq!(client.hear_places().1["results"].as_array().unwrap().len(), bound);
    }
    assert_eq!(client.hear(), "? x\n");
}

/// Counted in answers that the greedy one is given meanwhile, and not in time, of which a busy machine has less.
#[test]
fn who_pipelines_questions_without_end_gets_a_few_answers_before_it_is_anothers_turn() {
    let herd = Herd::one(|_| {});
    let mut other = herd.client("Clark");
    other.ask("IAMAT kiwi +34.068930-118.445127 5");
    let greedy = herd.client("Clark");
    let (mut asking, mut reading) = (greedy.stream.try_clone().unwrap(), greedy.stream.try_clone().unwrap());
    // Both go on until the connection is shut down.
    let asker = thread::spawn(move || while asking.write_all(&b"WHATSAT kiwi 50 0\n".repeat(1000)).is_ok() {});
    let reader = thread::spawn(move || io::copy(&mut reading, &mut io::sink()));
    let answered = || herd.vitals("Clark").counts.answers_places.load(Relaxed);
    let mut between: Vec<u64> = (0..101)
        .map(|time| {
            let before = answered();
            // It goes on: there is somebody to wait for.
            wait_until("the greedy one to be answered", || answered() > before);
            let before = answered();
            assert!(other.ask(&format!("IAMAT mango +1-1 {time}")).starts_with("AT Clark"));
            answered() - before
        })
        .collect();
    greedy.stream.shutdown(Shutdown::Both).unwrap();
    asker.join().unwrap();
    let _ = reader.join().unwrap();
    between.sort_unstable();
    let most = 25 * limits::QUESTIONS_AT_ONCE as u64;
    assert!(between[50] <= most, "the other waited while the greedy one was given so many answers: {between:?}");
}

#[test]
fn thousands_of_pipelined_commands_are_answered_in_order() {
    const MANY: usize = 20_000;
    let herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    let mut writer = client.stream.try_clone().unwrap();
    let talker = std::thread::spawn(move || {
        let all: String = (0..MANY).map(|n| format!("IAMAT c{} +1-1 {n}\n", n % 100)).collect();
        std::io::Write::write_all(&mut writer, all.as_bytes()).unwrap();
    });
    for n in 0..MANY {
        let answer = client.hear();
        assert!(answer.ends_with(&format!(" c{} +1-1 {n}\n", n % 100)), "{n}: {answer}");
    }
    talker.join().unwrap();
}

#[test]
fn a_line_that_is_too_long_is_answered_with_its_beginning_and_the_end() {
    let herd = Herd::one(|config| config.limits.line_bytes_max = 100);
    for ending in ["", "\nIAMAT kiwi +1-1 5\n"] {
        let mut client = herd.client("Clark");
        client.say(format!("ok\n{}{ending}", "x".repeat(500_000)));
        assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? ok\n? {}\n", "x".repeat(100)));
    }
    let mut client = herd.client("Clark");
    assert_eq!(client.ask(&"y".repeat(100)), format!("? {}\n", "y".repeat(100)), "as long as a line may be");
}

#[test]
fn a_browser_is_sent_away_and_its_body_is_never_heard() {
    let herd = Herd::one(|_| {});
    for request in ["POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET /x HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"] {
        let mut client = herd.client("Clark");
        client.say(format!("{request}IAMAT evil +1-1 5\n"));
        let first = request.lines().next().unwrap();
        assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? {first}\r\n"));
    }
    assert_eq!(herd.client("Clark").ask("WHATSAT evil 10 5"), "? WHATSAT evil 10 5\n");
}

#[test]
fn a_full_atlas_refuses_new_clients_and_says_so() {
    let herd = Herd::one(|config| config.limits.clients_max = 2);
    let mut client = herd.client("Clark");
    assert!(client.ask("IAMAT a +1-1 5").starts_with("AT "));
    assert!(client.ask("IAMAT b +1-1 5").starts_with("AT "));
    assert_eq!(client.ask("IAMAT c +1-1 5"), "? IAMAT c +1-1 5\n");
    assert!(client.ask("IAMAT a +1-1 6").starts_with("AT "));
    wait_until("the log to say so", || herd.log("Clark").contains("1 new clients refused"));
}

#[test]
fn everything_is_in_the_log_in_order() {
    let herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    let address = client.stream.local_addr().unwrap();
    let answer = client.ask("IAMAT kiwi +1-1 5");
    drop(client);
    wait_until("the client to be gone in the log", || herd.log("Clark").contains("closed by the client"));
    let log = herd.log("Clark");
    let said: Vec<&str> = log.lines().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
    let expected = [
        format!("INFO  listening on {}", herd.address("Clark")),
        format!("INFO  client {address} connected, 1 now"),
        format!("IN    client {address} | IAMAT kiwi +1-1 5"),
        format!("OUT   client {address} | {}", answer.trim_end()),
        format!("INFO  client {address} gone, 0 now: closed by the client"),
    ];
    assert_eq!(said[1..], expected);
    let numbers: Vec<u64> = log.lines().map(|line| line.split(' ').nth(1).unwrap()[1..].parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

/// The text with every skew made `<skew>`, each of which must be a sign, digits, a point and nine digits.
fn without_skews(answer: &[u8]) -> String {
    let text = std::str::from_utf8(answer).unwrap();
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["AT", server, skew, client, location, time] => {
            let (whole, decimals) = skew[1..].split_once('.').unwrap();
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            assert!(skew.starts_with(['+', '-']) && digits(whole) && digits(decimals) && decimals.len() == 9, "{skew}");
            format!("AT {server} <skew> {client} {location} {time}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}
