//! Looking ahead: what a burst of reports will need of a large atlas is brought into the cache before they are heard.
//!
//! In an atlas far larger than the cache a report takes several times as long as in a small one, nearly all of it waiting
//! for memory: for the index, and then for the slot. Heard one after the other, reports wait one after the other. A
//! processor waits for many places at once, though, where what it does with them is so little that many fit into its
//! window. So all are hashed, then all are found in the index, then all slots are touched.

use std::hash::BuildHasher;
use std::hint::black_box;

use super::{Atlas, Line};

/// Fewer clients are in a cache of some level anyway, where looking ahead takes longer than it saves.
const CLIENTS_MIN: usize = 1 << 15;

/// So many are looked for at once: more than a processor can wait for, and few enough for the stack.
const AT_ONCE: usize = 64;

/// Here and there the index names a slot of which no more than seven bits of the hash are right.
const CANDIDATES: usize = AT_ONCE + AT_ONCE / 4;

impl Atlas {
    /// Brings what is known of these clients into the cache, if the atlas is so large that it may not be there. Nothing
    /// else comes of it.
    pub(in crate::protocol) fn look_ahead<'a>(&self, mut clients: impl Iterator<Item = &'a [u8]>) {
        if self.slots.len() < CLIENTS_MIN {
            return;
        }
        loop {
            let mut hashes = [0; AT_ONCE];
            // The hashes first: where they end, no client may be taken.
            let hashed = hashes.iter_mut().zip(&mut clients).map(|(hash, client)| *hash = self.hasher.hash_one(client));
            let count = hashed.count();
            self.touch(&hashes[..count]);
            if count < AT_ONCE {
                return;
            }
        }
    }

    fn touch(&self, hashes: &[u64]) {
        let (slots, count) = self.candidates(hashes);
        for &slot in &slots[..count] {
            let slot = self.slots.get(slot);
            black_box((slot.edition, slot.line.ends()));
        }
    }

    /// The slots that may be those of these names, and how many they are: whose name it is stands in the slot, which is not
    /// to be waited for yet.
    fn candidates(&self, hashes: &[u64]) -> ([u32; CANDIDATES], usize) {
        let (mut slots, mut count) = ([0; CANDIDATES], 0);
        for &hash in hashes {
            self.index.find(hash, |&slot| {
                if let Some(candidate) = slots.get_mut(count) {
                    (*candidate, count) = (slot, count + 1);
                }
                false
            });
        }
        (slots, count)
    }
}

impl Line {
    /// A byte at either end of where it is kept.
    fn ends(&self) -> (u8, u8) {
        match self {
            Self::Short { bytes, .. } => (bytes[0], bytes[Self::SHORT - 1]),
            Self::Long { bytes, .. } => (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::atlas::Source;
    use crate::protocol::line::{Report, fields, lines};
    use crate::protocol::link::Link;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// Every hundredth is too long for its slot.
    fn name(client: usize) -> String {
        if client.is_multiple_of(100) { format!("{client:0100}") } else { client.to_string() }
    }

    fn line(client: usize) -> String {
        format!("AT S +0.000000000 {} +1-1 1", name(client))
    }

    fn large() -> Atlas {
        let mut atlas = Atlas::new();
        for client in 0..CLIENTS_MIN + 2 {
            assert!(atlas.learn(Report::parse(line(client).as_bytes()).unwrap(), Source::CLIENT));
        }
        assert!(atlas.forget(b"7"));
        atlas
    }

    static LARGE: LazyLock<Atlas> = LazyLock::new(large);

    #[test]
    fn the_slots_of_all_names_are_found() {
        for first in (0..CLIENTS_MIN).step_by(AT_ONCE) {
            let names: Vec<String> = (first..first + AT_ONCE).map(name).collect();
            let hashes: Vec<u64> = names.iter().map(|name| LARGE.hasher.hash_one(name.as_bytes())).collect();
            let (slots, count) = LARGE.candidates(&hashes);
            let is_found =
                |name: &&String| slots[..count].iter().any(|&slot| LARGE.slots.get(slot).client() == name.as_bytes());
            let found = names.iter().filter(is_found).count();
            assert_eq!(found, AT_ONCE - usize::from(first == 0), "all but the one that was forgotten");
        }
    }

    #[test]
    fn all_of_a_burst_are_taken() {
        let names: Vec<String> = (1..3 * AT_ONCE).map(name).collect();
        for count in [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, names.len()] {
            let mut taken = 0;
            LARGE.look_ahead(names[..count].iter().inspect(|_| taken += 1).map(String::as_bytes));
            assert_eq!(taken, count);
        }
    }

    proptest! {
        #[test]
        fn any_burst_can_be_looked_ahead_at(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            clients in proptest::collection::vec(0..2 * CLIENTS_MIN, 0..200),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut burst: Vec<u8> = clients.iter().flat_map(|&client| (line(client) + "\n").into_bytes()).collect();
            burst.splice(..cut.index(burst.len() + 1), bytes);
            Link::look_ahead(&burst, &LARGE);
            LARGE.look_ahead(lines(&burst).filter_map(|line| fields(line).nth(1)));
        }
    }
}
