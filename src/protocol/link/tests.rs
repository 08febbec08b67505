//! What two ends of a link say to each other, and that nothing is skipped on the way.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

fn report(line: &str) -> String {
    format!("AT S +0.000000000 {line}")
}

fn learn(atlas: &mut Atlas, line: &str, source: Source) -> bool {
    atlas.learn(Report::parse(report(line).as_bytes()).unwrap(), source)
}

/// What `link` writes next, as lines.
fn tell(link: &mut Link, atlas: &Atlas, bytes_max: usize) -> Vec<String> {
    let mut out = Vec::new();
    link.tell(atlas, bytes_max, &mut out);
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn hear(link: &mut Link, atlas: &mut Atlas, lines: &[String]) -> Vec<Effect> {
    lines.iter().map(|line| link.hear(line.as_bytes(), atlas).unwrap()).collect()
}

fn said(link: &mut Link) -> String {
    let mut out = Vec::new();
    link.say_heard(&mut out);
    String::from_utf8(out).unwrap().trim_end().to_owned()
}

/// An atlas of `a`, `b` and `c`, a link that tells of it, and one that has heard nothing.
fn a_teller_and_a_hearer() -> (Atlas, Link, Atlas, Link) {
    let mut atlas = Atlas::new();
    ["a +1-1 1", "b +1-1 1", "c +1-1 1"].iter().for_each(|line| assert!(learn(&mut atlas, line, Source::CLIENT)));
    let (mut teller, mut hearer) = (Link::new(Source::link(1), 0), Link::new(Source::link(1), 0));
    assert_eq!(teller.hear(said(&mut hearer).as_bytes(), &mut atlas), Ok(Effect::Acknowledged));
    (atlas, teller, Atlas::new(), hearer)
}

#[test]
fn nothing_is_told_before_the_other_end_has_said_what_it_has() {
    let (atlas, _, _, _) = a_teller_and_a_hearer();
    let mut link = Link::new(Source::link(2), 0);
    assert!(!link.owes(&atlas));
    assert_eq!(link.tell(&atlas, 1000, &mut Vec::new()), None);
    assert_eq!(link.told(), None);
}

#[test]
fn a_batch_is_told_heard_and_acknowledged() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    assert!(teller.owes(&atlas));
    let batch = tell(&mut teller, &atlas, 1000);
    assert_eq!(batch, [report("a +1-1 1"), report("b +1-1 1"), report("c +1-1 1"), "TOLD 3 3".into()]);
    use Effect::{Acknowledged, Answer, Learned};
    assert_eq!(hear(&mut hearer, &mut theirs, &batch), [Learned, Learned, Learned, Answer]);
    assert_eq!(theirs.digest(), atlas.digest());
    assert_eq!(said(&mut hearer), "HEARD 3");
    assert_eq!(teller.hear(b"HEARD 3", &mut atlas), Ok(Acknowledged));
    assert_eq!((teller.acknowledged(), teller.owes(&atlas)), (3, false));
}

#[test]
fn only_what_its_own_clients_said_is_waited_for_at_the_other_end() {
    let named = || Link::new(Source::link(1), 0).named("S");
    let hear_all = |lines: [&str; 2]| hear(&mut named(), &mut Atlas::new(), &lines.map(str::to_owned)).pop().unwrap();
    assert_eq!(hear_all(["AT S +0.000000000 a +1-1 1", "TOLD 1 1"]), Effect::Answer);
    assert_eq!(hear_all(["AT Sue +0.000000000 a +1-1 1", "TOLD 1 1"]), Effect::AnswerLater);
    assert_eq!(hear_all(["AT Sue +0.000000000 a +1-1 1", "TOLD 2 2"]), Effect::Answer, "what was lost is asked for");
    let mut link = named();
    let batches = ["AT S +0.000000000 a +1-1 1", "TOLD 1 1", "AT Sue +0.000000000 b +1-1 1", "TOLD 2 1"];
    let effects = hear(&mut link, &mut Atlas::new(), &batches.map(str::to_owned));
    assert_eq!((effects[1], effects[3]), (Effect::Answer, Effect::AnswerLater), "a batch is not the one before it");
    assert_eq!(said(&mut link), "HEARD 2", "it has heard all the same");
}

