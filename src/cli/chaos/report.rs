//! What a run of chaos says in the end, for people and as `herd.chaos/1`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::cli::term::{self, Pen};
use crate::cli::{escape, human};
use crate::judge::history::Begin;
use crate::judge::verdict::{Finding, Rule, Verdict, Violation};

/// Violations that a person is shown; all that are kept are in the JSON.
const SHOWN_MAX: usize = 10;

/// `herd.chaos/1`
#[derive(Serialize)]
pub struct Document<'a> {
    pub schema: &'static str,
    pub seed: u64,
    pub herd: &'a str,
    pub servers: &'a [String],
    /// How long things were done to it; none where a history was judged again.
    pub lasted_ms: Option<u64>,
    /// The file that holds the history.
    pub history: Option<&'a Path>,
    #[serde(flatten)]
    pub verdict: &'a Verdict,
}

/// The report, without its last line ending.
pub fn text(begin: &Begin, verdict: &Verdict, lasted: Option<Duration>, pen: Pen) -> String {
    let mut text = String::new();
    done(begin, verdict, lasted, &mut text);
    for finding in &verdict.findings {
        let _ = writeln!(text, "  {}", row(finding, verdict, begin, pen));
    }
    let shown = verdict.violations.iter().take(SHOWN_MAX);
    shown.for_each(|violation| show(violation, pen, &mut text));
    let more = verdict.broken().saturating_sub(verdict.violations.len().min(SHOWN_MAX) as u64);
    if more > 0 {
        let _ = writeln!(text, "… and {} more", human::thousands(more));
    }
    text + &conclusion(begin, verdict, pen)
}

/// What was done.
fn done(begin: &Begin, verdict: &Verdict, lasted: Option<Duration>, text: &mut String) {
    let (counts, worst) = (&verdict.counts, &verdict.worst);
    let lasted = lasted.map_or_else(String::new, |lasted| format!(" in {}", human::took(lasted)));
    let _ = writeln!(
        text,
        "chaos in {}, seed {}: {} to {}{lasted}",
        escape::text(&begin.herd),
        begin.seed,
        human::count(counts.calls, "call"),
        human::count(begin.servers.len() as u64, "server"),
    );
    let _ = writeln!(
        text,
        "  done      {}: {}, {}, {}",
        human::count(counts.orders, "order"),
        human::count(counts.kills, "kill"),
        human::count(counts.pauses, "pause"),
        human::count(counts.link_faults, "link fault"),
    );
    let _ = writeln!(
        text,
        "  answered  {} ({} updates of {}), {} cut off by a fault",
        human::thousands(counts.answered),
        human::thousands(counts.updates_answered),
        human::count(counts.clients, "client"),
        human::thousands(counts.unanswered),
    );
    let micros = |us| human::took(Duration::from_micros(us));
    let _ = writeln!(
        text,
        "  how fast  half within {}, 99 of 100 within {}, the slowest {}",
        micros(worst.answer_us_median),
        micros(worst.answer_us_p99),
        micros(worst.answer_us_max),
    );
}

fn row(finding: &Finding, verdict: &Verdict, begin: &Begin, pen: Pen) -> String {
    let mark = match finding.violations {
        0 if finding.checked == 0 => pen.ink(term::DIM, "·"),
        0 => pen.ink(term::GOOD, "✔"),
        _ => pen.ink(term::BAD, "✗"),
    };
    let mut row = format!("{mark} {:<58} {} checked", finding.says, human::thousands(finding.checked));
    if finding.violations > 0 {
        let _ = write!(row, ", {}", pen.ink(term::BAD, &format!("{} broken", human::thousands(finding.violations))));
    }
    if finding.excused > 0 {
        let _ = write!(row, ", {} excused", human::thousands(finding.excused));
    }
    match finding.rule {
        Rule::Converged => {
            if let Some(took) = verdict.worst.converged_us {
                let _ = write!(row, ", {}", human::took(Duration::from_micros(took)));
            }
        }
        Rule::Memory => {
            if let Some(kb) = verdict.worst.rss_kb_max {
                let _ = write!(row, ", at most {} of {} MB", kb / 1024, begin.rss_kb_max / 1024);
            }
        }
        _ => {}
    }
    row
}

fn show(violation: &Violation, pen: Pen, text: &mut String) {
    let who: Vec<_> =
        [&violation.client, &violation.server].into_iter().flatten().map(|name| escape::text(name)).collect();
    let calls: Vec<_> = violation.calls.iter().map(u64::to_string).collect();
    let calls = if calls.is_empty() { String::new() } else { format!(", call {}", calls.join(" and ")) };
    let at = Duration::from_micros(violation.t).as_secs_f64();
    let _ = writeln!(
        text,
        "{} {} at {at:.3} s{calls}: {}",
        pen.ink(term::BAD, "✗"),
        who.join(" at "),
        violation.rule.says()
    );
    let _ = writeln!(text, "    expected  {}", escape::text(&violation.expected));
    let _ = writeln!(text, "    found     {}", escape::text(&violation.found));
}

fn conclusion(begin: &Begin, verdict: &Verdict, pen: Pen) -> String {
    match (verdict.held, verdict.whole) {
        (true, _) => pen.ink(term::GOOD, "every promise held"),
        (false, false) => pen.ink(term::BAD, "the history has no end: it proves nothing"),
        (false, true) => {
            let broken = human::count(verdict.broken(), "violation");
            format!(
                "{}; the same command with --seed {} does the same things again",
                pen.ink(term::BAD, &broken),
                begin.seed
            )
        }
    }
}
