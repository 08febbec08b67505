//! What the judge found: one row a rule, the worst that was seen, and each violation with the calls that show it.

use serde::Serialize;

use super::history::Micros;

/// Violations that are kept of one rule; the others are counted.
const KEPT_MAX: usize = 20;

/// What a herd is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Kept,
    Equal,
    NeverBack,
    OnlySaid,
    WellAnswered,
    Prompt,
    Converged,
    Alive,
    Memory,
}

impl Rule {
    pub const ALL: [Self; 9] = [
        Self::Kept,
        Self::Equal,
        Self::NeverBack,
        Self::OnlySaid,
        Self::WellAnswered,
        Self::Prompt,
        Self::Converged,
        Self::Alive,
        Self::Memory,
    ];

    /// What it says.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Kept => "no answered update is lost",
            Self::Equal => "all servers know the same at the end",
            Self::NeverBack => "no server goes back in time within a run",
            Self::OnlySaid => "nothing is answered that nobody said",
            Self::WellAnswered => "every answer is the right one, and ? only where it is due",
            Self::Prompt => "every server that is up answers in time",
            Self::Converged => "the herd agrees soon after the last heal",
            Self::Alive => "no server ends, and no order fails, by itself",
            Self::Memory => "memory stays within its bound",
        }
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub rule: Rule,
    /// When it showed, in microseconds of the history.
    pub t: Micros,
    /// The calls that show it, by their numbers in the history.
    pub calls: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    pub expected: String,
    pub found: String,
}

/// One rule, and how it fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub says: &'static str,
    /// How often it was put to the test.
    pub checked: u64,
    /// How often it did not hold, for a reason that the protocol allows.
    pub excused: u64,
    pub violations: u64,
}

/// What was done, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub calls: u64,
    pub answered: u64,
    /// The connection ended before the answer, or nobody waited for it any more.
    pub unanswered: u64,
    pub updates_answered: u64,
    pub clients: u64,
    pub refused_connections: u64,
    pub orders: u64,
    pub kills: u64,
    pub pauses: u64,
    pub link_faults: u64,
    pub samples: u64,
    /// Answers that the servers counted as unconfirmed, as far as anybody looked.
    pub unconfirmed: u64,
}

/// The worst that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// Half of the answers came within this, in microseconds.
    pub answer_us_median: Micros,
    /// 99 of 100 answers came within this.
    pub answer_us_p99: Micros,
    /// The longest wait for an answer, less the time for which the server was down or paused.
    pub answer_us_max: Micros,
    /// The call that waited so long.
    pub answer_call: Option<u64>,
    /// From the last heal until the herd agreed.
    pub converged_us: Option<Micros>,
    pub rss_kb_max: Option<u64>,
}

/// The verdict on a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// All rules held, and the history is whole.
    pub held: bool,
    /// It has an end; a history that was cut off proves nothing.
    pub whole: bool,
    pub findings: Vec<Finding>,
    pub counts: Counts,
    pub worst: Worst,
    /// At most twenty of each rule.
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub(super) fn new() -> Self {
        let finding = |rule: Rule| Finding { rule, says: rule.says(), checked: 0, excused: 0, violations: 0 };
        Self {
            held: false,
            whole: false,
            findings: Rule::ALL.map(finding).into(),
            counts: Counts::default(),
            worst: Worst::default(),
            violations: Vec::new(),
        }
    }

    /// How one rule fared.
    #[must_use]
    pub fn of(&self, rule: Rule) -> &Finding {
        self.findings.iter().find(|finding| finding.rule == rule).expect("every rule has its row")
    }

    /// How many violations there are of all rules.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.findings.iter().map(|finding| finding.violations).sum()
    }

    fn row(&mut self, rule: Rule) -> &mut Finding {
        self.findings.iter_mut().find(|finding| finding.rule == rule).expect("every rule has its row")
    }

    pub(super) fn checked(&mut self, rule: Rule) {
        self.row(rule).checked += 1;
    }

    pub(super) fn excused(&mut self, rule: Rule) {
        self.row(rule).excused += 1;
    }

    pub(super) fn broke(&mut self, violation: Violation) {
        let row = self.row(violation.rule);
        row.violations += 1;
        if row.violations <= KEPT_MAX as u64 {
            self.violations.push(violation);
        }
    }

    pub(super) fn close(&mut self, whole: bool) {
        self.whole = whole;
        self.held = whole && self.broken() == 0;
    }
}
