//! What keeps a bridge from the bus, in words for a person and as a number for the vitals. Never quotes a secret.

use std::fmt;

/// Why the bus is not joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Trouble {
    /// Nothing answers at its address.
    Unreachable = 1,
    /// It answers, and does not let this herd in.
    Refused,
    /// The credentials file cannot be used.
    NoCredentials,
    /// Others can read the credentials file.
    Exposed,
    /// The encryption could not be agreed upon.
    Tls,
    /// It is a NATS server whose JetStream does not answer, or that has none.
    NoJetStream,
    /// There is a stream of the bucket's name that is no such bucket.
    OtherStream,
    /// The bucket could not be made.
    NoBucket,
    /// It did not take what it was told: full, or not allowed.
    NotTaken,
    /// It answered, and then no more.
    Silent,
    /// The connection has ended.
    Gone,
}

impl Trouble {
    const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::Refused,
        Self::NoCredentials,
        Self::Exposed,
        Self::Tls,
        Self::NoJetStream,
        Self::OtherStream,
        Self::NoBucket,
        Self::NotTaken,
        Self::Silent,
        Self::Gone,
    ];

    /// What the number stands for; nothing for 0.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| *trouble as u8 == code)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "no NATS server answers there",
            Self::Refused => "it does not let this herd in: credentials are missing or wrong",
            Self::NoCredentials => "the credentials cannot be read: the file is missing or holds none",
            Self::Exposed => "others can read the credentials file; `chmod 600` it",
            Self::Tls => "the encryption failed",
            Self::NoJetStream => "its JetStream does not answer; is it enabled?",
            Self::OtherStream => "its stream of the bucket's name is no such bucket",
            Self::NoBucket => "the bucket could not be made",
            Self::NotTaken => "it does not take what it is told: it is full, or does not allow it",
            Self::Silent => "it does not answer in time",
            Self::Gone => "the connection has ended",
        })
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_found_by_its_number() {
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::of_code(trouble as u8), Some(trouble));
        }
        assert_eq!(Trouble::of_code(0), None);
    }
}
