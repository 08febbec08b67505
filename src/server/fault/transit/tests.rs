//! What an inlet does to what comes, without a socket.

use super::*;
use crate::server::clock;
use proptest::prelude::*;

const LINES: &[u8] = b"HEARD 3\nAT a 1\nAT b 2\nAT c 3\nAT d 4\nTOLD 9 4\n";

fn transit(fault: Fault) -> Transit {
    Transit::new(fault, false, clock::instant())
}

/// What arrives at once of `bytes`, come in pieces of `piece` bytes.
fn arrives(transit: &mut Transit, bytes: &[u8], piece: usize) -> String {
    let now = clock::instant();
    let mut inbox = Vec::new();
    for came in bytes.chunks(piece) {
        transit.came = came.to_vec();
        transit.arrived(Ok(came.len()), now);
    }
    while transit.release(now, &mut inbox).is_some() {}
    String::from_utf8(inbox).unwrap()
}

fn chance(percent: f64, seed: u64) -> Chance {
    Chance { percent, seed }
}

#[test]
fn all_or_no_reports_are_lost_and_never_anything_else() {
    let all = Fault { loss: chance(100.0, 1), ..Fault::default() };
    assert_eq!(arrives(&mut transit(all), LINES, 5), "HEARD 3\nTOLD 9 4\n");
    let none = Fault { dup: chance(1e-9, 1), ..Fault::default() };
    assert_eq!(arrives(&mut transit(none), LINES, 5).as_bytes(), LINES);
}

#[test]
fn reports_come_twice_or_overtake_each_other_within_their_batch() {
    let dup = Fault { dup: chance(100.0, 1), ..Fault::default() };
    assert!(arrives(&mut transit(dup), LINES, 100).contains("AT a 1\nAT a 1\nAT b 2\nAT b 2\n"));
    let reorder = Fault { reorder: chance(100.0, 1), ..Fault::default() };
    let mixed_up = "HEARD 3\nAT b 2\nAT a 1\nAT d 4\nAT c 3\nTOLD 9 4\n";
    assert_eq!(arrives(&mut transit(reorder), LINES, 7), mixed_up);
    assert_eq!(arrives(&mut transit(reorder), b"AT a 1\nTOLD 1 1\n", 7), "AT a 1\nTOLD 1 1\n");
}

#[test]
fn the_same_seed_drops_the_same_reports() {
    let lines: String = (0..200).map(|n| format!("AT c{n}\n")).collect();
    let lossy = |seed| Fault { loss: chance(20.0, seed), ..Fault::default() };
    let left = |seed, piece| arrives(&mut transit(lossy(seed)), lines.as_bytes(), piece);
    assert_eq!(left(7313, 1), left(7313, 1000));
    assert_ne!(left(7313, 100), left(7314, 100));
    let kept = left(7313, 100).lines().count();
    assert!((140..180).contains(&kept), "{kept} of 200");
}

#[test]
fn a_line_that_had_begun_to_arrive_arrives_whole() {
    let mut transit = Transit::new(Fault { loss: chance(100.0, 1), ..Fault::default() }, true, clock::instant());
    assert_eq!(arrives(&mut transit, b"AT +1-1 5\nAT gone\nTOLD 1 1\n", 3), "AT +1-1 5\nTOLD 1 1\n");
}

#[test]
fn what_is_delayed_is_due_later_in_order_and_at_once_when_healed() {
    let delay = Delay { by: Duration::from_millis(250), jitter: Duration::from_millis(50), seed: 4 };
    let mut transit = transit(Fault { delay, ..Fault::default() });
    let start = clock::instant();
    for nth in 0..100_u64 {
        transit.came = b"TOLD 1 0\n".to_vec();
        transit.arrived(Ok(9), start + Duration::from_millis(nth));
    }
    transit.arrived(Ok(0), start + Duration::from_millis(100));
    let dues: Vec<Duration> = transit.parcels.iter().map(|parcel| parcel.due - start).collect();
    assert!(dues.is_sorted() && dues[0] >= Duration::from_millis(200) && dues[99] <= Duration::from_millis(400));
    let mut inbox = Vec::new();
    assert!(transit.release(start + Duration::from_millis(199), &mut inbox).is_none());
    assert!(transit.wakes_at().unwrap() >= start + Duration::from_millis(200));
    transit.change(Fault::default(), start);
    assert_eq!(transit.release(start, &mut inbox).unwrap().unwrap(), 900);
    assert_eq!(transit.release(start, &mut inbox).unwrap().unwrap(), 0, "the end of the stream, after the rest");
    assert!(transit.is_over());
}

#[test]
fn a_throttled_link_trickles_at_its_rate() {
    let mut transit = transit(Fault { throttle: 1000, ..Fault::default() });
    let start = clock::instant();
    transit.came = vec![b'x'; 10_000];
    transit.arrived(Ok(10_000), start);
    let (mut now, mut inbox) = (start, Vec::new());
    while inbox.len() < 5000 {
        let before = inbox.len();
        let _ = transit.release(now, &mut inbox);
        assert!(inbox.len() - before <= 100, "a tenth of a second's worth at a time");
        now = transit.wakes_at().unwrap().max(now);
    }
    let took = (now - start).as_secs_f64();
    assert!((4.5..5.5).contains(&took), "{took} s");
}

proptest! {
    /// With nothing but duplicates, delays and overtaking, all that was said arrives, however it is cut up.
    #[test]
    fn nothing_is_lost_but_by_loss(
        piece in 1_usize..50, dup in 0.0..100.0_f64, reorder in 0.0..100.0_f64, seed in any::<u64>(),
    ) {
        let fault = Fault { dup: chance(dup, seed), reorder: chance(reorder, seed), ..Fault::default() };
        let mut transit = transit(fault);
        let mut arrived = arrives(&mut transit, LINES, piece);
        transit.change(Fault::default(), clock::instant());
        arrived += &arrives(&mut transit, b"", 1);
        let mut said: Vec<&[u8]> = LINES.split_inclusive(|&byte| byte == b'\n').collect();
        let mut heard: Vec<&[u8]> = arrived.as_bytes().split_inclusive(|&byte| byte == b'\n').collect();
        prop_assert_eq!(heard.last(), said.last());
        said.sort_unstable();
        heard.sort_unstable();
        heard.dedup();
        prop_assert_eq!(said, heard);
    }
}
