//! The grammar by tables: what is a command, a location, a time, a report, and what is not.

use super::*;
use proptest::collection;
use proptest::prelude::*;

fn sighting(line: &str) -> bool {
    matches!(Command::parse(line.as_bytes()), Command::IAmAt(_))
}

fn question(line: &str) -> bool {
    matches!(Command::parse(line.as_bytes()), Command::WhatsAt { .. })
}

#[test]
fn locations_that_are_and_are_not() {
    for good in
        ["+34.068930-118.445127", "+0+0", "-9-9", "+90+180", "-90.000-180.0", "+1.5+179.999999999999999999", "+07+007"]
    {
        assert!(sighting(&format!("IAMAT kiwi {good} 1")), "{good}");
        assert!(Place::parse(good.as_bytes()).is_some(), "{good}");
    }
    for bad in [
        "34-118",
        "+34",
        "+34.-118",
        "+.5-118",
        "+345-118",
        "+34-1180",
        "+90.0000000000000000000001+0",
        "+91+0",
        "+0-181",
        "+0+180.1",
        "++34-118",
        "+34-118-",
        "+34-118/",
        "+3 4-118",
        "+٣٤-118",
        "+1e1+0",
        "+34,0-118",
        "+",
        "-",
        "+34+",
        "+-",
    ] {
        assert!(!sighting(&format!("IAMAT kiwi {bad} 1")), "{bad}");
    }
}

