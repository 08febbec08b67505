//! What stays in an atlas, in which order it is told, and that it takes no more room than it was made for.

use super::*;
use proptest::prelude::*;

fn learn(atlas: &mut Atlas, line: &str) -> bool {
    atlas.learn(Report::parse(line.as_bytes()).unwrap(), Source::CLIENT)
}

fn told(atlas: &Atlas, after: Edition) -> Vec<(Edition, String)> {
    atlas.after(after).map(|entry| (entry.edition, String::from_utf8_lossy(entry.line).into_owned())).collect()
}

#[test]
fn the_newest_stays_and_ties_are_broken_by_the_bytes() {
    let mut atlas = Atlas::new();
    assert!(learn(&mut atlas, "AT B +0.000000000 kiwi +1-1 5"));
    assert!(!learn(&mut atlas, "AT B +0.000000000 kiwi +1-1 5"), "the same again");
    assert!(!learn(&mut atlas, "AT Z +0.000000000 kiwi +1-1 4.999999999"), "older");
    assert!(!learn(&mut atlas, "AT A +0.000000000 kiwi +1-1 5.0"), "as old, lesser bytes");
    assert!(learn(&mut atlas, "AT C +0.000000000 kiwi +1-1 5.0"), "as old, greater bytes");
    assert!(learn(&mut atlas, "AT A +0.000000000 kiwi +1-1 10"));
    assert_eq!((atlas.edition(), atlas.len()), (3, 1));
    assert_eq!(told(&atlas, 0), [(3, "AT A +0.000000000 kiwi +1-1 10".into())]);
}

#[test]
fn what_follows_an_edition_is_each_client_once_in_order() {
    let mut atlas = Atlas::new();
    for line in ["a +1-1 1", "b +1-1 1", "a +1-1 2", "c +1-1 1"] {
        learn(&mut atlas, &format!("AT S +0.000000000 {line}"));
    }
    let editions = |after| told(&atlas, after).into_iter().map(|(edition, _)| edition).collect::<Vec<_>>();
    assert_eq!(editions(0), [2, 3, 4]);
    assert_eq!(editions(2), [3, 4]);
    assert_eq!(editions(4), [] as [Edition; 0]);
    assert_eq!(editions(u64::MAX), [] as [Edition; 0]);
}

#[test]
fn who_says_what_is_known_is_remembered_until_something_newer_is() {
    let [one, other, third] = [1, 2, 3].map(Source::link);
    let mut atlas = Atlas::new();
    let mut say = |time: u8, source| {
        atlas.learn(Report::parse(format!("AT S +0.000000000 kiwi +1-1 {time}").as_bytes()).unwrap(), source);
        let entry = atlas.after(0).next().unwrap();
        [one, other, third].map(|source| entry.was_said_by(source))
    };
    assert_eq!(say(1, Source::CLIENT), [false, false, false]);
    assert_eq!(say(1, one), [true, false, false]);
    assert_eq!(say(2, other), [false, true, false], "newer");
    assert_eq!(say(1, third), [false, true, false], "older");
    assert_eq!(say(2, third), [false, true, true]);
    assert_eq!(say(2, one), [true, true, false], "the first and the last");
    assert_eq!(say(2, other), [false, true, false]);
}

#[test]
fn a_slot_is_as_small_as_it_was_made() {
    assert_eq!((size_of::<Slot>(), size_of::<Change>()), (112, 12));
}

#[test]
fn lines_of_every_length_are_kept_as_they_came() {
    let mut atlas = Atlas::new();
    for round in 0..3 {
        for length in 1..200 {
            // Longer and shorter than the line before it.
            let (client, zeros) = (format!("{length}{}", "x".repeat(length)), "0".repeat(1 + (7 * round + length) % 9));
            let line = format!("AT S +0.000000000 {client} +1.{zeros}-1 {round}.5");
            assert!(learn(&mut atlas, &line));
            let (report, _) = atlas.newest(client.as_bytes()).unwrap();
            assert_eq!(report, Report::parse(line.as_bytes()).unwrap());
        }
    }
    assert_eq!(atlas.len(), 199);
}

