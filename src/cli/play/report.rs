//! What came of a play: a line a step for people, `herd.play/1` for programs, JUnit XML for whoever runs tests.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::super::term::{self, Pen};
use super::super::{escape, human};
use super::expectation::Expectation;
use super::scenario::Step;

pub struct Play {
    pub scenario: String,
    pub herd: String,
    /// Where its chance came from; nothing if it left nothing to chance.
    pub seed: Option<u64>,
    pub outcomes: Vec<Outcome>,
    pub took: Duration,
}

/// What came of a step.
pub struct Outcome {
    pub line: usize,
    pub at: Duration,
    pub deed: Option<String>,
    /// When it began and how long it took; nothing if it was not played.
    pub played: Option<(Duration, Duration)>,
    /// What its command said.
    pub said: Option<String>,
    /// Why its command failed, if nobody had expected that.
    pub why: Option<String>,
    pub checks: Vec<Check>,
}

/// What came of an expectation.
pub struct Check {
    pub expect: String,
    /// How long it took to be so, or to be given up; nothing if nobody looked.
    pub took: Option<Duration>,
    /// What was otherwise.
    pub why: Option<String>,
}

impl Play {
    pub fn new(scenario: String, herd: String, seed: Option<u64>) -> Self {
        Self { scenario, herd, seed, outcomes: Vec::new(), took: Duration::ZERO }
    }

    /// All was as expected.
    pub fn held(&self) -> bool {
        self.outcomes.iter().all(Outcome::held)
    }

    /// Nothing more is to be played.
    pub fn is_over(&self) -> bool {
        !self.held()
    }
}

impl Outcome {
    pub fn skipped(step: &Step) -> Self {
        Self {
            line: step.line,
            at: step.at,
            deed: step.deed.as_ref().map(|deed| deed.typed.clone()),
            played: None,
            said: None,
            why: None,
            checks: Vec::new(),
        }
    }

    pub fn held(&self) -> bool {
        self.played.is_some() && self.trouble().is_none()
    }

    /// What was otherwise than expected.
    fn trouble(&self) -> Option<String> {
        let failed = self.why.iter().cloned();
        let checks = self.checks.iter().filter_map(|check| Some(format!("{}: {}", check.expect, check.why.as_ref()?)));
        let all: Vec<_> = failed.chain(checks).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What it is called: its command, or what it expects.
    fn name(&self) -> String {
        let expected: Vec<&str> = self.checks.iter().map(|check| check.expect.as_str()).collect();
        self.deed.clone().unwrap_or_else(|| format!("expect {}", expected.join(", ")))
    }
}

impl Check {
    pub fn skipped(expected: &Expectation) -> Self {
        Self { expect: expected.typed.clone(), took: None, why: None }
    }

