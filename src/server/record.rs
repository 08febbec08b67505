//! The form of a log record, the same for events and traffic, the same for every server and the supervisor:
//!
//! ```text
//! 2026-11-23T06:05:52.123456Z #10437 INFO  link Bona up
//! 2026-11-23T06:05:52.123460Z #10438 IN    client 127.0.0.1:52144 | IAMAT kiwi +34.068930-118.445127 1621464827.9
//! 2026-11-23T06:05:52.123460Z #10439 OUT   Bona | TOLD 41 1
//! ```
//!
//! One record a line: RFC 3339 UTC, a number that rises through the whole process (so that the records of all
//! servers can be merged exactly), a level or direction, the text. A client's bytes are escaped: whatever it
//! says, a record is one line of printable ASCII.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memchr_iter;

use crate::protocol::line::Time;

/// What stands after the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
    /// A line that was heard.
    In,
    /// A line that was said.
    Out,
}

impl Level {
    /// Five columns wide.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN ",
            Self::Info => "INFO ",
            Self::In => "IN   ",
            Self::Out => "OUT  ",
        }
    }
}

/// One record with the next number, ended by LF.
#[must_use]
pub fn line(at: Time, level: Level, text: &str) -> String {
    let mut line = numbered(at, next_numbers(1), level);
    escape_text(text, &mut line);
    line.push('\n');
    line
}

/// The record that begins a file. It has no number of its own, for it is no event.
#[must_use]
pub fn heading(at: Time, text: &str) -> String {
    let mut line = numbered(at, 0, Level::Info);
    escape_text(text, &mut line);
    line.push('\n');
    line
}

/// Appends a record for each of `lines`, which end with LF each; `who` is an escaped text. The first gets `number`,
/// and so on; returns how many they were.
pub fn append_traffic(at: Time, direction: Level, who: &str, lines: &[u8], number: u64, block: &mut Vec<u8>) -> u64 {
    let mut head = Head::new(at, number, direction, who);
    block.reserve(head.text.len() + lines.len());
    // Looked at once a burst, not once a line: nearly every burst is plain.
    let plain = all_bytes(lines, |byte| is_plain(byte) | (byte == b'\n'));
    let (mut start, mut count) = (0, 0);
    for end in memchr_iter(b'\n', lines) {
        block.extend_from_slice(&head.text);
        if plain {
            block.extend_from_slice(&lines[start..=end]);
        } else {
            escape_bytes(&lines[start..end], block);
            block.push(b'\n');
        }
        (start, count) = (end + 1, count + 1);
        head.count_up();
    }
    count
}

/// What stands before each line of a burst. Only the number changes, so it is counted up where it stands.
struct Head {
    text: Vec<u8>,
    /// Where the number begins and ends.
    number: Range<usize>,
}

impl Head {
    fn new(at: Time, number: u64, direction: Level, who: &str) -> Self {
        let mut text = STAMP.with_borrow_mut(|stamp| stamp.text(at).to_vec());
        text.extend_from_slice(b" #");
        let start = text.len();
        text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        let number = start..text.len();
        for part in [" ", direction.name(), " ", who, " | "] {
            text.extend_from_slice(part.as_bytes());
        }
        Self { text, number }
    }

    fn count_up(&mut self) {
        for digit in self.text[self.number.clone()].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.text.insert(self.number.start, b'1');
        self.number.end += 1;
    }
}

/// A time as it stands in a record: RFC 3339, UTC, microseconds.
#[must_use]
pub fn time(at: Time) -> String {
    STAMP.with_borrow_mut(|stamp| String::from_utf8_lossy(stamp.text(at)).into_owned())
}

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// Takes `count` numbers and returns the first. One order for the whole process: a line is numbered before it is
/// sent, and numbered at the other end after it was read.
pub fn next_numbers(count: u64) -> u64 {
    let first = NEXT.fetch_add(count, Ordering::AcqRel);
    note_latest(first + count.saturating_sub(1));
    first
}

/// The number that will be taken next: whatever this thread sees numbered afterwards is numbered at least so.
#[must_use]
pub fn next_number() -> u64 {
    NEXT.load(Ordering::Acquire)
}

/// The number of the last record that this thread was asked to log.
#[must_use]
pub fn latest() -> u64 {
    LATEST.get()
}

/// Notes that the last record was this one, although others were made on the way.
pub(super) fn note_latest(number: u64) {
    LATEST.set(number);
}

fn numbered(at: Time, number: u64, level: Level) -> String {
    let mut line = STAMP.with_borrow_mut(|stamp| String::from_utf8_lossy(stamp.text(at)).into_owned());
    let _ = write!(line, " #{number} {} ", level.name());
    line
}

