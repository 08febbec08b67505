//! Where a bridge stands in the bucket, and whether that still holds when it comes back to it.
//!
//! The bus may be another when it returns: restarted, restored from an old copy, or empty. Then what was told is told
//! again, and what was read is read again. This decides which, from what the bus says of itself.

/// How far a bridge had got.
#[derive(Debug, Default)]
pub(super) struct Mark {
    bucket: Option<Bucket>,
    /// The sequence number of the last entry that was read.
    pub(super) read: u64,
    /// The last entry that was put: its subject and its sequence number.
    pub(super) put: Option<(String, u64)>,
}

/// Which bucket it is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    /// The run of the NATS server that answers.
    pub(super) server: String,
    /// When the bucket was made.
    pub(super) made: String,
    /// The sequence number of its last entry.
    pub(super) last: u64,
}

/// What to do on coming to a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    /// Read the entries from this sequence number.
    pub(super) read_from: u64,
    /// It holds nothing of what it was told, as far as one can know: tell everything.
    pub(super) anew: bool,
}

impl Mark {
    /// What to do, given the bucket and the sequence number of what now stands where the last entry was put (0: nothing).
    /// Takes the bucket as the one that is known from here on.
    pub(super) fn come_to(&mut self, bucket: Bucket, at_put: u64) -> Course {
        let same_bucket = self.bucket.as_ref().is_some_and(|known| known.made == bucket.made);
        let same_server = self.bucket.as_ref().is_some_and(|known| known.server == bucket.server);
        let kept = self.put.as_ref().is_none_or(|(_, put)| at_put >= *put) && self.read <= bucket.last;
        self.bucket = Some(bucket);
        let anew = !(same_bucket && kept);
        if anew {
            self.put = None;
        }
        // A server that was away may have lost the end of what it had, and gone on from there.
        if anew || !same_server {
            self.read = 0;
        }
        Course { read_from: self.read + 1, anew }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(server: &str, made: &str, last: u64) -> Bucket {
        Bucket { server: server.into(), made: made.into(), last }
    }

    fn joined() -> Mark {
        let mut mark = Mark::default();
        assert_eq!(mark.come_to(bucket("s", "monday", 0), 0), Course { read_from: 1, anew: true });
        (mark.read, mark.put) = (10, Some(("kiwi".into(), 8)));
        mark
    }

    #[test]
    fn a_connection_that_broke_is_taken_up_where_it_was() {
        assert_eq!(joined().come_to(bucket("s", "monday", 12), 8), Course { read_from: 11, anew: false });
        assert_eq!(joined().come_to(bucket("s", "monday", 12), 12), Course { read_from: 11, anew: false });
    }

    #[test]
    fn a_bus_that_was_restarted_is_read_whole_and_told_what_it_lacks() {
        assert_eq!(joined().come_to(bucket("t", "monday", 10), 8), Course { read_from: 1, anew: false });
    }

    #[test]
    fn a_bus_that_has_lost_something_is_told_everything() {
        for (now, at_put) in [
            (bucket("t", "tuesday", 0), 0),
            (bucket("t", "tuesday", 50), 50),
            // Its end is gone, and others have written since.
            (bucket("t", "monday", 7), 0),
            (bucket("t", "monday", 50), 3),
            (bucket("t", "monday", 9), 8),
        ] {
            let mut mark = joined();
            assert_eq!(mark.come_to(now.clone(), at_put), Course { read_from: 1, anew: true }, "{now:?}");
            assert_eq!((mark.read, &mark.put), (0, &None));
        }
    }
}