#[test]
fn a_line_as_long_as_the_last_one_may_have_its_parts_elsewhere() {
    for name in ["kiwi".to_owned(), "k".repeat(100)] {
        let mut atlas = Atlas::new();
        for line in ["+1.00-1 2.5", "+1.0-1 3.55", "+1-1 4.5555"] {
            let line = format!("AT S +0.000000000 {name} {line}");
            assert!(learn(&mut atlas, &line));
            let (report, _) = atlas.newest(name.as_bytes()).unwrap();
            assert_eq!(report, Report::parse(line.as_bytes()).unwrap());
            assert!(report.place().is_some());
        }
    }
}

#[test]
fn what_is_forgotten_leaves_no_trace_and_its_place_to_the_next() {
    let lines = ["AT S +0.000000000 a +1-1 1", "AT S +0.000000000 b +1-1 99", "AT S +0.000000000 c +1-1 1"];
    let (mut atlas, mut never) = (Atlas::new(), Atlas::new());
    lines.iter().for_each(|line| assert!(learn(&mut atlas, line)));
    [lines[0], lines[2]].iter().for_each(|line| assert!(learn(&mut never, line)));
    assert!(atlas.forget(b"b") && !atlas.forget(b"b") && !atlas.forget(b"nobody"));
    assert_eq!((atlas.digest(), atlas.len()), (never.digest(), 2));
    assert_eq!(told(&atlas, 0).len(), 2);
    assert!(atlas.newest(b"b").is_none());
    // An older time is news again, and so is another client in the same slot.
    for line in ["AT S +0.000000000 d +1-1 1", "AT S +0.000000000 b +1-1 2"] {
        assert!(learn(&mut atlas, line) && learn(&mut never, line));
    }
    assert_eq!((atlas.digest(), atlas.len()), (never.digest(), 4));
    assert_eq!(told(&atlas, 3).len(), 2);
}

proptest! {
    #[test]
    fn any_order_and_multiplicity_give_the_same_atlas(
        reports in proptest::collection::vec((0_u8..6, 0_u8..4, 0_u8..3), 1..60),
        shuffled in any::<proptest::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let lines: Vec<String> = reports
            .iter()
            .map(|(client, time, server)| format!("AT S{server} +0.000000000 c{client} +1-1 {time}"))
            .collect();
        let mut one = Atlas::new();
        lines.iter().for_each(|line| { learn(&mut one, line); });
        let mut other = Atlas::new();
        // Some said twice, all in another order.
        let mut again: Vec<&String> = lines.iter().chain(lines.iter().take(shuffled.index(lines.len()))).collect();
        again.sort_by_key(|line| xxh3_64(line.as_bytes()).wrapping_mul(seed | 1));
        again.into_iter().for_each(|line| { learn(&mut other, line); });
        prop_assert_eq!(one.digest(), other.digest());
        let sorted = |atlas: &Atlas| { let mut all: Vec<String> = told(atlas, 0).into_iter().map(|(_, line)| line).collect(); all.sort(); all };
        prop_assert_eq!(sorted(&one), sorted(&other));
    }

    #[test]
    fn compaction_never_skips_what_a_follower_is_owed(moves in proptest::collection::vec(0_u16..40, 3000), at in 0_u64..3000) {
        let mut atlas = Atlas::new();
        for (time, client) in moves.iter().enumerate() {
            learn(&mut atlas, &format!("AT S +0.000000000 c{client} +1-1 {time}"));
        }
        let mut newest = std::collections::BTreeMap::new();
        moves.iter().enumerate().for_each(|(time, client)| { newest.insert(client, time as u64 + 1); });
        let mut owed: Vec<Edition> = newest.into_values().filter(|&edition| edition > at).collect();
        owed.sort_unstable();
        prop_assert_eq!(told(&atlas, at).into_iter().map(|(edition, _)| edition).collect::<Vec<_>>(), owed);
        prop_assert!(atlas.order.len() <= 2048);
    }
}
