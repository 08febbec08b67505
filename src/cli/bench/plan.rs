//! What a bench is asked to do, and what it must not exceed, as types.

use std::time::Duration;

use crate::cli::{escape, human};

/// `--mix 95:5`: how many of a hundred commands are `IAMAT`, or in any other proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    pub iamat: u32,
    pub whatsat: u32,
}

/// # Errors
///
/// What would be right.
pub fn parse_mix(typed: &str) -> Result<Mix, String> {
    let wrong = || "two whole numbers, IAMAT to WHATSAT: 95:5".to_owned();
    let (iamat, whatsat) = typed.split_once(':').ok_or_else(wrong)?;
    let part = |text: &str| text.parse().ok().filter(|&part: &u32| part <= 1_000_000).ok_or_else(wrong);
    let mix = Mix { iamat: part(iamat)?, whatsat: part(whatsat)? };
    if mix.iamat + mix.whatsat == 0 { Err(wrong()) } else { Ok(mix) }
}

/// `--fail-if 'p99>5ms'`: what is too slow.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was typed.
    pub text: String,
    pub of: Of,
    pub figure: Figure,
    pub limit: Limit,
}

/// Whose latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Iamat,
    Whatsat,
    Convergence,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// Of a hundred.
    Percentile(f64),
    Max,
    Throughput,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    SlowerThan(Duration),
    /// Commands a second.
    FewerThan(f64),
}

/// # Errors
///
/// What would be right.
pub fn parse_condition(typed: &str) -> Result<Condition, String> {
    let wrong = || {
        let typed = escape::text(typed);
        format!("{typed:?} is no condition: p99>5ms, whatsat.max>1s, convergence.p50>1ms, throughput<100000")
    };
    let plain: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(least) = plain.strip_prefix("throughput<") {
        let least = least.parse().ok().filter(|least: &f64| least.is_finite()).ok_or_else(wrong)?;
        let (of, figure) = (Of::Iamat, Figure::Throughput);
        return Ok(Condition { text: plain, of, figure, limit: Limit::FewerThan(least) });
    }
    let (what, longest) = plain.split_once('>').ok_or_else(wrong)?;
    let (of, figure) = match what.rsplit_once('.').filter(|(of, _)| !of.starts_with('p')) {
        None => (Of::Iamat, what),
        Some(("iamat", figure)) => (Of::Iamat, figure),
        Some(("whatsat", figure)) => (Of::Whatsat, figure),
        Some(("convergence", figure)) => (Of::Convergence, figure),
        Some(_) => split_percentile(what).ok_or_else(wrong)?,
    };
    let figure = match figure {
        "max" => Figure::Max,
        "p50" => Figure::Percentile(50.0),
        "p90" => Figure::Percentile(90.0),
        "p99" => Figure::Percentile(99.0),
        "p99.9" => Figure::Percentile(99.9),
        _ => return Err(wrong()),
    };
    let limit = Limit::SlowerThan(human::parse_duration(longest)?);
    Ok(Condition { text: plain.clone(), of, figure, limit })
}

/// `whatsat.p99.9` has a point too many for a split at the last one.
fn split_percentile(what: &str) -> Option<(Of, &str)> {
    let (of, figure) = what.split_once('.')?;
    let of = match of {
        "iamat" => Of::Iamat,
        "whatsat" => Of::Whatsat,
        "convergence" => Of::Convergence,
        _ => return None,
    };
    Some((of, figure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_that_are_and_are_not() {
        assert_eq!(parse_mix("95:5"), Ok(Mix { iamat: 95, whatsat: 5 }));
        assert_eq!(parse_mix("1:0"), Ok(Mix { iamat: 1, whatsat: 0 }));
        for wrong in ["", "95", "0:0", "-1:2", "1:2:3", "a:b", "99999999999:1"] {
            assert!(parse_mix(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions_that_are_and_are_not() {
        let parts = |typed: &str| parse_condition(typed).map(|c| (c.of, c.figure, c.limit)).unwrap();
        let ms = |ms| Limit::SlowerThan(Duration::from_millis(ms));
        assert_eq!(parts("p99>5ms"), (Of::Iamat, Figure::Percentile(99.0), ms(5)));
        assert_eq!(parts("p99.9 > 1s"), (Of::Iamat, Figure::Percentile(99.9), ms(1000)));
        assert_eq!(parts("whatsat.p99.9>1s"), (Of::Whatsat, Figure::Percentile(99.9), ms(1000)));
        assert_eq!(parts("convergence.max>2s"), (Of::Convergence, Figure::Max, ms(2000)));
        assert_eq!(parts("throughput<1000").2, Limit::FewerThan(1000.0));
        for wrong in ["", "p99", "p99<5ms", "p98>5ms", "p99>5", "x.p99>5ms", "throughput<x", "throughput<inf"] {
            assert!(parse_condition(wrong).is_err(), "{wrong}");
        }
    }
}
