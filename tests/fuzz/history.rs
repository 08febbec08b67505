//! A recorded history, as `herdctl chaos --check` judges it: whatever stands there, a verdict comes of it, or the line that
//! is no record; the history of a herd that is right is found right, one with a lie in it never, and neither is one that was
//! cut off.

use herdctl::judge::checker::judge;
use herdctl::judge::history::{Begin, Record, Unsound};
use herdctl::judge::verdict::{Rule, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseResult;

use super::bytes::{Changes, Said};
use crate::judge::histories::of_a_right_herd;

/// Violations of one rule that a verdict names.
const NAMED_MAX: usize = 20;

const WORDS: &[&[u8]] = &[
    b"\"kind\":\"say\"",
    b"\"kind\":\"hear\"",
    b"\"kind\":\"done\"",
    b"\"t\":0",
    b"\"call\":1",
    b"\"Alba\"",
    b"\"Nobody\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\"",
    b"null",
    b"\\u0000",
    b"\\u001b[2J",
    b"\xff",
    b"AT Alba +0.500000000 c1 +1-1 5",
    b"? WHATSAT c1 10 0",
];
const NUMBERS: &[&str] =
    &["0", "1", "2", "3999999", "4294967295", "4294967296", "18446744073709551615", "-1", "1.5", "1e400"];

/// What is known of the verdict on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Held,
    NotHeld,
    Either,
}

#[derive(Debug, Clone)]
struct Case {
    file: Said,
    due: Due,
}

/// What a herd that is not right would have said, or one that was not watched to the end.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// A server knows nothing in the end of what another knows.
    Forgotten,
    /// A report that nobody said.
    Forged,
    /// An answer that nobody asked for.
    Unasked,
    /// The end is missing.
    CutOff,
}

/// Something done to the records of a history; which, is a part of their number.
#[derive(Debug, Clone)]
enum Edit {
    Drop(Index),
    Again { from: Index, to: Index },
    Swap(Index, Index),
    Number { record: Index, nth: Index, number: &'static str },
}

fn cases() -> impl Strategy<Value = Case> {
    let lie = select(vec![Lie::Forgotten, Lie::Forged, Lie::Unasked, Lie::CutOff]);
    let known = (any::<u64>(), prop::option::of(lie), any::<Index>()).prop_map(|(seed, lie, at)| {
        let mut records = of_a_right_herd(seed);
        let is_told = lie.is_some_and(|lie| lie.tell(&mut records, at));
        let due = if is_told { Due::NotHeld } else { Due::Held };
        Case { file: Said(lines(&records).concat()), due }
    });
    let at = any::<Index>;
    let edit = prop_oneof![
        at().prop_map(Edit::Drop),
        (at(), at()).prop_map(|(from, to)| Edit::Again { from, to }),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        (at(), at(), select(NUMBERS)).prop_map(|(record, nth, number)| Edit::Number { record, nth, number }),
    ];
    let spoilt = (any::<u64>(), vec(edit, 0..4), Changes::up_to(3, WORDS)).prop_map(|(seed, edits, changes)| {
        let mut lines = lines(&of_a_right_herd(seed));
        edits.iter().for_each(|edit| edit.apply(&mut lines));
        Case { file: Said(changes.to(&lines.concat())), due: Due::Either }
    });
    prop_oneof![1 => known, 2 => spoilt]
}

/// As they stand in a file, each with its LF.
fn lines(records: &[Record]) -> Vec<Vec<u8>> {
    let line = |record: &Record| {
        let mut line = Vec::new();
        record.write(&mut line).expect("there is room");
        line
    };
    records.iter().map(line).collect()
}

impl Lie {
    /// Says whether there was a place for it.
    fn tell(self, records: &mut Vec<Record>, at: Index) -> bool {
        match self {
            Self::Forgotten => {
                let tables =
                    records.iter().rposition(|record| matches!(record, Record::Tables { .. })).expect("a right herd");
                answered(&mut records[tables..], at, |line| *line = format!("? WHATSAT {} 10 0", client(line)))
            }
            Self::Forged => {
                answered(records, at, |line| *line = format!("AT Cork +9.000000000 {} +9-9 77", client(line)))
            }
            Self::Unasked => {
                let at = 1 + at.index(records.len() - 1);
                let unasked = Record::Unasked { t: records[at].t(), server: "Bern".into(), line: "?".into() };
                records.insert(at, unasked);
                true
            }
            Self::CutOff => {
                records.truncate(1 + at.index(records.len() - 1));
                true
            }
        }
    }
}

/// Changes one of the answers that show a report, if there is any.
fn answered(records: &mut [Record], at: Index, change: impl FnOnce(&mut String)) -> bool {
    let shown = records.iter_mut().filter_map(|record| match record {
        Record::Hear { line, .. } if line.starts_with("AT ") => Some(line),
        _ => None,
    });
    let mut answers: Vec<&mut String> = shown.collect();
    if answers.is_empty() {
        return false;
    }
    let answer: &mut &mut String = at.get_mut(&mut answers);
    change(answer);
    true
}

fn client(line: &str) -> String {
    line.split(' ').nth(3).unwrap_or_default().to_owned()
}

impl Edit {
    fn apply(&self, lines: &mut Vec<Vec<u8>>) {
        let count = lines.len();
        match self {
            // The herd itself stays known, or nothing more would be looked at.
            Self::Drop(at) if count > 1 => drop(lines.remove(1 + at.index(count - 1))),
            Self::Drop(_) => {}
            Self::Again { from, to } => lines.insert(to.index(count + 1), lines[from.index(count)].clone()),
            Self::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
            Self::Number { record, nth, number } => put_number(&mut lines[record.index(count)], *nth, number),
        }
    }
}

fn put_number(line: &mut Vec<u8>, nth: Index, number: &str) {
    let is_start = |&at: &usize| line[at].is_ascii_digit() && line[at - 1] == b':';
    let starts: Vec<usize> = (1..line.len()).filter(is_start).collect();
    if let Some(&start) = (!starts.is_empty()).then(|| nth.get(&starts)) {
        let end = start + line[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        line.splice(start..end, number.bytes());
    }
}

#[test]
fn a_history_is_judged_rightly_or_refused_with_its_line() {
    super::run("history", &cases(), |case| is_judged(&case, judge_it));
}

#[test]
fn a_judge_that_overlooks_something_is_found_out() {
    let blind = |file: &[u8]| {
        let lines = file.split_inclusive(|&byte| byte == b'\n');
        let seen: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"{\"kind\":\"unasked\"")).collect();
        judge_it(&seen.concat())
    };
    super::assert_found_out("an answer too many that is overlooked", &cases(), |case| is_judged(&case, blind));
}

