//! How long something has been so or will be, as a person is told it.

/// How long something has been so: `0s`, `8s`, `12m`, `3h 5m`, `2d 4h`.
#[must_use]
pub fn age(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 if s % 3600 < 60 => format!("{}h", s / 3600),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ if s % 86_400 < 3600 => format!("{}d", s / 86_400),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// How long something will still be so: `250ms`, `22s`, `3h 5m`. Rounded up, so that what has just begun is said as it was
/// asked for.
#[must_use]
pub fn left(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => age(ms.div_ceil(1000) * 1000),
        _ => age(ms.div_ceil(60_000) * 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_get_coarser_as_they_grow() {
        let shown = [0, 8_999, 60_000, 724_113, 3_600_000, 11_100_000, 86_400_000, 190_800_000].map(age);
        assert_eq!(shown, ["0s", "8s", "1m", "12m", "1h", "3h 5m", "1d", "2d 5h"]);
    }

    #[test]
    fn what_is_left_is_said_as_it_was_asked_for() {
        let shown = [0, 250, 1_999, 2_000, 59_999, 119_990, 11_099_990, 86_399_990].map(left);
        assert_eq!(shown, ["0ms", "250ms", "2s", "2s", "1m", "2m", "3h 5m", "1d"]);
    }
}
