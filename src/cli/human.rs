//! How people write and read durations, counts and paths. Pure: what it needs to know is an argument.

use std::path::Path;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::escape;
pub use crate::herd::api::age;

/// The longest duration that can be asked for: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `250ms`, `5s`, `1.5s`, `2m` or `1h`.
///
/// # Errors
///
/// What is wrong and what would be right: no unit, no number, nothing at all, more than a day.
pub fn parse_duration(typed: &str) -> Result<Duration, String> {
    let split = typed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(typed.len());
    let (number, unit) = typed.split_at(split);
    let unit_s = match unit.trim_start() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => return Err("a duration has a unit: 250ms, 5s, 2m or 1h".into()),
        other => return Err(format!("no unit {:?}: write 250ms, 5s, 2m or 1h", escape::text(other))),
    };
    let number: f64 = number.parse().map_err(|_| "not a duration: write 250ms, 5s, 2m or 1h".to_owned())?;
    match Duration::try_from_secs_f64(number * unit_s) {
        Ok(duration) if duration.is_zero() => Err("a duration is longer than nothing".into()),
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("a duration is at most a day: 24h".into()),
    }
}

/// Reads a duration that may be nothing: `0`, `0ms`.
///
/// # Errors
///
/// As [`parse_duration`].
pub fn parse_delay(typed: &str) -> Result<Duration, String> {
    match typed {
        "0" | "0ms" | "0s" => Ok(Duration::ZERO),
        _ => parse_duration(typed),
    }
}

/// Reads `20%`, `20` or `0.5%`.
///
/// # Errors
///
/// What would be right.
pub fn parse_percent(typed: &str) -> Result<f64, String> {
    let number = typed.strip_suffix('%').unwrap_or(typed).parse().ok();
    number.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "from 0% to 100%".to_owned())
}

/// Reads bytes: `500`, `64k`, `2M`; k is 1000, M a million.
///
/// # Errors
///
/// What would be right.
pub fn parse_bytes(typed: &str) -> Result<u64, String> {
    let split = typed.find(|c: char| !c.is_ascii_digit()).unwrap_or(typed.len());
    let (number, unit) = typed.split_at(split);
    let unit = match unit {
        "" => Some(1),
        "k" | "K" => Some(1000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        _ => None,
    };
    let bytes = unit.and_then(|unit: u64| unit.checked_mul(number.parse().ok()?));
    bytes.ok_or_else(|| "bytes a second: 500, 64k or 2M".to_owned())
}

/// Whole milliseconds, as documents have them.
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long something took: `0.4 ms`, `41 ms`, `1.2 s`.
pub fn took(duration: Duration) -> String {
    let us = duration.as_micros();
    match us {
        0..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A limit as it was asked for: `5s`, `250ms`, `2m`.
pub fn limit(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        _ if ms.is_multiple_of(60_000) && ms > 0 => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ if ms > 1000 => format!("{:.1}s", duration.as_secs_f64()),
        _ => format!("{ms}ms"),
    }
}

/// `1 link`, `2 links`, `41,000 links`.
pub fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// A path as a person would write it: `./logs` below the working directory, `~/herd` below the home directory;
/// harmless on a terminal.
pub fn path(path: &Path, here: Option<&Path>, home: Option<&Path>) -> String {
    let below = |start: Option<&Path>| {
        let start = start.filter(|start| start.parent().is_some())?;
        path.strip_prefix(start).ok()
    };
    let shown = match (below(here), below(home)) {
        (Some(rest), _) if rest.as_os_str().is_empty() => ".".to_owned(),
        (Some(rest), _) => format!("./{}", rest.display()),
        (None, Some(rest)) if rest.as_os_str().is_empty() => "~".to_owned(),
        (None, Some(rest)) => format!("~/{}", rest.display()),
        (None, None) => path.display().to_string(),
    };
    escape::text(&shown).into_owned()
}

/// `text` and as many spaces as it lacks to `columns`, counted as a terminal does.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(text.width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "5", "s", "-5s", "5 parsecs", "0s", "1.2.3s", "25h", "99999999999999999999h", "\u{1b}"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
        assert!(!parse_duration("5\u{1b}").unwrap_err().contains('\u{1b}'));
    }

    #[test]
    fn shares_and_rates_read_as_people_write_them() {
        assert_eq!(["20%", "20", "0.5%", "0"].map(|typed| parse_percent(typed).unwrap()), [20.0, 20.0, 0.5, 0.0]);
        assert_eq!(["0", "500", "64k", "2M"].map(|typed| parse_bytes(typed).unwrap()), [0, 500, 64_000, 2_000_000]);
        assert_eq!(parse_delay("0ms"), Ok(Duration::ZERO));
        for wrong in ["", "101%", "-1", "NaN", "%", "5 %"] {
            assert!(parse_percent(wrong).is_err(), "{wrong:?}");
        }
        for wrong in ["", "k", "5KiB", "-5", "1.5", "99999999999999999999G"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_something_took_keeps_two_digits() {
        let shown = [40, 400, 9_950, 41_700, 1_230_000].map(|us| took(Duration::from_micros(us)));
        assert_eq!(shown, ["0.0 ms", "0.4 ms", "9.9 ms", "41 ms", "1.2 s"]);
    }

    #[test]
    fn limits_read_as_they_were_written() {
        let shown = [250, 1000, 5000, 1500, 120_000].map(|ms| limit(Duration::from_millis(ms)));
        assert_eq!(shown, ["250ms", "1s", "5s", "1.5s", "2m"]);
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(0, "link"), "0 links");
        assert_eq!(count(1, "link"), "1 link");
        assert_eq!(count(1_234_567, "link"), "1,234,567 links");
    }

    #[test]
    fn paths_are_short_and_harmless() {
        let show = |p: &str| path(Path::new(p), Some(Path::new("/home/eva/herd")), Some(Path::new("/home/eva")));
        assert_eq!(show("/home/eva/herd/logs"), "./logs");
        assert_eq!(show("/home/eva/old/herd.toml"), "~/old/herd.toml");
        assert_eq!(show("/srv/\u{1b}[2J"), "/srv/\\x1b[2J");
        assert_eq!(path(Path::new("/srv/x"), Some(Path::new("/")), None), "/srv/x");
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad("東京", 6), "東京  ");
        assert_eq!(pad("abc", 2), "abc");
    }
}