#[test]
fn a_link_is_held_by_the_other_end_and_not_by_itself() {
    let (mut atlas, mut teller, _, _) = a_teller_and_a_hearer();
    for (line, is_held) in [("HOLD", true), ("HOLD", true), ("FLOW", false), ("FLOW", false)] {
        assert_eq!(teller.hear(line.as_bytes(), &mut atlas), Ok(Effect::Nothing));
        assert_eq!(teller.is_held(), is_held);
    }
    teller.hear(b"HOLD", &mut atlas).unwrap();
    assert!(teller.can_wait(0) && !teller.can_wait(1), "a client waits for what has not been told");
    tell(&mut teller, &atlas, 1);
    assert!(!teller.can_wait(1), "nor has it been told whole while a batch is cut");
    tell(&mut teller, &atlas, 1000);
    assert!(teller.can_wait(3));
    for odd in ["HOLD 1", "hold", "FLOWS"] {
        assert_eq!(teller.hear(odd.as_bytes(), &mut atlas), Err(Breach));
    }
    let mut plain = Link::new(Source::link(1), 0);
    hear(&mut plain, &mut atlas, &vec![report("a +1-1 1"); 1000]);
    assert!(!plain.owes_hold(), "where nothing was said of it, nobody is asked");
}

#[test]
fn with_nothing_owed_the_heartbeat_is_said_and_asks_for_no_answer() {
    let (atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let batch = tell(&mut teller, &atlas, 1000);
    hear(&mut hearer, &mut theirs, &batch);
    for _ in 0..2 {
        let heartbeat = tell(&mut teller, &atlas, 1000);
        assert_eq!(heartbeat, ["TOLD 3 0"]);
        assert_eq!(hear(&mut hearer, &mut theirs, &heartbeat), [Effect::Nothing]);
    }
}

#[test]
fn a_link_goes_on_where_the_one_before_stopped() {
    let (mut atlas, _, _, _) = a_teller_and_a_hearer();
    let mut teller = Link::new(Source::link(2), 0);
    assert_eq!(teller.hear(b"HEARD 2", &mut atlas), Ok(Effect::Acknowledged));
    assert_eq!(tell(&mut teller, &atlas, 1000), [report("c +1-1 1"), "TOLD 3 1".into()]);
}

#[test]
fn who_claims_more_than_there_is_has_heard_another_run() {
    let (mut atlas, _, _, _) = a_teller_and_a_hearer();
    let mut teller = Link::new(Source::link(2), 0);
    assert_eq!(teller.hear(b"HEARD 4", &mut atlas), Ok(Effect::Acknowledged));
    assert_eq!((teller.told(), teller.acknowledged()), (Some(0), 0));
    assert_eq!(tell(&mut teller, &atlas, 1000).last().unwrap(), "TOLD 3 3");
    assert_eq!(teller.hear(b"HEARD 3", &mut atlas), Ok(Effect::Acknowledged));
    assert_eq!(teller.hear(b"HEARD 18446744073709551615", &mut atlas), Ok(Effect::Nothing));
    assert_eq!((teller.told(), teller.acknowledged()), (Some(3), 3));
}

#[test]
fn a_report_is_not_told_back_to_who_said_it_and_is_told_to_every_other() {
    let mut atlas = Atlas::new();
    let [mut one, mut other, mut third] = [1, 2, 3].map(|n| Link::new(Source::link(n), 0));
    for link in [&mut one, &mut other, &mut third] {
        link.hear(b"HEARD 0", &mut atlas).unwrap();
    }
    assert_eq!(one.hear(report("a +1-1 1").as_bytes(), &mut atlas), Ok(Effect::Learned));
    assert_eq!(other.hear(report("a +1-1 1").as_bytes(), &mut atlas), Ok(Effect::Known));
    for link in [&mut one, &mut other] {
        assert_eq!(tell(link, &atlas, 1000), [] as [String; 0]);
        assert_eq!((link.told(), link.confirmed()), (Some(1), 1), "it has what it said");
        assert_eq!(tell(link, &atlas, 1000), ["TOLD 1 0"], "the heartbeat names it");
    }
    assert_eq!(tell(&mut third, &atlas, 1000), [report("a +1-1 1"), "TOLD 1 1".into()]);
}

#[test]
fn what_was_passed_over_in_silence_is_confirmed_with_what_was_told_before_it() {
    let (mut atlas, mut teller, ..) = a_teller_and_a_hearer();
    tell(&mut teller, &atlas, 1000);
    teller.hear(report("d +1-1 1").as_bytes(), &mut atlas).unwrap();
    assert_eq!(tell(&mut teller, &atlas, 1000), [] as [String; 0]);
    assert_eq!((teller.told(), teller.told_whole(), teller.confirmed()), (Some(4), 4, 0));
    teller.hear(b"HEARD 3", &mut atlas).unwrap();
    assert_eq!((teller.acknowledged(), teller.confirmed()), (3, 4));
}

#[test]
fn a_gap_is_told_again_from_before_what_was_passed_over_in_silence() {
    let (mut atlas, mut teller, ..) = a_teller_and_a_hearer();
    tell(&mut teller, &atlas, 1000);
    teller.hear(report("d +1-1 1").as_bytes(), &mut atlas).unwrap();
    tell(&mut teller, &atlas, 1000);
    assert_eq!(teller.hear(b"HEARD 0", &mut atlas), Ok(Effect::GoneBack));
    assert_eq!((teller.told(), teller.confirmed()), (Some(0), 0));
    assert_eq!(tell(&mut teller, &atlas, 1000).last().unwrap(), "TOLD 4 3");
}

#[test]
fn a_lagging_neighbour_is_told_once_of_a_client_that_moved_a_thousand_times() {
    let (mut atlas, mut teller, ..) = a_teller_and_a_hearer();
    (2..1002).for_each(|time| assert!(learn(&mut atlas, &format!("a +1-1 {time}"), Source::CLIENT)));
    let batch = tell(&mut teller, &atlas, 1000);
    assert_eq!(batch, [report("b +1-1 1"), report("c +1-1 1"), report("a +1-1 1001"), "TOLD 1003 3".into()]);
}

#[test]
fn a_batch_that_is_cut_goes_on_where_it_stopped() {
    let (atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let mut told = Vec::new();
    while teller.owes(&atlas) {
        // Each batch ends with the report that reaches the limit.
        let batch = tell(&mut teller, &atlas, 1);
        hear(&mut hearer, &mut theirs, &batch);
        told.extend(batch);
    }
    let expected = ["TOLD 1 1", "TOLD 2 1", "TOLD 3 1"];
    assert_eq!(told.iter().filter(|line| line.starts_with("TOLD")).collect::<Vec<_>>(), expected.each_ref());
    assert_eq!((theirs.digest(), hearer.heard()), (atlas.digest(), 3));
}

#[test]
fn a_client_that_moves_while_batches_are_cut_is_not_confirmed_before_it_is_told() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    // An answer waits for a's report, which is edition 1. Then a moves, before anything of it was told.
    assert!(learn(&mut atlas, "a +1-1 2", Source::CLIENT));
    for (edition, confirmed) in [(2, 0), (3, 0), (4, 4)] {
        let batch = tell(&mut teller, &atlas, 1);
        hear(&mut hearer, &mut theirs, &batch);
        assert_eq!(teller.told_whole(), confirmed);
        assert_eq!(teller.hear(said(&mut hearer).as_bytes(), &mut atlas), Ok(Effect::Acknowledged));
        assert_eq!((teller.acknowledged(), teller.confirmed()), (edition, confirmed));
    }
}

#[test]
fn what_was_told_whole_is_confirmed_although_more_is_known_by_then() {
    let (mut atlas, mut teller, ..) = a_teller_and_a_hearer();
    tell(&mut teller, &atlas, 1000);
    assert!(learn(&mut atlas, "a +1-1 2", Source::CLIENT));
    teller.hear(b"HEARD 3", &mut atlas).unwrap();
    assert_eq!(teller.confirmed(), 3);
    // And a link that resumes there knows only that its neighbour is not up to date.
    let mut resumed = Link::new(Source::link(2), 0);
    resumed.hear(b"HEARD 3", &mut atlas).unwrap();
    assert_eq!((resumed.acknowledged(), resumed.confirmed()), (3, 0));
}

#[test]
fn a_gap_is_told_again_at_once_although_nothing_had_been_said_of_what_was_before_it() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    hear(&mut hearer, &mut theirs, &tell(&mut teller, &atlas, 1));
    let mut lossy = tell(&mut teller, &atlas, 1);
    lossy.remove(0);
    hear(&mut hearer, &mut theirs, &lossy);
    assert_eq!(said(&mut hearer), "HEARD 1\nHEARD 1");
    assert_eq!(teller.hear(b"HEARD 1", &mut atlas), Ok(Effect::Acknowledged));
    assert_eq!(teller.hear(b"HEARD 1", &mut atlas), Ok(Effect::GoneBack));
    assert_eq!(said(&mut hearer), "HEARD 1", "and asked once more it is once");
}