#[test]
fn times_that_are_and_are_not() {
    for good in ["0", "1621464827", "1621464827.9", "1621464827.959498503", "18446744073709551615", "0001.5"] {
        assert!(Time::parse(good.as_bytes()).is_some() && Time::is_written(good.as_bytes()), "{good}");
    }
    for bad in
        ["", ".", "1.", ".5", "-1", "+1", "1e9", "1.0000000000", "18446744073709551616", "1_0", "0x1", "1.2.3", "١"]
    {
        assert!(Time::parse(bad.as_bytes()).is_none() && !Time::is_written(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn times_are_compared_as_numbers() {
    let time = |text: &str| Time::parse(text.as_bytes()).unwrap();
    assert_eq!(time("2.5"), time("0002.500"));
    assert!(time("9") < time("10"));
    assert!(time("1.000000001") > time("1"));
    assert!(time("0.9") > time("0.100000000"));
}

proptest! {
    /// What is written is what can be read, and ordered as what is read.
    #[test]
    fn written_times_are_told_and_ordered_as_read_ones_are(
        texts in collection::vec("[0-9]{0,3}[.]?[0-9]{0,3}|[0-9]{18,21}[.][0-9]{8,11}|[0-9.x]{0,4}", 2..8),
    ) {
        for one in &texts {
            let read = Time::parse(one.as_bytes());
            prop_assert_eq!(Time::is_written(one.as_bytes()), read.is_some(), "{}", one);
            for other in texts.iter().filter(|_| read.is_some()) {
                let Some(other_read) = Time::parse(other.as_bytes()) else { continue };
                let order = Time::cmp_written(one.as_bytes(), other.as_bytes());
                prop_assert_eq!(order, read.unwrap().cmp(&other_read), "{} {}", one, other);
            }
        }
    }
}

/// The grammar once more, from the outside in.
fn is_angle(text: &str, digits_max: usize, degrees_max: f64) -> bool {
    let Some(number) = text.strip_prefix(['+', '-']) else { return false };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && is_digits(fraction)
        && whole.len() <= digits_max
        && number.parse::<f64>().unwrap() <= degrees_max
}

proptest! {
    #[test]
    fn a_location_is_two_angles(
        location in "([+-][0-9]{0,3}[.]?[0-9]{0,3}){1,3}|[+-](90|89)([.]0{0,2}[01])?[+-]1(80|79)([.]0{0,2}[01])?|[+.9-]{0,6}",
    ) {
        let second = location.char_indices().skip(1).find(|&(_, char)| char == '+' || char == '-');
        let (latitude, longitude) = location.split_at(second.map_or(location.len(), |(at, _)| at));
        let expected = is_angle(latitude, 2, 90.0) && is_angle(longitude, 3, 180.0);
        prop_assert_eq!(is_location(location.as_bytes()), expected);
        prop_assert_eq!(Place::parse(location.as_bytes()).is_some(), expected);
    }
}

#[test]
fn skews_are_signed_and_have_nine_decimals() {
    let skew = |now: &str, then: &str| {
        let mut text = Vec::new();
        let parse = |text: &str| Time::parse(text.as_bytes()).unwrap();
        parse(now).write_skew(parse(then), &mut text);
        String::from_utf8(text).unwrap()
    };
    assert_eq!(skew("1621464828.223371889", "1621464827.959498503"), "+0.263873386");
    assert_eq!(skew("1", "1"), "+0.000000000");
    assert_eq!(skew("1", "1.000000001"), "-0.000000001");
    assert_eq!(skew("0", "18446744073709551615.999999999"), "-18446744073709551615.999999999");
    assert_eq!(skew("12.05", "2"), "+10.050000000");
}

#[test]
fn radii_and_bounds_that_are_and_are_not() {
    for good in ["1 0", "50 20", "0.001 5", "50.000 1", "10.5871263 5", "007 07"] {
        assert!(question(&format!("WHATSAT kiwi {good}")), "{good}");
    }
    for bad in [
        "0 5",
        "0.0 5",
        "50.0000000000000000001 5",
        "51 5",
        "-1 5",
        "+1 5",
        "1e1 5",
        "nan 5",
        "inf 5",
        "10. 5",
        ".5 5",
        "10 21",
        "10 -1",
        "10 +5",
        "10 5.0",
        "10",
        "10 5 x",
        "99999999999999999999 5",
        "10 99999999999999999999",
    ] {
        assert!(!question(&format!("WHATSAT kiwi {bad}")), "{bad}");
    }
}

#[test]
fn any_white_space_separates_and_any_bytes_name() {
    assert!(sighting("\x0b IAMAT\t kiwi \x0c +1-1\r 1 \r"));
    assert!(matches!(Command::parse(b"IAMAT \xff\xfe\x00 +1-1 1"), Command::IAmAt(s) if s.client == b"\xff\xfe\x00"));
    assert!(!sighting("IAMAT ki\u{a0}wi\u{a0}+1-1 1"), "a no-break space is no white space");
    assert!(!sighting("iamat kiwi +1-1 1"), "commands are case-sensitive");
    assert!(!sighting("IAMAT kiwi +1-1"));
    assert!(!sighting("IAMAT kiwi +1-1 1 1"));
}

#[test]
fn http_is_recognised_and_commands_are_not_http() {
    for line in [
        "GET / HTTP/1.1\r",
        "POST /x HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET",
        "BREW /pot HTTP/1.0",
        "Host: 127.0.0.1:11000",
        "OPTIONS *",
    ] {
        assert_eq!(Command::parse(line.as_bytes()), Command::Http, "{line}");
    }
    for line in ["", "get", "WHATSAT GET", "IAMAT GET", "HTTP", "? GET"] {
        assert_eq!(Command::parse(line.as_bytes()), Command::Unknown, "{line}");
    }
    assert!(sighting("IAMAT GET +1-1 1"));
}

#[test]
fn a_burst_is_lines_that_end() {
    let of = |burst: &'static [u8]| lines(burst).collect::<Vec<_>>();
    assert_eq!(of(b"a\n\nbc\nd"), [&b"a"[..], b"", b"bc"]);
    assert!(of(b"").is_empty() && of(b"d").is_empty());
}

#[test]
fn a_glance_sees_the_client_of_a_report() {
    let glance = |line: &'static str| Report::client_at_a_glance(line.as_bytes());
    assert_eq!(glance("AT Clark +0.263873386 kiwi +34-118 1"), Some(&b"kiwi"[..]));
    for other in ["", "AT", "AT ", "AT Clark", "AT Clark +0.2", "AT Clark +0.2 kiwi", "TOLD 1 2 3 4", "HEARD 7"] {
        assert_eq!(glance(other), None, "{other}");
    }
}

#[test]
fn reports_are_read_as_servers_write_them_and_in_no_other_way() {
    let line = b"AT Clark +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503";
    let report = Report::parse(line).unwrap();
    assert_eq!(report.client(), b"kiwi.cs.ucla.edu");
    assert_eq!(report.place().unwrap(), Place { latitude: 34.068_93, longitude: -118.445_127 });
    assert_eq!(report.at(), Time::new(1_621_464_827, 959_498_503));
    for bad in [
        "AT Clark +0.263873386 kiwi +34-118",
        "AT Clark 0.263873386 kiwi +34-118 1",
        "AT Clark +0.26 kiwi +34-118 1",
        "AT Clark +0.263873386 kiwi +34-118 1 ",
        "AT  Clark +0.263873386 kiwi +34-118 1",
        "AT Clark +0.263873386 ki\twi +34-118 1",
        " AT Clark +0.263873386 kiwi +34-118 1",
        "AT Cl\tark +0.263873386 kiwi +34-118 1",
        "AT Clark +0.263873386  +34-118 1",
        "AT Clark +0.263873386x kiwi +34-118 1",
        "AT Clark +0.263873386 kiwi +34-118x 1",
        "AT Clark +0.263873386 kiwi +34-118 1\t",
        "AT Clark +0.263873386 kiwi +34-118 ",
        "AT Clark +0.263873386 kiwi +34-118",
        "AT Clark +0.263873386 kiwi +95-118 1",
        "at Clark +0.263873386 kiwi +34-118 1",
    ] {
        assert!(Report::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}
