//! The grammar of a line: fields, names, locations, times, reports.
//!
//! Everything is bytes. A client's fields are handed on as they came, never re-printed, so that the last
//! three fields of an answer are the client's own. Nothing here knows what a server does with a line.

use std::fmt;

use memchr::memchr;

/// What a client's line means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command<'a> {
    /// `IAMAT <client> <location> <time>`
    IAmAt(Sighting<'a>),
    /// `WHATSAT <client> <radius> <bound>`
    WhatsAt {
        client: &'a [u8],
        /// Kilometres, more than 0 and at most 50.
        radius_km: f64,
        /// How many places at most, 0 to 20.
        bound: usize,
    },
    /// Looks like the start of an HTTP request: somebody's browser is being made to talk to us.
    Http,
    /// No command.
    Unknown,
}

/// A client says where it is; the fields are the client's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    pub client: &'a [u8],
    pub location: &'a [u8],
    pub time: &'a [u8],
    /// `time`, as a number.
    pub at: Time,
}

impl<'a> Command<'a> {
    /// What `line`, without its LF, means.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Self {
        let mut fields = fields(line);
        let parsed = match fields.next() {
            Some(b"IAMAT") => Self::i_am_at(&mut fields),
            Some(b"WHATSAT") => Self::whats_at(&mut fields),
            _ => None,
        };
        match parsed {
            Some(command) if fields.next().is_none() => command,
            _ if is_http(line) => Self::Http,
            _ => Self::Unknown,
        }
    }

    fn i_am_at(fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (client, location, time) = (fields.next()?, fields.next()?, fields.next()?);
        is_location(location).then_some(())?;
        let at = Time::parse(time)?;
        Some(Self::IAmAt(Sighting { client, location, time, at }))
    }

    fn whats_at(fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (client, radius, bound) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self::WhatsAt { client, radius_km: parse_radius(radius)?, bound: parse_bound(bound)? })
    }
}

/// The fields of a line: what white space (space, tab, CR, LF, form feed, vertical tab) separates.
pub fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| is_white(byte)).filter(|field| !field.is_empty())
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Whether a line is the first of an HTTP request. A web page can make a browser send one to any port, with
/// a body of its own choosing, which must never be read as commands.
fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE", b"PRI"];
    let Some(first) = fields(line).next() else { return false };
    METHODS.contains(&first)
        || fields(line).last().is_some_and(|last| last.starts_with(b"HTTP/"))
        || first.eq_ignore_ascii_case(b"host:")
}

/// A time in POSIX seconds, exact to the nanosecond.
///
/// Kept as text wherever it is passed on; this is what times are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    seconds: u64,
    nanos: u32,
}

impl Time {
    /// From whole seconds since the epoch and the nanoseconds after them (less than 10⁹).
    #[must_use]
    pub const fn new(seconds: u64, nanos: u32) -> Self {
        Self { seconds, nanos }
    }

    /// Reads digits, optionally followed by a point and one to nine digits. The seconds fit in 64 bits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (whole, fraction) = split_decimal(text)?;
        let nanos = match fraction {
            None => 0,
            Some(digits) if digits.len() <= 9 => {
                let scale = 10_u32.pow(9 - u32::try_from(digits.len()).ok()?);
                digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')) * scale
            }
            Some(_) => return None,
        };
        Some(Self { seconds: parse_digits(whole)?, nanos })
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.seconds
    }

    /// The nanoseconds after them.
    #[must_use]
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// So many seconds later; the last there is if there are not so many.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self { seconds: self.seconds.saturating_add(seconds), ..self }
    }

    fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }

    /// Writes `self - earlier` in seconds: always signed, always nine decimals.
    pub fn write_skew(self, earlier: Self, into: &mut Vec<u8>) {
        let skew = self.nanoseconds() - earlier.nanoseconds();
        let magnitude = skew.unsigned_abs();
        into.push(if skew < 0 { b'-' } else { b'+' });
        // At most 2⁶⁴ seconds apart, so both parts fit.
        let (seconds, mut nanos) = ((magnitude / 1_000_000_000) as u64, (magnitude % 1_000_000_000) as u32);
        into.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
        let mut decimals = *b".000000000";
        for digit in decimals[1..].iter_mut().rev() {
            *digit += (nanos % 10) as u8;
            nanos /= 10;
        }
        into.extend_from_slice(&decimals);
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.seconds, self.nanos)
    }
}

/// A point on the globe, in decimal degrees; what a location means, for looking up what is near it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub latitude: f64,
    pub longitude: f64,
}

impl Place {
    /// Reads an ISO 6709 location such as `+34.068930-118.445127`: latitude with one or two digits before
    /// the point, longitude with one to three, each with its sign, within ±90 and ±180 degrees.
    #[must_use]
    pub fn parse(location: &[u8]) -> Option<Self> {
        let (latitude, longitude) = split_location(location)?;
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        Some(Self { latitude: number(latitude)?, longitude: number(longitude)? })
    }
}

fn is_location(location: &[u8]) -> bool {
    split_location(location).is_some()
}

fn split_location(location: &[u8]) -> Option<(&[u8], &[u8])> {
    let sign = 1 + location.get(1..)?.iter().position(|&byte| matches!(byte, b'+' | b'-'))?;
    let (latitude, longitude) = location.split_at(sign);
    (is_angle(latitude, 2, 90) && is_angle(longitude, 3, 180)).then_some((latitude, longitude))
}

