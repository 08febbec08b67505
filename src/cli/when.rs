//! Points in time as people type them: `5m` ago, `15:04` today, RFC 3339. What the clock says is an argument.

use jiff::{SignedDuration, Timestamp};

use super::human;

/// A point in time that was typed: `5m` (ago), `15:04` or `15:04:05.5` (UTC as in the logs, the last time the clock
/// said so), or RFC 3339, whole or cut short after the minutes or the seconds.
///
/// # Errors
///
/// What would be right.
pub fn parse(typed: &str, now: Timestamp) -> Result<Timestamp, String> {
    let typed = typed.trim();
    if typed.ends_with(|c: char| c.is_ascii_lowercase())
        && let Ok(ago) = human::parse_duration(typed)
    {
        return SignedDuration::try_from(ago)
            .ok()
            .and_then(|ago| now.checked_sub(ago).ok())
            .ok_or_else(|| "too long ago".into());
    }
    if let Some(time) = whole(typed) {
        return Ok(time);
    }
    let today = now.strftime("%Y-%m-%d").to_string();
    let time = whole(&format!("{today}T{typed}Z"))
        .ok_or("not a time: write 5m (ago), 15:04, 15:04:05 or 2026-11-22T15:04:05Z")?;
    // What is still to come today was meant of yesterday.
    Ok(if time > now { time - SignedDuration::from_hours(24) } else { time })
}

/// RFC 3339; without seconds too, and without a zone, which is UTC then.
fn whole(typed: &str) -> Option<Timestamp> {
    let zoned = [typed.to_owned(), format!("{typed}Z")];
    zoned.iter().find_map(|text| text.parse().ok())
}

/// A point in time as log records and events have it.
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let now = "2026-11-22T15:30:00Z".parse().unwrap();
        assert_eq!(parse(typed, now).map(rfc3339), Ok(expected.to_owned()), "{typed}");
    }

    #[test]
    fn times_as_people_type_them() {
        check("5m", "2026-11-22T15:25:00.000000Z");
        check("1.5s", "2026-11-22T15:29:58.500000Z");
        check("24h", "2026-11-21T15:30:00.000000Z");
        check("15:04", "2026-11-22T15:04:00.000000Z");
        check("15:04:05", "2026-11-22T15:04:05.000000Z");
        check("15:04:05.123456", "2026-11-22T15:04:05.123456Z");
        check("15:31", "2026-11-21T15:31:00.000000Z");
        check("2026-11-20T15:04Z", "2026-11-20T15:04:00.000000Z");
        check("2026-11-20T15:04:05.123456Z", "2026-11-20T15:04:05.123456Z");
        check("2026-11-20T15:04:05", "2026-11-20T15:04:05.000000Z");
        check("2026-11-20T15:04:05+02:00", "2026-11-20T13:04:05.000000Z");
    }

    #[test]
    fn what_is_no_time_is_said_to_be_none() {
        for wrong in ["", "soon", "5", "25:00", "5 minutes", "2026-13-01T00:00Z", "15:04:05:06", "\u{1b}[2J"] {
            let why = parse(wrong, Timestamp::UNIX_EPOCH).expect_err(wrong);
            assert!(why.contains("15:04"), "{why}");
        }
    }
}