/// Appends text that may hold a client's words: control characters and marks that turn text around are escaped.
fn escape_text(text: &str, into: &mut String) {
    for char in text.chars() {
        let hidden =
            matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if char.is_control() || hidden {
            into.extend(char.escape_default());
        } else {
            into.push(char);
        }
    }
}

/// Appends bytes as printable ASCII: `\` is `\\`, anything else outside space to tilde `\xNN`.
fn escape_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        match byte {
            b'\\' => into.extend_from_slice(b"\\\\"),
            byte if is_plain(byte) => into.push(byte),
            byte => into.extend([b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

/// Whether a byte stands for itself in a record.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) & (byte != b'\\')
}

/// Whether `is` holds for every byte; with no early way out, so that many bytes are looked at at once.
fn all_bytes(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, &byte| all & is(byte))
}

thread_local! {
    static STAMP: RefCell<Stamp> = const { RefCell::new(Stamp { second: None, text: Vec::new() }) };
}

/// A time as text. A busy server asks thousands of times a second, and only the last six digits differ.
struct Stamp {
    second: Option<u64>,
    text: Vec<u8>,
}

impl Stamp {
    fn text(&mut self, at: Time) -> &[u8] {
        let (second, micros) = (at.seconds(), at.nanos() / 1000);
        if self.second != Some(second) {
            // Past the year 9999 the clock is wrong, and any stamp will do.
            let whole = jiff::Timestamp::from_second(second.cast_signed()).unwrap_or(jiff::Timestamp::MAX);
            self.text = whole.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string().into_bytes();
            self.second = Some(second);
        }
        let end = self.text.len() - 1;
        let mut rest = micros;
        for digit in self.text[end - 6..end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_a_line_of_five_parts() {
        let record = line(Time::new(1_795_413_952, 123_456_789), Level::Info, "link Bona up");
        let mut parts = record.splitn(4, ' ');
        assert_eq!(parts.next(), Some("2026-11-23T06:05:52.123456Z"));
        assert!(parts.next().unwrap().strip_prefix('#').unwrap().parse::<u64>().unwrap() > 0);
        assert_eq!((parts.next(), parts.next()), (Some("INFO"), Some(" link Bona up\n")));
    }

    #[test]
    fn traffic_is_a_record_a_line_with_rising_numbers() {
        let mut block = Vec::new();
        let count = append_traffic(Time::new(0, 5_000), Level::In, "Bona", b"AT x\n\\ \xff\x1b[2J\n", 7, &mut block);
        let text = String::from_utf8(block).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((count, lines.len()), (2, 2));
        assert!(lines[0].starts_with("1970-01-01T00:00:00.000005Z #") && lines[0].ends_with(" IN    Bona | AT x"));
        assert!(lines[1].ends_with(r" IN    Bona | \\ \xff\x1b[2J"), "{}", lines[1]);
        let number = |line: &str| line.split(' ').nth(1).unwrap()[1..].parse::<u64>().unwrap();
        assert_eq!(number(lines[0]) + 1, number(lines[1]));
    }

    #[test]
    fn numbers_are_counted_up_where_they_stand() {
        let mut head = Head::new(Time::new(0, 0), 8, Level::In, "c");
        let number = |head: &Head| String::from_utf8(head.text[head.number.clone()].to_vec()).unwrap();
        for expected in 8..=1001 {
            assert_eq!(number(&head), expected.to_string());
            head.count_up();
        }
        assert!(head.text.ends_with(b" #1002 IN    c | "));
    }

    #[test]
    fn the_stamp_follows_the_clock() {
        let stamp =
            |seconds, nanos| line(Time::new(seconds, nanos), Level::Warn, "").split(' ').next().unwrap().to_owned();
        assert_eq!(stamp(1, 999_999_999), "1970-01-01T00:00:01.999999Z");
        assert_eq!(stamp(2, 0), "1970-01-01T00:00:02.000000Z");
        assert_eq!(stamp(1, 1_000), "1970-01-01T00:00:01.000001Z");
    }

    proptest! {
        #[test]
        fn nothing_a_client_says_leaves_its_line_or_reaches_the_terminal(said in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut said: Vec<u8> = said.into_iter().filter(|&byte| byte != b'\n').collect();
            said.push(b'\n');
            let mut block = Vec::new();
            append_traffic(Time::new(0, 0), Level::In, "client", &said, 1, &mut block);
            prop_assert!(block.strip_suffix(b"\n").unwrap().iter().all(|byte| matches!(byte, b' '..=b'~')));
            let text = line(Time::new(0, 0), Level::Info, &String::from_utf8_lossy(&said));
            prop_assert!(!text.strip_suffix('\n').unwrap().chars().any(char::is_control));
        }
    }
}
