//! What is put on the bus: the newest reports that follow an edition, and those that are owed once more.
//!
//! A report is not told back to the bus it was heard from, unless that has lost everything since: then the bus is
//! another source than it was (see [`super::Bus`]).

use crate::limits;
use crate::protocol::atlas::{Atlas, Edition, Source};

/// What follows an edition, on its way to the bus.
pub(super) struct Batch {
    /// Which joining of the bus it is for; another one's is not put any more.
    pub(super) session: u64,
    /// Whole lines, each ended by LF.
    pub(super) lines: Vec<u8>,
    /// Where it ends.
    pub(super) edition: Edition,
}

impl Batch {
    /// Of each client in `owed` the newest report, then what follows `told` and was not heard from `bus`, about as much
    /// as a batch may hold.
    pub(super) fn after(told: Edition, atlas: &Atlas, owed: &[Vec<u8>], bus: Source, session: u64) -> Self {
        let mut lines = Vec::new();
        let mut push = |line: &[u8]| {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        };
        owed.iter().filter_map(|client| atlas.newest(client)).for_each(|(report, _)| push(report.line()));
        let (mut count, mut edition) = (0, atlas.edition());
        let mut bytes = 0;
        let mut last = told;
        for entry in atlas.after(told) {
            if count >= limits::BUS_BATCH_REPORTS || bytes >= limits::BUS_BATCH_BYTES {
                edition = last;
                break;
            }
            last = entry.edition;
            if !entry.was_said_by(bus) {
                push(entry.line);
                count += 1;
                bytes += entry.line.len();
            }
        }
        Self { session, lines, edition }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::line::Report;

    fn atlas(lines: &[(String, Source)]) -> Atlas {
        let mut atlas = Atlas::new();
        for (line, source) in lines {
            assert!(atlas.learn(Report::parse(line.as_bytes()).unwrap(), *source));
        }
        atlas
    }

    fn at(client: &str) -> String {
        format!("AT S +0.000000000 {client} +1-1 5")
    }

    #[test]
    fn what_the_bus_has_said_is_not_told_back_unless_it_is_another_bus() {
        let (bus, other) = (Source::link(7), Source::link(8));
        let atlas = atlas(&[(at("a"), Source::CLIENT), (at("b"), bus), (at("c"), Source::link(1))]);
        let batch = Batch::after(0, &atlas, &[], bus, 1);
        assert_eq!((batch.lines, batch.edition), (format!("{}\n{}\n", at("a"), at("c")).into_bytes(), 3));
        assert_eq!(Batch::after(0, &atlas, &[], other, 1).lines.split(|&byte| byte == b'\n').count(), 4);
    }

    #[test]
    fn what_is_owed_comes_first_and_once_more() {
        let atlas = atlas(&[(at("a"), Source::CLIENT), (at("b"), Source::CLIENT)]);
        let owed = [b"a".to_vec(), b"nobody".to_vec()];
        let batch = Batch::after(2, &atlas, &owed, Source::link(1), 1);
        assert_eq!((batch.lines, batch.edition), (format!("{}\n", at("a")).into_bytes(), 2));
    }

    #[test]
    fn a_batch_is_bounded_and_the_next_goes_on() {
        let lines: Vec<_> =
            (0..limits::BUS_BATCH_REPORTS + 5).map(|n| (at(&format!("c{n}")), Source::CLIENT)).collect();
        let atlas = atlas(&lines);
        let first = Batch::after(0, &atlas, &[], Source::link(1), 1);
        assert_eq!(first.edition, limits::BUS_BATCH_REPORTS as u64);
        let second = Batch::after(first.edition, &atlas, &[], Source::link(1), 1);
        assert_eq!(second.edition, atlas.edition());
        assert_eq!(second.lines.iter().filter(|&&byte| byte == b'\n').count(), 5);
    }
}
