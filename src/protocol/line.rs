//! The grammar of a line: fields, names, locations, times, reports.
//!
//! Everything is bytes. A client's fields are handed on as they came, never re-printed, so that the last
//! three fields of an answer are the client's own. Nothing here knows what a server does with a line.

use core::time::Duration;
use std::cmp::Ordering;
use std::fmt;

use memchr::{memchr, memrchr};

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
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|&byte| !is_white(byte))?;
        let field = &rest[start..];
        let end = field.iter().position(|&byte| is_white(byte)).unwrap_or(field.len());
        rest = &field[end..];
        Some(&field[..end])
    })
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
        let (whole, rest) = split_digits(text);
        let nanos = match rest {
            [] => 0,
            [b'.', decimals @ ..] if (1..=9).contains(&decimals.len()) => {
                // At most nine digits, so they fit.
                parse_digits(decimals)? as u32 * 10_u32.pow(9 - decimals.len() as u32)
            }
            _ => return None,
        };
        Some(Self { seconds: parse_digits(whole)?, nanos })
    }

    /// Whether [`Time::parse`] reads it; without reading it, which most that is heard of a neighbour needs not.
    fn is_written(text: &[u8]) -> bool {
        let (whole, rest) = split_digits(text);
        let seconds = (1..=DIGITS_SAFE).contains(&whole.len()) || parse_digits(whole).is_some();
        let decimals = match rest {
            [] => true,
            [b'.', decimals @ ..] => (1..=9).contains(&decimals.len()) && decimals.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        seconds && decimals
    }

    /// The order of two times that are written in digits. Two that are as long and have their points in the same place, as
    /// nearly all have, are in the order of their bytes.
    fn cmp_written(one: &[u8], other: &[u8]) -> Ordering {
        let point = |text| memchr(b'.', text);
        if one.len() == other.len() && point(one) == point(other) {
            return one.cmp(other);
        }
        Self::parse(one).cmp(&Self::parse(other))
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

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanoseconds = (self.nanoseconds() - earlier.nanoseconds()).max(0).unsigned_abs();
        // At most 2⁶⁴ seconds apart, so both parts fit.
        Duration::new((nanoseconds / 1_000_000_000) as u64, (nanoseconds % 1_000_000_000) as u32)
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
    match split_digits(text) {
        ([], _) => None,
        (whole, []) => Some((whole, None)),
        (whole, [b'.', fraction @ ..]) => match split_digits(fraction) {
            ([_, ..], []) => Some((whole, Some(fraction))),
            _ => None,
        },
        _ => None,
    }
}

/// Splits off the digits that `text` begins with.
fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

/// A number of so many digits fits in 64 bits whatever they are.
const DIGITS_SAFE: usize = 19;

/// Reads a whole number that fits in 64 bits.
#[must_use]
pub fn parse_digits(text: &[u8]) -> Option<u64> {
    let (head, tail) = text.split_at(text.len().min(DIGITS_SAFE));
    let mut value = 0_u64;
    let mut sound = !text.is_empty();
    for &byte in head {
        sound &= byte.is_ascii_digit();
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')));
    }
    let more = |value: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    };
    sound.then_some(value).and_then(|value| tail.iter().try_fold(value, more))
}

/// One `AT` line: `AT <server> <skew> <client> <location> <time>`, single spaces, no line ending.
///
/// Ordered by time, then by the bytes of the line. That is the total order of reports: the same reports in
/// any order and any multiplicity leave the same newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    line: &'a [u8],
    /// Where the name stands in it.
    client: (u32, u32),
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
        let sound =
            is_word(server) && is_skew(skew) && is_word(client) && is_location(location) && Time::is_written(time);
        let start = u32::try_from(b"AT ".len() + server.len() + 1 + skew.len() + 1).ok()?;
        let end = start.checked_add(u32::try_from(client.len()).ok()?)?;
        sound.then_some(Self { line, client: (start, end) })
    }

    /// The report of a line that is known to be one; `client` is where the name stands in it.
    pub(super) fn known(line: &'a [u8], client: (u32, u32)) -> Self {
        Self { line, client }
    }

    /// The same, where the name has yet to be found: it is the fourth word.
    pub(super) fn stored(line: &'a [u8]) -> Self {
        let after = |start: usize| memchr(b' ', &line[start..]).map_or(line.len(), |space| start + space + 1);
        let start = after(after(b"AT ".len()));
        Self { line, client: (start as u32, after(start).saturating_sub(1) as u32) }
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

    /// Where the name stands in the line.
    pub(super) fn client_span(&self) -> (u32, u32) {
        self.client
    }

    /// When the client was there, as it said.
    #[must_use]
    pub fn at(&self) -> Time {
        Time::parse(self.time()).unwrap_or_default()
    }

    /// The same as it stands in the line: the last word.
    fn time(&self) -> &'a [u8] {
        &self.line[memrchr(b' ', self.line).map_or(self.line.len(), |space| space + 1)..]
    }

    /// When the server that says it had it from the client, by that server's clock: the client's time and the skew.
    #[must_use]
    pub fn accepted(&self) -> Option<Time> {
        let skew = fields(self.line).nth(2)?;
        let (sign, skew) = (skew.first()?, Time::parse(&skew[1..])?.nanoseconds());
        let accepted = self.at().nanoseconds() + if *sign == b'-' { -skew } else { skew };
        let accepted = u128::try_from(accepted).ok()?;
        let seconds = u64::try_from(accepted / 1_000_000_000).ok()?;
        Some(Time::new(seconds, (accepted % 1_000_000_000) as u32))
    }

    /// Where the client was.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let rest = &self.line[self.client.1 as usize..];
        Place::parse(fields(rest).next()?)
    }
}

impl Ord for Report<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        Time::cmp_written(self.time(), other.time()).then_with(|| self.line.cmp(other.line))
    }
}

impl PartialOrd for Report<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
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
mod tests;