#[test]
fn a_judge_that_finds_the_right_wrong_is_found_out() {
    let strict = |file: &[u8]| {
        let file = String::from_utf8_lossy(file).replace("\"answer_ms_max\":1000", "\"answer_ms_max\":0");
        judge_it(file.as_bytes())
    };
    super::assert_found_out("a judge that is too strict", &cases(), |case| is_judged(&case, strict));
}

type Judged = Result<(Begin, Verdict), Unsound>;

fn judge_it(file: &[u8]) -> Judged {
    judge(file)
}

fn is_judged(case: &Case, judge: impl Fn(&[u8]) -> Judged) -> TestCaseResult {
    let file = &case.file.0;
    let verdict = match judge(file) {
        Ok((_, verdict)) => verdict,
        Err(why) => {
            prop_assert_eq!(case.due, Due::Either, "{}", why);
            let lines = file.split_inclusive(|&byte| byte == b'\n').count() as u64;
            prop_assert!(why.line.is_none_or(|line| (1..=lines).contains(&line)), "{}", why);
            return Ok(());
        }
    };
    is_sound(&verdict)?;
    prop_assert!(case.due == Due::Either || verdict.held == (case.due == Due::Held), "{:#?}", verdict);
    let again = judge(file).map(|(_, verdict)| verdict);
    prop_assert_eq!(again.ok(), Some(verdict), "judged again to another verdict");
    Ok(())
}

/// Whether a verdict agrees with itself.
fn is_sound(verdict: &Verdict) -> TestCaseResult {
    prop_assert_eq!(verdict.held, verdict.whole && verdict.broken() == 0);
    for rule in Rule::ALL {
        let (finding, named) = (verdict.of(rule), verdict.violations.iter().filter(|one| one.rule == rule).count());
        prop_assert_eq!(named as u64, finding.violations.min(NAMED_MAX as u64));
    }
    let counts = &verdict.counts;
    prop_assert_eq!(counts.answered + counts.unanswered, counts.calls);
    prop_assert!(counts.updates_answered <= counts.answered);
    prop_assert!(serde_json::to_string(verdict).is_ok());
    Ok(())
}
