//! What a bench found: one document, shown as figures and a histogram or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Measured;
use super::plan::{Condition, Figure, Limit, Of};
use super::usage::Used;
use crate::cli::args::Bench;
use crate::cli::human;
use crate::cli::term::{self, Pen};

/// `herd.bench/1`
#[derive(Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    to: Vec<String>,
    clients: u64,
    connections: usize,
    /// None in an open loop.
    depth: Option<usize>,
    /// Commands a second; none in a closed loop.
    rate: Option<f64>,
    duration_ms: u64,
    /// Answers a second, of both kinds.
    throughput: u64,
    iamat: Option<Latencies>,
    whatsat: Option<Latencies>,
    /// From before a probe was said to after the last of the other servers had answered with it.
    convergence: Option<Latencies>,
    /// Probes that a server had not heard of in time.
    unseen: u64,
    /// Answered `? …`.
    refused: u64,
    /// Not answered when it was over.
    unanswered: u64,
    herd: Option<HerdShare>,
    /// Cores that this program took: near one, it was what limits.
    bench_cores: f64,
    fail_if: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
struct Latencies {
    count: u64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p99_9_us: u64,
    max_us: u64,
    /// How many took longer than the row before, up to so much.
    histogram: Vec<Row>,
    #[serde(skip)]
    exact: Histogram<u64>,
}

#[derive(Debug, Serialize)]
struct Row {
    up_to_us: u64,
    count: u64,
}

/// The supervisor's process: all its servers and their logs.
#[derive(Debug, Serialize)]
struct HerdShare {
    cores: f64,
    /// Processor time of all servers together for each `IAMAT` answered, whatever else they did meanwhile.
    cpu_ns_per_update: u64,
    memory_bytes: u64,
    memory_growth_bytes: i64,
}

#[derive(Debug, Serialize)]
struct Verdict {
    condition: String,
    holds: bool,
    /// What was compared: microseconds, or answers a second. None where nothing was measured.
    measured: Option<f64>,
}

/// What a report is made of.
pub struct Facts<'a> {
    pub args: &'a Bench,
    pub to: Vec<String>,
    pub took: Duration,
    pub measured: &'a Measured,
    pub convergence: Option<(&'a [Duration], u64)>,
    /// Before and after.
    pub herd: Option<(Used, Used)>,
    pub own_cpu: Duration,
}

impl Report {
    pub fn new(facts: Facts<'_>) -> Self {
        let Facts { args, to, took, measured, convergence, herd, own_cpu } = facts;
        let mut report = Self {
            schema: "herd.bench/1",
            to,
            clients: args.clients,
            connections: args.connections,
            depth: args.rate.is_none().then_some(args.depth),
            rate: args.rate,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            throughput: a_second(measured.in_time, took),
            iamat: Latencies::of(&measured.iamat),
            whatsat: Latencies::of(&measured.whatsat),
            convergence: convergence.and_then(|(probes, _)| Latencies::of_probes(probes)),
            unseen: convergence.map_or(0, |(_, unseen)| unseen),
            refused: measured.refused,
            unanswered: measured.unanswered,
            herd: herd.map(|(before, after)| HerdShare::of(before, after, took, measured)),
            bench_cores: own_cpu.as_secs_f64() / took.as_secs_f64(),
            fail_if: Vec::new(),
        };
        report.fail_if = args.fail_if.iter().map(|condition| report.judge(condition)).collect();
        report
    }

    /// Whether a condition of `--fail-if` holds.
    pub fn failed(&self) -> bool {
        self.fail_if.iter().any(|verdict| verdict.holds)
    }

    /// A condition on what was not measured holds: nobody may rely on it.
    fn judge(&self, condition: &Condition) -> Verdict {
        let latencies = match condition.of {
            Of::Iamat => &self.iamat,
            Of::Whatsat => &self.whatsat,
            Of::Convergence => &self.convergence,
        };
        let in_us = |figure: &dyn Fn(&Histogram<u64>) -> u64| {
            latencies.as_ref().map(|latencies| figure(&latencies.exact) as f64 / 1000.0)
        };
        let measured = match condition.figure {
            Figure::Percentile(percent) => in_us(&|exact| exact.value_at_quantile(percent / 100.0)),
            Figure::Max => in_us(&Histogram::max),
            Figure::Throughput => Some(self.throughput as f64),
        };
        let holds = measured.is_none_or(|measured| match condition.limit {
            Limit::SlowerThan(limit) => measured > limit.as_secs_f64() * 1e6,
            Limit::FewerThan(least) => measured < least,
        });
        Verdict { condition: condition.text.clone(), holds, measured }
    }

