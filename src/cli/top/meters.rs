//! Rates and latencies, from two looks at the herd's metrics: how fast its counters move, and which latencies its
//! histograms gained. Pure: reads Prometheus' text format, of which it needs a few families.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Rates are over so long: long enough not to jump, short enough to follow a change.
const OVER: Duration = Duration::from_secs(5);

/// What one look at the metrics saw.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    servers: BTreeMap<String, Counters>,
    /// How long an end of a link has not confirmed, by server and peer.
    lags: BTreeMap<(String, String), f64>,
}

#[derive(Debug, Clone, Default)]
struct Counters {
    news: f64,
    answers: f64,
    answer: Histogram,
    convergence: Histogram,
}

/// How many took so long, by the ends of the buckets in seconds; the last has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram(Vec<(f64, f64)>);

/// How a server does, or all together.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Reports a second that were news to it.
    pub news: f64,
    /// Answers to clients a second.
    pub answers: f64,
    /// From a command to its answer.
    pub answer: Histogram,
    /// From a report's acceptance anywhere until it knew it.
    pub convergence: Histogram,
}

/// The last few readings.
#[derive(Debug, Default)]
pub struct Meters {
    readings: VecDeque<(Instant, Reading)>,
}

impl Reading {
    pub fn of(page: &str) -> Self {
        let mut reading = Self::default();
        page.lines().filter_map(sample).for_each(|sample| reading.take(&sample));
        reading
    }

    fn take(&mut self, sample: &Sample) {
        let Some(server) = sample.label("server") else { return };
        if sample.name == "herd_link_lag_seconds" {
            let ends = (server.to_owned(), sample.label("peer").unwrap_or_default().to_owned());
            self.lags.insert(ends, sample.value);
            return;
        }
        let counters = self.servers.entry(server.to_owned()).or_default();
        match sample.name {
            "herd_reports_accepted_total" => counters.news += sample.value,
            "herd_answers_total" => counters.answers += sample.value,
            "herd_answer_seconds_bucket" => counters.answer.take(sample),
            "herd_convergence_seconds_bucket" => counters.convergence.take(sample),
            _ => {}
        }
    }
}

impl Meters {
    pub fn add(&mut self, reading: Reading, now: Instant) {
        // One that is older than the span stays, so that there is a whole span.
        while self.readings.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= OVER) {
            self.readings.pop_front();
        }
        self.readings.push_back((now, reading));
    }

    /// How one server does; none before there are two readings of it, and while the last could not read it.
    pub fn of(&self, server: &str) -> Option<Pace> {
        let counters = |(at, reading): &'_ (Instant, Reading)| Some((*at, reading.servers.get(server)?.clone()));
        let (to, after) = counters(self.readings.back()?)?;
        let (from, before) = self.readings.iter().find_map(counters)?;
        let seconds = to.duration_since(from).as_secs_f64();
        (seconds > 0.0).then(|| Pace {
            news: gained(before.news, after.news) / seconds,
            answers: gained(before.answers, after.answers) / seconds,
            answer: after.answer.since(&before.answer),
            convergence: after.convergence.since(&before.convergence),
        })
    }

    /// How all servers do together.
    pub fn of_all(&self) -> Option<Pace> {
        let servers = &self.readings.back()?.1.servers;
        let mut paces = servers.keys().filter_map(|server| self.of(server));
        let first = paces.next()?;
        Some(paces.fold(first, |sum, pace| Pace {
            news: sum.news + pace.news,
            answers: sum.answers + pace.answers,
            answer: sum.answer.with(&pace.answer),
            convergence: sum.convergence.with(&pace.convergence),
        }))
    }

    /// For how many seconds `peer` has not confirmed what `server` knew then.
    pub fn lag(&self, server: &str, peer: &str) -> Option<f64> {
        self.readings.back()?.1.lags.get(&(server.to_owned(), peer.to_owned())).copied()
    }
}

impl Histogram {
    fn take(&mut self, bucket: &Sample) {
        let end = bucket.label("le").and_then(|end| end.replace("+Inf", "inf").parse().ok());
        self.0.extend(end.map(|end: f64| (end, bucket.value)));
    }

    fn since(&self, before: &Self) -> Self {
        let was = |end: f64| before.0.iter().find(|(other, _)| *other == end).map_or(0.0, |(_, count)| *count);
        // A server that was started again counts from nothing.
        let is_new = self.0.iter().any(|(end, count)| *count < was(*end));
        Self(self.0.iter().map(|(end, count)| (*end, if is_new { *count } else { count - was(*end) })).collect())
    }

    fn with(&self, other: &Self) -> Self {
        let plus = |end: f64| other.0.iter().find(|(at, _)| *at == end).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|(end, count)| (*end, count + plus(*end))).collect())
    }

    pub fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The seconds that this share took at most, as Prometheus' `histogram_quantile` guesses it: evenly within a
    /// bucket, and the start of the last. None where nothing was counted.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share * self.count();
        let nth = self.0.iter().position(|(_, count)| *count >= rank && *count > 0.0)?;
        let (start, below) = nth.checked_sub(1).map_or((0.0, 0.0), |before| self.0[before]);
        let (end, upto) = self.0[nth];
        if end.is_infinite() {
            return Some(start);
        }
        Some(start + (end - start) * ((rank - below) / (upto - below)).clamp(0.0, 1.0))
    }
}