/// Whether `text` is a sign, one to `digits_max` digits and perhaps decimals, and no more than `degrees_max`
/// in size. Decided on the digits: 90.0…01 is too much, however many noughts there are.
fn is_angle(text: &[u8], digits_max: usize, degrees_max: u64) -> bool {
    let [b'+' | b'-', decimal @ ..] = text else { return false };
    let Some((whole, fraction)) = split_decimal(decimal) else { return false };
    whole.len() <= digits_max && parse_digits(whole).is_some_and(|degrees| at_most(degrees, fraction, degrees_max))
}

fn parse_radius(text: &[u8]) -> Option<f64> {
    let (whole, fraction) = split_decimal(text)?;
    at_most(parse_digits(whole)?, fraction, 50).then_some(())?;
    let radius: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (radius > 0.0).then_some(radius)
}

fn parse_bound(text: &[u8]) -> Option<usize> {
    let bound = parse_digits(text)?;
    (bound <= 20).then_some(bound as usize)
}

/// Whether `whole.fraction` is at most `max`, exactly.
fn at_most(whole: u64, fraction: Option<&[u8]>, max: u64) -> bool {
    whole < max || (whole == max && fraction.is_none_or(|digits| digits.iter().all(|&digit| digit == b'0')))
}

/// Splits digits, optionally followed by a point and at least one digit.
fn split_decimal(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    match memchr(b'.', text) {
        None => is_number(text).then_some((text, None)),
        Some(point) => {
            let (whole, fraction) = (&text[..point], &text[point + 1..]);
            (is_number(whole) && is_number(fraction)).then_some((whole, Some(fraction)))
        }
    }
}

/// Reads a whole number that fits in 64 bits.
#[must_use]
pub fn parse_digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// One `AT` line: `AT <server> <skew> <client> <location> <time>`, single spaces, no line ending.
///
/// Ordered by time, then by the bytes of the line. That is the total order of reports: the same reports in
/// any order and any multiplicity leave the same newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    line: &'a [u8],
    client: (u32, u32),
    at: Time,
}

impl<'a> Report<'a> {
    /// Reads an `AT` line as a server writes it.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"AT ")?;
        let (server, rest) = split_space(rest)?;
        let (skew, rest) = split_space(rest)?;
        let (client, rest) = split_space(rest)?;
        let (location, time) = split_space(rest)?;
        let sound = is_word(server) && is_skew(skew) && is_word(client) && is_location(location);
        let start = u32::try_from(b"AT ".len() + server.len() + 1 + skew.len() + 1).ok()?;
        let end = start.checked_add(u32::try_from(client.len()).ok()?)?;
        Some(Self { line, client: (start, end), at: Time::parse(time)? }).filter(|_| sound)
    }

    /// A report whose parts are known; `client` is where the name stands in `line`.
    pub(super) fn from_parts(line: &'a [u8], client: (u32, u32), at: Time) -> Self {
        Self { line, client, at }
    }

    /// The whole line, without a line ending.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The client's name.
    #[must_use]
    pub fn client(&self) -> &'a [u8] {
        &self.line[self.client.0 as usize..self.client.1 as usize]
    }

    /// Where the client's name stands in the line.
    pub(super) fn client_span(&self) -> (u32, u32) {
        self.client
    }

    /// When the client was there, as it said.
    #[must_use]
    pub fn at(&self) -> Time {
        self.at
    }

    /// Where the client was.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let rest = &self.line[self.client.1 as usize..];
        Place::parse(fields(rest).next()?)
    }
}

impl Ord for Report<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at).then_with(|| self.line.cmp(other.line))
    }
}

impl PartialOrd for Report<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn split_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr(b' ', text)?;
    Some((&text[..space], &text[space + 1..]))
}

fn is_word(field: &[u8]) -> bool {
    !field.is_empty() && !field.iter().any(|&byte| is_white(byte))
}

fn is_skew(skew: &[u8]) -> bool {
    let [b'+' | b'-', decimal @ ..] = skew else { return false };
    matches!(split_decimal(decimal), Some((_, Some(fraction))) if fraction.len() == 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(line: &str) -> bool {
        matches!(Command::parse(line.as_bytes()), Command::IAmAt(_))
    }

    fn question(line: &str) -> bool {
        matches!(Command::parse(line.as_bytes()), Command::WhatsAt { .. })
    }

    #[test]
    fn locations_that_are_and_are_not() {
        for good in [
            "+34.068930-118.445127",
            "+0+0",
            "-9-9",
            "+90+180",
            "-90.000-180.0",
            "+1.5+179.999999999999999999",
            "+07+007",
        ] {
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
            assert!(Time::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in
            ["", ".", "1.", ".5", "-1", "+1", "1e9", "1.0000000000", "18446744073709551616", "1_0", "0x1", "1.2.3", "١"]
        {
            assert!(Time::parse(bad.as_bytes()).is_none(), "{bad}");
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
        assert!(
            matches!(Command::parse(b"IAMAT \xff\xfe\x00 +1-1 1"), Command::IAmAt(s) if s.client == b"\xff\xfe\x00")
        );
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
            "AT Clark +0.263873386 kiwi +95-118 1",
            "at Clark +0.263873386 kiwi +34-118 1",
        ] {
            assert!(Report::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