#[test]
fn a_gap_is_told_again_from_the_last_good_edition() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let first = tell(&mut teller, &atlas, 1);
    hear(&mut hearer, &mut theirs, &first);
    assert_eq!(said(&mut hearer), "HEARD 1");
    assert_eq!(teller.hear(b"HEARD 1", &mut atlas), Ok(Effect::Acknowledged));

    let mut lossy = tell(&mut teller, &atlas, 1);
    lossy.remove(0);
    assert_eq!(hear(&mut hearer, &mut theirs, &lossy), [Effect::Answer]);
    assert_eq!(said(&mut hearer), "HEARD 1");
    // On its way before the other end knows: learnt, but not heard.
    let third = tell(&mut teller, &atlas, 1);
    assert_eq!(hear(&mut hearer, &mut theirs, &third), [Effect::Learned, Effect::Nothing]);
    assert_eq!((hearer.heard(), theirs.len()), (1, 2));

    assert_eq!(teller.hear(b"HEARD 1", &mut atlas), Ok(Effect::GoneBack));
    let mut mark = Vec::new();
    teller.say_mark(&mut mark);
    assert_eq!(mark, b"TOLD 1 0\n");
    assert_eq!(hearer.hear(b"TOLD 1 0", &mut theirs), Ok(Effect::Nothing));
    let again = tell(&mut teller, &atlas, 1000);
    assert_eq!(hear(&mut hearer, &mut theirs, &again).last(), Some(&Effect::Answer));
    assert_eq!((said(&mut hearer).as_str(), theirs.digest()), ("HEARD 3", atlas.digest()));
}

