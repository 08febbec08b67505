//! Good bytes, spoilt and cut into pieces.

use std::fmt;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Something done to good bytes; where it is done is a part of their length.
#[derive(Debug, Clone)]
enum Change {
    Flip { at: Index, bit: u8 },
    Put { at: Index, bytes: Said },
    Cut { at: Index, length: usize },
    Again { from: Index, length: usize, to: Index },
}

/// What is done to good bytes, one thing after another.
#[derive(Debug, Clone)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// At most so many changes, which put in `tokens` among other things; every third time none.
    pub fn up_to(most: usize, tokens: &'static [&'static [u8]]) -> impl Strategy<Value = Self> {
        let put = prop_oneof![
            select(tokens).prop_map(<[u8]>::to_vec),
            select(vec![b"\n", b" ", b"\r", b"\0", b"-", b"."]).prop_map(|byte| byte.to_vec()),
            vec(any::<u8>(), 1..4),
        ];
        let at = any::<Index>;
        let change = prop_oneof![
            (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip { at, bit }),
            (at(), put).prop_map(|(at, bytes)| Change::Put { at, bytes: Said(bytes) }),
            (at(), 1_usize..20).prop_map(|(at, length)| Change::Cut { at, length }),
            (at(), 1_usize..60, at()).prop_map(|(from, length, to)| Change::Again { from, length, to }),
        ];
        prop_oneof![1 => Just(Vec::new()), 2 => vec(change, 1..=most)].prop_map(Self)
    }

    pub fn to(&self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        self.0.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip { at, bit } if !bytes.is_empty() => *at.get_mut(bytes) ^= 1 << bit,
            Self::Flip { .. } => {}
            Self::Put { at, bytes: Said(put) } => insert(bytes, *at, put),
            Self::Cut { at, length } => drop(bytes.drain(range(bytes, *at, *length))),
            Self::Again { from, length, to } => {
                let again = bytes[range(bytes, *from, *length)].to_vec();
                insert(bytes, *to, &again);
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: Index, put: &[u8]) {
    let at = at.index(bytes.len() + 1);
    bytes.splice(at..at, put.iter().copied());
}

fn range(bytes: &[u8], at: Index, length: usize) -> Range<usize> {
    let start = at.index(bytes.len() + 1);
    start..(start + length).min(bytes.len())
}

/// Where bytes are cut into pieces.
#[derive(Debug, Clone)]
pub struct Cuts(Vec<Index>);

impl Cuts {
    /// At most so many.
    pub fn up_to(most: usize) -> impl Strategy<Value = Self> {
        vec(any::<Index>(), 0..=most).prop_map(Self)
    }

    /// The pieces, none of them empty.
    pub fn of(&self, bytes: &[u8]) -> Vec<Said> {
        let mut ends: Vec<usize> = self.0.iter().map(|cut| cut.index(bytes.len() + 1)).chain([bytes.len()]).collect();
        ends.sort_unstable();
        let mut start = 0;
        let mut piece = |end| (start != end).then(|| Said(bytes[std::mem::replace(&mut start, end)..end].to_vec()));
        ends.into_iter().filter_map(&mut piece).collect()
    }
}

/// Bytes that can be read in a failure.
#[derive(Clone)]
pub struct Said(pub Vec<u8>);

impl Said {
    /// All pieces together.
    pub fn whole(pieces: &[Self]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| &piece.0).copied().collect()
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More of the same byte are counted.
        const SHOWN: usize = 20;
        write!(f, "b\"")?;
        for same in self.0.chunk_by(|one, next| one == next) {
            match same.len() {
                ..=SHOWN => write!(f, "{}", same.escape_ascii())?,
                more => write!(f, "{{{} times {}}}", more, same[..1].escape_ascii())?,
            }
        }
        write!(f, "\"")
    }
}
