//! One record of a log file, as it is written:
//! `2026-11-23T06:05:52.123456Z #10437 INFO  text`. Reads, never writes, and takes any bytes.

/// A well-formed line of a log file, without its line ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// RFC 3339, UTC, microseconds.
    pub time: &'a str,
    /// Counts the records of the whole herd, from its `up` on; 0 for the heading of a file, which is no event.
    pub seq: u64,
    pub level: Level,
    pub text: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    /// A line of the protocol that was read.
    In,
    /// A line of the protocol that was written.
    Out,
}

impl Level {
    /// As `--json` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One `up`, by its time: `2026-11-23T06:05:52.123456Z`, which orders as its bytes do. The first of all is
/// that of records whose run is not known.
pub type Run = [u8; TIME_BYTES];

/// Records of before anything that is known.
pub const NO_RUN: Run = [0; TIME_BYTES];

const TIME_BYTES: usize = 27;
const HEADER: &str = "herd up since ";

impl<'a> Record<'a> {
    /// `None`: not a record, as a line torn by a crash.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(TIME_BYTES)?;
        let time = is_time(time).then(|| std::str::from_utf8(time).ok()).flatten()?;
        let rest = rest.strip_prefix(b" #")?;
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (seq, rest) = rest.split_at(digits);
        let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
        let (level, text) = rest.strip_prefix(b" ")?.split_at_checked(6)?;
        let level = match level {
            b"DEBUG " | b"TRACE " => Level::Debug,
            b"INFO  " => Level::Info,
            b"WARN  " => Level::Warn,
            b"ERROR " => Level::Error,
            b"IN    " => Level::In,
            b"OUT   " => Level::Out,
            _ => return None,
        };
        Some(Self { time, seq, level, text })
    }

    /// Its time, which orders as its bytes do.
    pub fn stamp(&self) -> Run {
        self.time.as_bytes().first_chunk().copied().unwrap_or(NO_RUN)
    }

    /// The run that this file, or what follows in it, belongs to, if this is the heading that says so.
    pub fn run_begins(&self) -> Option<Run> {
        let text = self.text.strip_prefix(HEADER.as_bytes()).filter(|_| self.level == Level::Info)?;
        let since: Run = *text.first_chunk()?;
        is_time(&since).then_some(since)
    }

    /// A link that says only that it lives: `Bona | TOLD 41 0`. A client's line is never taken for one.
    pub fn is_heartbeat(&self) -> bool {
        if !matches!(self.level, Level::In | Level::Out) || self.text.starts_with(b"client ") {
            return false;
        }
        let Some(bar) = memchr::memmem::find(self.text, b" | ") else { return false };
        let mut words = self.text[bar + 3..].split(|byte| *byte == b' ');
        (words.next(), words.next().is_some(), words.next(), words.next()) == (Some(b"TOLD"), true, Some(b"0"), None)
    }
}

/// Where a run may begin in this text, from the last place on; each has still to be read as a record.
pub fn headers_backward(bytes: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memmem::rfind_iter(bytes, HEADER.as_bytes())
}

/// More bytes than stand between the start of a record and its text.
pub const PREFIX_BYTES_MAX: usize = TIME_BYTES + 40;

/// `2026-11-23T06:05:52.123456Z`
fn is_time(bytes: &[u8]) -> bool {
    const SHAPE: &[u8; TIME_BYTES] = b"0000-00-00T00:00:00.000000Z";
    bytes.len() == SHAPE.len()
        && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Record<'_>> {
        Record::read(line.as_bytes())
    }

    #[test]
    fn a_record_has_four_parts() {
        let record = read("2026-11-23T06:05:52.123456Z #10437 INFO  Clark listens on 127.0.0.1:11003").unwrap();
        assert_eq!((record.time, record.seq, record.level), ("2026-11-23T06:05:52.123456Z", 10437, Level::Info));
        assert_eq!(record.text, b"Clark listens on 127.0.0.1:11003");
    }

    #[test]
    fn what_is_torn_is_no_record() {
        let whole = "2026-11-23T06:05:52.123456Z #10437 INFO  ";
        assert!(read(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        assert_eq!(read("2026-11-23T06:05:52.123456Z #99999999999999999999999 INFO  x"), None);
        assert_eq!(read("2026-11-23 06:05:52.123456Z #1 INFO  x"), None);
    }

    #[test]
    fn a_run_begins_with_its_header_and_with_nothing_a_client_says() {
        let header =
            "2026-11-23T06:05:53.000001Z #0 INFO  herd up since 2026-11-23T06:05:52.123456Z, pid 48213, server Clark";
        assert_eq!(read(header).unwrap().run_begins(), Some(*b"2026-11-23T06:05:52.123456Z"));
        for no in [
            "2026-11-23T06:05:53.000001Z #1 IN    herd up since 2026-11-23T06:05:52.123456Z, pid 1",
            "2026-11-23T06:05:53.000001Z #1 IN    client 127.0.0.1:5 | herd up since 2026-11-23T06:05:52.123456Z",
            "2026-11-23T06:05:53.000001Z #1 INFO  herd up since yesterday",
        ] {
            assert_eq!(read(no).unwrap().run_begins(), None, "{no}");
        }
    }

    #[test]
    fn only_an_idle_link_is_a_heartbeat() {
        let is = |text: &str| read(&format!("2026-11-23T06:05:53.000001Z #1 {text}")).unwrap().is_heartbeat();
        assert!(is("OUT   Bona | TOLD 41 0"));
        assert!(is("IN    Bona | TOLD 41 0"));
        assert!(!is("OUT   Bona | TOLD 41 1"));
        assert!(!is("OUT   Bona | HEARD 41"));
        assert!(!is("IN    client 127.0.0.1:52144 | TOLD 41 0"));
        assert!(!is("INFO  Bona | TOLD 41 0"));
    }
}
