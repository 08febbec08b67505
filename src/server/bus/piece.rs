//! What is taken from the bus: entries of the bucket, each a report or refused.
//!
//! Whoever may write to the bucket may write anything into it. An entry is a report if its value is a line that a
//! neighbour could have said and its key is that of the line's client; anything else is counted and dropped.

use super::key::token;
use crate::protocol::line::Report;

/// Some entries of the bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Reports that stand under this herd's name: whole lines, each ended by LF.
    pub(super) own: Vec<u8>,
    /// Reports of other herds.
    pub(super) others: Vec<u8>,
    /// Entries that are no reports.
    pub(super) refused: u64,
    /// What the bucket held when it was joined has been read with this piece or before.
    pub(super) level: bool,
}

/// What tells an entry of the bucket.
pub(super) struct Reading {
    /// What each subject begins with: `$KV.<bucket>.`.
    pub(super) prefix: String,
    /// The token of this herd.
    pub(super) herd: String,
    /// The longest report.
    pub(super) report_bytes_max: usize,
}

impl Reading {
    /// The subject of a client of this herd.
    pub(super) fn subject(&self, client: &[u8]) -> String {
        format!("{}{}.{}", self.prefix, self.herd, token(client))
    }

    /// Takes an entry into a piece.
    pub(super) fn take(&self, subject: &str, value: &[u8], piece: &mut Piece) {
        let Some(is_own) = self.is_own(subject, value) else {
            piece.refused += 1;
            return;
        };
        let lines = if is_own { &mut piece.own } else { &mut piece.others };
        lines.extend_from_slice(value);
        lines.push(b'\n');
    }

    /// Whether a report stands under this herd's name; nothing if it is no report.
    fn is_own(&self, subject: &str, value: &[u8]) -> Option<bool> {
        let (herd, client) = subject.strip_prefix(&self.prefix)?.split_once('.')?;
        let report = Report::parse(value).filter(|_| value.len() <= self.report_bytes_max)?;
        (token(report.client()) == client).then_some(herd == self.herd)
    }
}

impl Piece {
    /// How many bytes of reports it holds.
    pub(super) fn bytes(&self) -> usize {
        self.own.len() + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(subject: &str, value: &[u8]) -> Piece {
        let reading = Reading { prefix: "$KV.b.".into(), herd: "ucla".into(), report_bytes_max: 200 };
        let mut piece = Piece::default();
        reading.take(subject, value, &mut piece);
        piece
    }

    #[test]
    fn a_report_under_its_clients_key_is_taken() {
        let line = b"AT Clark +0.000000000 k.w +1-1 5";
        let own = taken("$KV.b.ucla.k=2Ew", line);
        assert_eq!((own.own, own.refused), (b"AT Clark +0.000000000 k.w +1-1 5\n".to_vec(), 0));
        let other = taken("$KV.b.mit.k=2Ew", line);
        assert_eq!((other.own.len(), other.others.len(), other.refused), (0, line.len() + 1, 0));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("AT Clark +0.000000000 k +1-1 5.{}", "0".repeat(200));
        for (subject, value) in [
            ("$KV.b.mit.k", &b""[..]),
            ("$KV.b.mit.k", b"AT Clark"),
            ("$KV.b.mit.k", b"IAMAT k +1-1 5"),
            ("$KV.b.mit.k", b"AT Clark +0.000000000 k +1-1 5\n"),
            ("$KV.b.mit.k", b"AT Clark +0.000000000 k +1-1 5\nAT Clark +0.000000000 k +1-1 6"),
            ("$KV.b.mit.k", b"AT Clark +0.000000000 k +91-1 5"),
            ("$KV.b.mit.k", b"AT Clark +0.000000000 other +1-1 5"),
            ("$KV.b.mit.k", long.as_bytes()),
            ("$KV.b.mit.k.x", b"AT Clark +0.000000000 k +1-1 5"),
            ("$KV.b.k", b"AT Clark +0.000000000 k +1-1 5"),
            ("$KV.other.mit.k", b"AT Clark +0.000000000 k +1-1 5"),
        ] {
            let piece = taken(subject, value);
            assert_eq!((piece.bytes(), piece.refused), (0, 1), "{subject} {}", value.escape_ascii());
        }
    }
}
