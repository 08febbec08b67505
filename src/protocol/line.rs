//! The grammar of a line: fields, names, locations, times, reports.
//!
//! Everything is bytes. A client's fields are handed on as they came, never re-printed, so that the last
//! three fields of an answer are the client's own. Nothing here knows what a server does with a line.

use core::time::Duration;
use std::cmp::Ordering;
use std::fmt;

use memchr::{memchr, memchr_iter};

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

/// The lines of a burst, without their LF; what comes after the last one is no line.
pub(super) fn lines(burst: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', burst).map(move |end| &burst[std::mem::replace(&mut start, end + 1)..end])
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

/// The control characters among them stand in a row.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
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
            [b'.', decimals @ ..] => (1..=9).contains(&decimals.len()) && split_digits(decimals).1.is_empty(),
            _ => false,
        };
        seconds && decimals
    }

    /// The order of two times that are written in digits. Two that are as long and have their points in the same place, as
    /// nearly all have, are in the order of their bytes.
    fn cmp_written(one: &[u8], other: &[u8]) -> Ordering {
        let is_point_alike = || match memchr(b'.', one) {
            Some(point) => other[point] == b'.',
            None => memchr(b'.', other).is_none(),
        };
        if one.len() == other.len() && is_point_alike() {
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
    let (latitude, rest) = split_angle(location, 2, 90)?;
    let (longitude, rest) = split_angle(rest, 3, 180)?;
    rest.is_empty().then_some((latitude, longitude))
}

/// Splits off what `text` begins with: a sign, one to `digits_max` digits and perhaps decimals, and no more than
/// `degrees_max` in size. Decided on the digits: 90.0…01 is too much, however many noughts there are.
fn split_angle(text: &[u8], digits_max: usize, degrees_max: u64) -> Option<(&[u8], &[u8])> {
    let [b'+' | b'-', decimal @ ..] = text else { return None };
    let (whole, fraction, rest) = split_decimal(decimal)?;
    let is_within = whole.len() <= digits_max && at_most(parse_digits(whole)?, fraction, degrees_max);
    is_within.then(|| text.split_at(text.len() - rest.len()))
}

fn parse_radius(text: &[u8]) -> Option<f64> {
    let (whole, fraction, rest) = split_decimal(text)?;
    (rest.is_empty() && at_most(parse_digits(whole)?, fraction, 50)).then_some(())?;
    let radius: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (radius > 0.0).then_some(radius)
}

fn parse_bound(text: &[u8]) -> Option<usize> {
    let bound = parse_digits(text)?;
    (bound <= 20).then_some(bound as usize)
}

/// Whether `whole.fraction` is at most `max`, exactly.
fn at_most(whole: u64, fraction: &[u8], max: u64) -> bool {
    whole < max || (whole == max && fraction.iter().all(|&digit| digit == b'0'))
}

/// Splits off what `text` begins with: digits, and perhaps a point and digits after it.
fn split_decimal(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    match split_digits(text) {
        ([], _) => None,
        (whole, [b'.', decimals @ ..]) => match split_digits(decimals) {
            ([], _) => None,
            (fraction, rest) => Some((whole, fraction, rest)),
        },
        (whole, rest) => Some((whole, &[], rest)),
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
    parts: Parts<u32>,
}

/// Where the parts of a report's line stand that are asked for most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parts<N> {
    /// Where the name begins and ends.
    pub(super) client: (N, N),
    /// Where the time begins, which is the last word.
    pub(super) time: N,
}

impl<N> Parts<N> {
    /// The same in numbers of another size.
    pub(super) fn map<M>(self, to: impl Fn(N) -> M) -> Parts<M> {
        Parts { client: (to(self.client.0), to(self.client.1)), time: to(self.time) }
    }
}

impl<'a> Report<'a> {
    /// Reads an `AT` line as a server writes it.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let server = line.starts_with(b"AT ").then_some(b"AT ".len())?;
        let [skew, client, location, time] = words_after(server, line)?;
        let word = |start, next: usize| &line[start..next - 1];
        let is_sound = is_word(word(server, skew))
            && is_skew(word(skew, client))
            && is_word(word(client, location))
            && is_location(word(location, time))
            && Time::is_written(&line[time..]);
        // All that stands in the line is within it.
        u32::try_from(line.len()).ok()?;
        let parts = Parts { client: (client, location - 1), time }.map(|place| place as u32);
        is_sound.then_some(Self { line, parts })
    }

    /// The client of a line, if that is a report, which is hardly looked at.
    pub(super) fn client_at_a_glance(line: &[u8]) -> Option<&[u8]> {
        let server = line.starts_with(b"AT ").then_some(b"AT ".len())?;
        let [_, client, location] = words_after(server, line)?;
        Some(&line[client..location - 1])
    }

    /// The report of a line that is known to be one, and where its parts stand.
    pub(super) fn known(line: &'a [u8], parts: Parts<u32>) -> Self {
        Self { line, parts }
    }

    /// The whole line, without a line ending.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The client's name.
    #[must_use]
    pub fn client(&self) -> &'a [u8] {
        let (start, end) = self.parts.client;
        &self.line[start as usize..end as usize]
    }

    /// Where the client was, as it said.
    fn location(&self) -> &'a [u8] {
        let Parts { client: (_, end), time } = self.parts;
        &self.line[end as usize + 1..time as usize - 1]
    }

    pub(super) fn parts(&self) -> Parts<u32> {
        self.parts
    }

    /// When the client was there, as it said.
    #[must_use]
    pub fn at(&self) -> Time {
        Time::parse(self.time()).unwrap_or_default()
    }

    /// The same, as it stands in the line.
    fn time(&self) -> &'a [u8] {
        &self.line[self.parts.time as usize..]
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
        Place::parse(self.location())
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

/// Where the next words begin after the one that begins at `start`, one space between any two.
fn words_after<const WORDS: usize>(mut start: usize, line: &[u8]) -> Option<[usize; WORDS]> {
    let mut starts = [0; WORDS];
    for next in &mut starts {
        start += memchr(b' ', &line[start..])? + 1;
        *next = start;
    }
    Some(starts)
}

fn is_word(field: &[u8]) -> bool {
    !field.is_empty() && !field.iter().any(|&byte| is_white(byte))
}

fn is_skew(skew: &[u8]) -> bool {
    let [b'+' | b'-', decimal @ ..] = skew else { return false };
    matches!(split_decimal(decimal), Some((_, fraction, [])) if fraction.len() == 9)
}

#[cfg(test)]
mod tests;