#[test]
fn a_gap_is_asked_about_again_at_each_heartbeat_until_the_mark() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let lossy = &tell(&mut teller, &atlas, 1000)[1..];
    assert_eq!(hear(&mut hearer, &mut theirs, lossy).last(), Some(&Effect::Answer));
    let heartbeat = tell(&mut teller, &atlas, 1000);
    assert_eq!(hear(&mut hearer, &mut theirs, &heartbeat), [Effect::Answer]);
    assert_eq!(teller.hear(said(&mut hearer).as_bytes(), &mut atlas), Ok(Effect::GoneBack));
}

#[test]
fn a_report_said_twice_does_not_stand_in_for_a_lost_one() {
    let (atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let mut batch = tell(&mut teller, &atlas, 1000);
    batch[1] = batch[0].clone();
    hear(&mut hearer, &mut theirs, &batch);
    assert_eq!((said(&mut hearer).as_str(), hearer.gap), ("HEARD 0", true));
}

#[test]
fn a_report_said_twice_is_no_gap_and_a_report_too_many_is_one() {
    let (atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let mut batch = tell(&mut teller, &atlas, 1000);
    batch.insert(2, batch[0].clone());
    hear(&mut hearer, &mut theirs, &batch);
    assert_eq!((said(&mut hearer).as_str(), hearer.gap), ("HEARD 3", false));

    hear(&mut hearer, &mut theirs, &[report("d +1-1 1"), report("e +1-1 1"), "TOLD 4 1".into()]);
    assert_eq!((said(&mut hearer).as_str(), hearer.gap), ("HEARD 3", true));
}

#[test]
fn an_acknowledgement_counts_although_the_telling_has_gone_back_further() {
    let (mut atlas, mut teller, ..) = a_teller_and_a_hearer();
    tell(&mut teller, &atlas, 1000);
    assert_eq!(teller.hear(b"HEARD 0", &mut atlas), Ok(Effect::GoneBack));
    tell(&mut teller, &atlas, 1);
    assert_eq!(teller.told(), Some(1));
    assert_eq!(teller.hear(b"HEARD 3", &mut atlas), Ok(Effect::Acknowledged));
    assert_eq!((teller.acknowledged(), teller.told()), (3, Some(3)), "nothing of it is told again");
}

#[test]
fn what_no_neighbour_says_is_a_breach_and_changes_nothing() {
    let (_, _, mut theirs, mut hearer) = a_teller_and_a_hearer();
    for line in [
        "",
        "AT",
        "AT S kiwi +1-1 1",
        "AT S +0.000000000 kiwi +1-1 1 ",
        "TOLD",
        "TOLD 1",
        "TOLD 1 ",
        "TOLD 1 1 1",
        "TOLD -1 1",
        "TOLD 18446744073709551616 1",
        "HEARD",
        "HEARD ",
        "HEARD x",
        "HEARD 1 1",
        "told 1 1",
        "IAMAT kiwi +1-1 1",
        "WHATSAT kiwi 10 5",
        "PROOF x",
        "PEER 1 h a b 1 2",
        "? x",
    ] {
        assert_eq!(hearer.hear(line.as_bytes(), &mut theirs), Err(Breach), "{line}");
    }
    assert!(theirs.is_empty());
    assert_eq!((hearer.heard(), hearer.told(), hearer.gap), (0, None, false));
}

/// Two ends with a wire each way, which may lose reports and say them twice.
struct Pair {
    atlases: [Atlas; 2],
    links: [Link; 2],
    /// By the end that hears.
    wires: [VecDeque<String>; 2],
}

#[derive(Debug, Clone)]
enum Step {
    /// A client of this end moves.
    Move { end: usize, client: u8, time: u8 },
    /// This end tells a batch; of its reports, the ones in the masks are lost and said twice.
    Tell { end: usize, bytes_max: usize, lost: u8, twice: u8 },
    /// This end hears so many lines.
    Hear { end: usize, lines: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mask = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    let step = prop_oneof![
        (0..2_usize, 0..5_u8, 1..20_u8).prop_map(|(end, client, time)| Step::Move { end, client, time }),
        (0..2_usize, prop_oneof![Just(1), Just(60), Just(1000)], mask.clone(), mask)
            .prop_map(|(end, bytes_max, lost, twice)| Step::Tell { end, bytes_max, lost, twice }),
        (0..2_usize, 1..6_usize).prop_map(|(end, lines)| Step::Hear { end, lines }),
    ];
    proptest::collection::vec(step, 1..80)
}

impl Pair {
    fn new() -> Self {
        let mut links = [Link::new(Source::link(1), 0), Link::new(Source::link(1), 0)];
        let wires = [1, 0].map(|end| VecDeque::from([said(&mut links[end])]));
        Self { atlases: [Atlas::new(), Atlas::new()], links, wires }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Move { end, client, time } => {
                learn(&mut self.atlases[end], &format!("c{client} +{end}-1 {time}"), Source::CLIENT);
            }
            Step::Tell { end, bytes_max, lost, twice } => self.tell(end, bytes_max, lost, twice),
            Step::Hear { end, lines } => (0..lines).for_each(|_| self.hear(end)),
        }
    }

    fn tell(&mut self, end: usize, bytes_max: usize, lost: u8, twice: u8) {
        let (mut first, mut late) = (Vec::new(), Vec::new());
        for (index, line) in tell(&mut self.links[end], &self.atlases[end], bytes_max).into_iter().enumerate() {
            if line.starts_with("TOLD") {
                first.append(&mut late);
            }
            let chosen = |mask: u8| line.starts_with("AT") && mask >> (index % 8) & 1 == 1;
            late.extend(chosen(twice).then(|| line.clone()));
            first.extend((!chosen(lost)).then_some(line));
        }
        self.wires[1 - end].extend(first);
    }

    /// Hears one line and answers it, as a server does.
    fn hear(&mut self, end: usize) {
        let Some(line) = self.wires[end].pop_front() else { return };
        let link = &mut self.links[end];
        let mut out = Vec::new();
        match link.hear(line.as_bytes(), &mut self.atlases[end]).unwrap() {
            Effect::Answer | Effect::AnswerLater => link.say_heard(&mut out),
            Effect::GoneBack => link.say_mark(&mut out),
            Effect::Nothing | Effect::Learned | Effect::Known | Effect::Stale | Effect::Acknowledged => {}
        }
        self.wires[1 - end].extend(String::from_utf8(out).unwrap().lines().map(str::to_owned));
        self.check_heard(end);
    }

    /// Whoever has heard up to an edition knows everything up to it, at every moment.
    fn check_heard(&self, end: usize) {
        let heard = self.links[end].heard();
        for entry in self.atlases[1 - end].after(0).take_while(|entry| entry.edition <= heard) {
            let theirs = Report::parse(entry.line).unwrap();
            let mine = self.atlases[end].newest(theirs.client()).map(|(report, _)| report);
            assert!(mine.is_some_and(|mine| mine >= theirs), "{heard} is heard without {theirs:?}");
        }
    }

    /// Without further losses, with heartbeats: everything is told, heard and acknowledged.
    fn rest(&mut self) {
        for _ in 0..10 {
            (0..2).for_each(|end| self.tell(end, 1000, 0, 0));
            while self.wires.iter().any(|wire| !wire.is_empty()) {
                (0..2).for_each(|end| self.hear(end));
            }
        }
    }
}

proptest! {
    #[test]
    fn told_and_heard_never_skip_a_report(steps in steps()) {
        let mut pair = Pair::new();
        steps.iter().for_each(|step| pair.step(step));
        pair.rest();
        prop_assert_eq!(pair.atlases[0].digest(), pair.atlases[1].digest());
        for end in 0..2 {
            let edition = pair.atlases[end].edition();
            prop_assert_eq!(pair.links[end].told(), Some(edition));
            prop_assert_eq!(pair.links[end].acknowledged(), edition);
            prop_assert_eq!(pair.links[end].confirmed(), edition);
            prop_assert_eq!(pair.links[1 - end].heard(), edition);
        }
    }

    /// Whatever a proven neighbour says, nothing breaks, and what it does not say is not known.
    #[test]
    fn any_lines_are_heard(
        lines in proptest::collection::vec(prop_oneof![
            (0..9_u64).prop_map(|edition| format!("HEARD {edition}")),
            (0..9_u64, 0..4_u64).prop_map(|(edition, lines)| format!("TOLD {edition} {lines}")),
            (0..4_u8, 1..5_u8).prop_map(|(client, time)| report(&format!("c{client} +1-1 {time}"))),
            "[A-Z]{2,5}( [0-9]{1,20}){0,3}",
        ], 0..60),
    ) {
        let (mut atlas, mut link, ..) = a_teller_and_a_hearer();
        for line in &lines {
            let _ = link.hear(line.as_bytes(), &mut atlas);
            link.tell(&atlas, 1, &mut Vec::new());
            prop_assert!(link.told() <= Some(atlas.edition()) && link.acknowledged() <= atlas.edition());
        }
        let known = atlas.after(0).all(|entry| {
            let line = String::from_utf8_lossy(entry.line);
            lines.iter().any(|said| *said == line) || entry.source == Source::CLIENT
        });
        prop_assert!(known);
    }
}

#[test]
fn who_has_been_told_the_last_batch_has_caught_up() {
    let (atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    // Two reports are 54 bytes: the first batch is cut, the second is what is left.
    const CUT: usize = 40;
    for (batch, has_caught_up) in [(2, false), (1, true)] {
        let told = tell(&mut teller, &atlas, CUT);
        assert_eq!(told.len(), batch + 1, "{told:?}");
        hear(&mut hearer, &mut theirs, &told);
        assert_eq!(hearer.has_caught_up(CUT), has_caught_up);
    }
}

#[test]
fn what_marks_a_loss_is_no_end_of_the_telling_and_a_heartbeat_is() {
    let (mut atlas, mut teller, mut theirs, mut hearer) = a_teller_and_a_hearer();
    let mut told = tell(&mut teller, &atlas, 1000);
    told.remove(0);
    hear(&mut hearer, &mut theirs, &told);
    teller.hear(said(&mut hearer).as_bytes(), &mut atlas).unwrap();
    hear(&mut hearer, &mut theirs, &["TOLD 0 0".into()]);
    assert!(!hearer.has_caught_up(1000));
    hear(&mut hearer, &mut theirs, &["TOLD 0 0".into()]);
    assert!(hearer.has_caught_up(1000));
}