/// What a counter gained; one that fell began anew.
fn gained(before: f64, after: f64) -> f64 {
    if after < before { after } else { after - before }
}

/// One line that is no comment.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

impl Sample<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| *value)
    }
}

/// `name{label="value",…} number`. Values hold servers' names, which are one plain word, and numbers: no escapes.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name, value.trim_end_matches('"')))
    });
    let is_comment = line.starts_with('#');
    (!is_comment).then_some(())?;
    Some(Sample { name, labels: labels.collect(), value: value.parse().ok()? })
}

/// A latency for a narrow column: `85µs`, `4.2ms`, `1.2s`.
pub fn brief(seconds: f64) -> String {
    match seconds * 1e6 {
        us if us < 1000.0 => format!("{us:.0}µs"),
        us if us < 10_000.0 => format!("{:.1}ms", us / 1e3),
        us if us < 1e6 => format!("{:.0}ms", us / 1e3),
        us => format!("{:.1}s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(news: u32, fast: u32, slow: u32) -> Reading {
        Reading::of(&format!(
            "# HELP herd_answers_total Answers.\n\
             herd_info{{herd=\"x\"}} 1\n\
             herd_reports_accepted_total{{server=\"Clark\",from=\"client\"}} {news}\n\
             herd_reports_accepted_total{{server=\"Clark\",from=\"neighbour\"}} 100\n\
             herd_answers_total{{server=\"Clark\",kind=\"report\"}} {}\n\
             herd_answer_seconds_bucket{{server=\"Clark\",le=\"0.001\"}} {fast}\n\
             herd_answer_seconds_bucket{{server=\"Clark\",le=\"0.002\"}} {}\n\
             herd_answer_seconds_bucket{{server=\"Clark\",le=\"+Inf\"}} {}\n\
             herd_link_lag_seconds{{server=\"Clark\",peer=\"Bona\"}} 1.5\n",
            fast + slow,
            fast + slow,
            fast + slow,
        ))
    }

    fn meters(readings: &[(u64, Reading)]) -> Meters {
        let (start, mut meters) = (Instant::now(), Meters::default());
        for (second, reading) in readings {
            meters.add(reading.clone(), start + Duration::from_secs(*second));
        }
        meters
    }

    #[test]
    fn rates_and_latencies_are_what_came_between_two_looks() {
        let meters = meters(&[(0, page(10, 900, 0)), (2, page(30, 950, 50))]);
        let pace = meters.of("Clark").unwrap();
        assert_eq!((pace.news, pace.answers, pace.answer.count()), (10.0, 50.0, 100.0));
        assert_eq!((pace.answer.quantile(0.5), pace.answer.quantile(0.99)), (Some(0.001), Some(0.00198)));
        assert_eq!((pace.convergence.quantile(0.5), meters.lag("Clark", "Bona")), (None, Some(1.5)));
        assert_eq!(meters.of_all().unwrap().news, 10.0);
    }

    #[test]
    fn one_look_tells_no_rate_and_a_restarted_server_counts_anew() {
        assert!(meters(&[(0, page(10, 0, 0))]).of("Clark").is_none());
        let pace = meters(&[(0, page(1000, 900, 0)), (1, page(5, 3, 0))]).of("Clark").unwrap();
        assert_eq!((pace.news, pace.answer.count()), (105.0, 3.0));
    }

    #[test]
    fn a_server_that_could_not_be_read_for_a_while_has_done_nothing_at_once() {
        let seen = |readings: &[(u64, Reading)]| meters(readings).of("Clark").map(|pace| pace.news);
        assert_eq!(seen(&[(0, page(1000, 0, 0)), (1, Reading::default())]), None);
        assert_eq!(seen(&[(0, Reading::default()), (1, page(1000, 0, 0))]), None);
        assert_eq!(seen(&[(0, Reading::default()), (1, page(1000, 0, 0)), (2, page(1003, 0, 0))]), Some(3.0));
    }

    #[test]
    fn old_readings_are_forgotten() {
        let readings: Vec<_> = (0..100).map(|second| (u64::from(second), page(second, 0, 0))).collect();
        let meters = meters(&readings);
        assert_eq!((meters.readings.len(), meters.of("Clark").unwrap().news), (6, 1.0));
    }

    #[test]
    fn anything_may_come_and_latencies_are_short() {
        Reading::of("} 1\n{ 2\nx{=\"} 3\n\u{1b} 4\nherd_link_lag_seconds{server=\"\"} nan\n ");
        let shown = [0.000_085, 0.0042, 0.042, 1.234].map(brief);
        assert_eq!(shown, ["85µs", "4.2ms", "42ms", "1.2s"]);
    }
}