    pub fn made(expected: &Expectation, took: Duration, why: Option<String>) -> Self {
        Self { expect: expected.typed.clone(), took: Some(took), why }
    }
}

pub fn heading(play: &Play, about: Option<&str>) -> String {
    let mut text = escape::text(&play.scenario).into_owned();
    for line in about.iter().flat_map(|about| about.lines()).map(str::trim).filter(|line| !line.is_empty()) {
        let _ = write!(text, "\n  {}", escape::text(line));
    }
    if let Some(seed) = play.seed {
        let _ = write!(text, "\n  seed {seed}");
    }
    text
}

/// A step on a line, and a line for each of its expectations.
pub fn row(outcome: &Outcome, pen: Pen) -> String {
    let when = outcome.played.map_or_else(|| "      –".into(), |(begun, _)| format!("{:6.3}s", begun.as_secs_f64()));
    let mark = |why: Option<&String>, looked: bool| match (why, looked) {
        (Some(_), _) => pen.ink(term::BAD, "✗"),
        (None, true) => pen.ink(term::GOOD, "✔"),
        (None, false) => pen.ink(term::DIM, "·"),
    };
    let mut rows = Vec::new();
    if let Some(deed) = &outcome.deed {
        let why = outcome.why.as_ref().map(|why| format!(": {}", escape::text(why))).unwrap_or_default();
        rows.push(format!(
            "{when} {} {}{why}",
            mark(outcome.why.as_ref(), outcome.played.is_some()),
            escape::text(deed)
        ));
    }
    for check in &outcome.checks {
        let when = if rows.is_empty() { when.as_str() } else { "       " };
        let how = match (&check.why, check.took) {
            (Some(why), _) => format!(": {}", escape::text(why)),
            (None, Some(took)) => pen.ink(term::DIM, &format!("  {}", human::took(took))),
            (None, None) => String::new(),
        };
        let mark = mark(check.why.as_ref(), check.took.is_some());
        rows.push(format!("{when}   {mark} {}{how}", escape::text(&check.expect)));
    }
    if rows.is_empty() {
        rows.push(format!("{when} {} not played", mark(None, false)));
    }
    rows.join("\n")
}

pub fn conclusion(play: &Play, pen: Pen) -> String {
    let took = human::took(play.took);
    match play.outcomes.iter().find(|outcome| !outcome.held()) {
        None => {
            let steps = human::count(play.outcomes.len() as u64, "step");
            format!("{}: {steps} in {took}", pen.ink(term::GOOD, "as expected"))
        }
        Some(outcome) => {
            let seed = play.seed.map(|seed| format!("; the same again: --seed {seed}")).unwrap_or_default();
            let what = if outcome.played.is_some() { "not as expected" } else { "ended early" };
            format!("{}: the step at line {}, after {took}{seed}", pen.ink(term::BAD, what), outcome.line)
        }
    }
}

/// `herd.play/1`
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    scenario: &'a str,
    herd: &'a str,
    seed: Option<u64>,
    held: bool,
    took_us: u64,
    steps: Vec<StepDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct StepDocument<'a> {
    line: usize,
    held: bool,
    at_ms: u64,
    /// Null: it was not played.
    began_us: Option<u64>,
    took_us: Option<u64>,
    #[serde(rename = "do")]
    deed: Option<&'a str>,
    said: Option<&'a str>,
    why: Option<&'a str>,
    checks: Vec<CheckDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckDocument<'a> {
    expect: &'a str,
    held: bool,
    took_us: Option<u64>,
    why: Option<&'a str>,
}

pub fn document(play: &Play) -> Document<'_> {
    let steps = play.outcomes.iter().map(|outcome| StepDocument {
        line: outcome.line,
        held: outcome.held(),
        at_ms: human::ms(outcome.at),
        began_us: outcome.played.map(|(begun, _)| micros(begun)),
        took_us: outcome.played.map(|(_, took)| micros(took)),
        deed: outcome.deed.as_deref(),
        said: outcome.said.as_deref(),
        why: outcome.why.as_deref(),
        checks: outcome.checks.iter().map(check).collect(),
    });
    Document {
        schema: "herd.play/1",
        scenario: &play.scenario,
        herd: &play.herd,
        seed: play.seed,
        held: play.held(),
        took_us: micros(play.took),
        steps: steps.collect(),
    }
}

fn check(check: &Check) -> CheckDocument<'_> {
    CheckDocument {
        expect: &check.expect,
        held: check.took.is_some() && check.why.is_none(),
        took_us: check.took.map(micros),
        why: check.why.as_deref(),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// JUnit's XML, as far as those who read it agree on it: a suite, a case a step, what failed and what was skipped.
pub fn junit(play: &Play) -> String {
    let failures = play.outcomes.iter().filter(|outcome| outcome.trouble().is_some()).count();
    let skipped = play.outcomes.iter().filter(|outcome| outcome.played.is_none()).count();
    let suite = xml(&play.scenario);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{suite}\" tests=\"{}\" failures=\"{failures}\" \
         skipped=\"{skipped}\" errors=\"0\" time=\"{:.6}\">\n",
        play.outcomes.len(),
        play.took.as_secs_f64(),
    );
    for outcome in &play.outcomes {
        let took = outcome.played.map_or(Duration::ZERO, |(_, took)| took);
        let name = xml(&format!("line {}: {}", outcome.line, outcome.name()));
        let _ = write!(text, "  <testcase classname=\"{suite}\" name=\"{name}\" time=\"{:.6}\">", took.as_secs_f64());
        if let Some(trouble) = outcome.trouble() {
            let _ = write!(text, "<failure message=\"{}\"/>", xml(&trouble));
        } else if outcome.played.is_none() {
            text += "<skipped/>";
        }
        text += "</testcase>\n";
    }
    text + "</testsuite>\n"
}

/// Harmless first, then XML's own characters: some of what it forbids cannot be written in it at all.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for char in escape::text(text).chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            _ => escaped.push(char),
        }
    }
    escaped
}
