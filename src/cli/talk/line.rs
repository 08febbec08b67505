//! What is wrong with a line before it is sent, in words for a person. The server has the last word; this only
//! spares a person a `? …`. Also keeps one command one line.

/// `IAMAT`'s three fields.
pub fn check_iamat(client: &[u8], location: &[u8], time: &[u8]) -> Result<(), String> {
    check_words(&[client, location, time])?;
    check_location(location)?;
    check_time(time)
}

/// Each is one word.
pub fn check_words(words: &[&[u8]]) -> Result<(), String> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    match words.iter().find(|word| word.is_empty() || word.iter().any(is_space)) {
        Some(wrong) => Err(format!("{} is not one word", shown(wrong))),
        None => Ok(()),
    }
}

fn check_location(location: &[u8]) -> Result<(), String> {
    let wrong = |why: &str| {
        format!("{} is no location: {why}; right: +34.068930-118.445127, latitude then longitude", shown(location))
    };
    let second = location.iter().skip(1).position(|byte| matches!(byte, b'+' | b'-')).map(|at| at + 1);
    let (latitude, longitude) = location.split_at(second.ok_or_else(|| wrong("it lacks a sign"))?);
    check_degrees(latitude, 2, 90.0).map_err(|why| wrong(&format!("the latitude {why}")))?;
    check_degrees(longitude, 3, 180.0).map_err(|why| wrong(&format!("the longitude {why}")))
}

/// A sign, one to `digits_max` digits, and perhaps a point and more digits; not past `most`.
fn check_degrees(degrees: &[u8], digits_max: usize, most: f64) -> Result<(), String> {
    let [b'+' | b'-', number @ ..] = degrees else { return Err("has no sign".into()) };
    let point = number.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = (&number[..point.unwrap_or(number.len())], point.map(|at| &number[at + 1..]));
    let is_number = !whole.is_empty() && whole.iter().chain(fraction.unwrap_or_default()).all(u8::is_ascii_digit);
    if !is_number || whole.len() > digits_max {
        return Err(format!("has one to {digits_max} digits before its point, and digits after it"));
    }
    let value: Option<f64> = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    if value.is_some_and(|value| value <= most) { Ok(()) } else { Err(format!("is past {most}")) }
}

fn check_time(time: &[u8]) -> Result<(), String> {
    let point = time.iter().position(|&byte| byte == b'.');
    let (seconds, fraction) = (&time[..point.unwrap_or(time.len())], point.map(|at| &time[at + 1..]));
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if digits(seconds) && fraction.is_none_or(|fraction| digits(fraction) && fraction.len() <= 9) {
        return Ok(());
    }
    Err(format!("{} is no time: right are POSIX seconds, as 1763823845.123243, to nine decimals", shown(time)))
}

fn shown(word: &[u8]) -> String {
    format!("\"{}\"", crate::cli::escape::line(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_iso_6709() {
        for right in ["+34.068930-118.445127", "+0+0", "-90+180", "+1.-1.", "+90.000-180.000"] {
            assert_eq!(check_location(right.as_bytes()), Ok(()), "{right}");
        }
        for wrong in
            ["", "34.06-118.4", "+34.06", "+91+0", "+0+181", "+90.1+0", "+034+0", "+3a+0", "+.5+0", "++0", "+0+0+0"]
        {
            assert!(check_location(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(check_location(b"+1\x1b+2").unwrap_err().contains("\\x1b"));
    }

    #[test]
    fn times_are_posix_seconds() {
        for right in ["0", "1763823845", "1763823845.1", "1763823845.123456789"] {
            assert_eq!(check_time(right.as_bytes()), Ok(()), "{right}");
        }
        for wrong in ["", ".5", "1.", "-1", "1.1234567890", "now", "1e9"] {
            assert!(check_time(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_command_is_one_line() {
        assert!(check_words(&[b"kiwi", b"10"]).is_ok());
        for wrong in [&b""[..], b"a b", b"a\nIAMAT", b"a\x0bb"] {
            assert!(check_words(&[wrong]).is_err());
        }
    }
}