    /// For a person.
    pub fn text(&self, pen: Pen) -> String {
        let mut text = format!("{} answers a second\n\n", human::thousands(self.throughput));
        let heading =
            format!("{:<13}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "count", "p50", "p90", "p99", "p99.9", "max");
        let _ = writeln!(text, "{}", pen.ink(term::BOLD, &heading));
        let kinds = [("IAMAT", &self.iamat), ("WHATSAT", &self.whatsat), ("convergence", &self.convergence)];
        for (name, latencies) in kinds {
            if let Some(latencies) = latencies {
                let _ = writeln!(text, "{name:<13}{}", latencies.figures());
            }
        }
        for (name, latencies) in kinds {
            if let Some(latencies) = latencies {
                let _ = write!(text, "\n{}\n{}", pen.ink(term::BOLD, name), latencies.bars());
            }
        }
        text.push('\n');
        for line in self.remarks() {
            let _ = writeln!(text, "{line}");
        }
        for verdict in &self.fail_if {
            let (ink, word) = if verdict.holds { (term::BAD, "fails") } else { (term::GOOD, "good") };
            let _ = writeln!(text, "{} {}", pen.ink(ink, word), verdict.condition);
        }
        text
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(herd) = &self.herd {
            remarks.push(format!(
                "the herd took {:.2} cores, {:.1} µs an update in all its servers, {} MB of memory ({:+} KB)",
                herd.cores,
                herd.cpu_ns_per_update as f64 / 1000.0,
                human::thousands(herd.memory_bytes / 1_000_000),
                herd.memory_growth_bytes / 1000,
            ));
        }
        let limits = if self.bench_cores > 0.9 { ": it may be what limits" } else { "" };
        remarks.push(format!("the bench took {:.2} cores{limits}", self.bench_cores));
        for (count, what) in [
            (self.refused, "answered with ?"),
            (self.unanswered, "not answered when it was over; their latencies until then are counted"),
            (self.unseen, "probes did not reach every server"),
        ] {
            if count > 0 {
                remarks.push(format!("{} {what}", human::thousands(count)));
            }
        }
        remarks
    }
}

impl Latencies {
    /// Of nanoseconds; none of nothing.
    fn of(exact: &Histogram<u64>) -> Option<Self> {
        if exact.is_empty() {
            return None;
        }
        let us = |quantile| exact.value_at_quantile(quantile) / 1000;
        Some(Self {
            count: exact.len(),
            p50_us: us(0.5),
            p90_us: us(0.9),
            p99_us: us(0.99),
            p99_9_us: us(0.999),
            max_us: exact.max() / 1000,
            histogram: rows(exact),
            exact: exact.clone(),
        })
    }

    fn of_probes(probes: &[Duration]) -> Option<Self> {
        let mut exact = Measured::new().iamat;
        for took in probes {
            exact.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        Self::of(&exact)
    }

    fn figures(&self) -> String {
        let mut text = format!("{:>10}", human::thousands(self.count));
        for us in [self.p50_us, self.p90_us, self.p99_us, self.p99_9_us, self.max_us] {
            let _ = write!(text, "{:>9}", micros(us));
        }
        text
    }

    /// A row for each doubling, as long as its share.
    fn bars(&self) -> String {
        const WIDTH: u64 = 40;
        let most = self.histogram.iter().map(|row| row.count).max().unwrap_or(1);
        let mut text = String::new();
        for row in &self.histogram {
            let share = 100.0 * row.count as f64 / self.count as f64;
            let bar = "█".repeat((row.count * WIDTH).div_ceil(most) as usize);
            let _ = writeln!(text, "  ≤ {:>7} {share:>6.2} % {bar}", micros(row.up_to_us));
        }
        text
    }
}

/// So many in a second, when `count` took so long.
pub fn a_second(count: u64, took: Duration) -> u64 {
    u64::try_from(u128::from(count) * 1_000_000 / took.as_micros().max(1)).unwrap_or(u64::MAX)
}

/// From the first doubling of a microsecond that holds anything to the last. Each recorded value goes into one row:
/// asking for counts between two bounds would count what is as good as a bound on both sides of it.
fn rows(exact: &Histogram<u64>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for recorded in exact.iter_recorded() {
        let up_to_us = recorded.value_iterated_to().div_ceil(1000).max(1).next_power_of_two();
        while rows.last().is_none_or(|last| last.up_to_us < up_to_us) {
            let next_us = rows.last().map_or(up_to_us, |last| last.up_to_us * 2);
            rows.push(Row { up_to_us: next_us, count: 0 });
        }
        if let Some(last) = rows.last_mut() {
            last.count += recorded.count_at_value();
        }
    }
    rows
}

/// `85 µs`, `1.2 ms`, `3.4 s`, in at most seven columns.
fn micros(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..100_000 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

impl HerdShare {
    fn of(before: Used, after: Used, took: Duration, measured: &Measured) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu);
        let updates = measured.iamat.len().max(1);
        Self {
            cores: cpu.as_secs_f64() / took.as_secs_f64(),
            cpu_ns_per_update: u64::try_from(cpu.as_nanos() / u128::from(updates)).unwrap_or(u64::MAX),
            memory_bytes: after.memory_bytes,
            memory_growth_bytes: after.memory_bytes.cast_signed() - before.memory_bytes.cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_one_row() {
        let mut exact = Measured::new().iamat;
        for ns in [1_500, 2_500, 90_000, 90_000, 5_000_000] {
            exact.record(ns).unwrap();
        }
        let latencies = Latencies::of(&exact).unwrap();
        assert_eq!(latencies.histogram.iter().map(|row| row.count).sum::<u64>(), 5);
        assert_eq!((latencies.histogram[0].up_to_us, latencies.histogram[0].count), (2, 1));
        assert_eq!(latencies.histogram.last().map(|row| row.count), Some(1));
        assert!(latencies.bars().lines().all(|row| row.chars().count() <= 80));
        assert!(Latencies::of(&Measured::new().iamat).is_none());
    }

    #[test]
    fn latencies_are_short_and_have_a_unit() {
        let shown = [0, 999, 1_234, 99_949, 123_456, 3_400_000].map(micros);
        assert_eq!(shown, ["0 µs", "999 µs", "1.2 ms", "99.9 ms", "123 ms", "3.4 s"]);
    }
}
