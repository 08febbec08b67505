//! The history of a run: every call with its answer, every order, every look at the herd, in the order of one clock.
//!
//! One record a line, as JSON; the first says what herd it was and which bounds it is held to, so that a history can be
//! judged with nothing else at hand. Read and written record by record: a history is never in memory as a whole.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

/// What the first record must say.
pub const SCHEMA: &str = "herd.history/1";
/// No record is longer, in bytes: a look at a herd of [`SERVERS_MAX`] with all its links is some 50 KB.
pub const RECORD_BYTES_MAX: u64 = 1024 * 1024;
/// Servers of a herd that can be judged: each look at it is kept.
pub const SERVERS_MAX: usize = 64;
/// Links of a herd that can be judged: every pair.
pub const LINKS_MAX: usize = SERVERS_MAX * (SERVERS_MAX - 1) / 2;
/// Calls of one history: the judge keeps some 200 bytes of each.
pub const CALLS_MAX: u64 = 4_000_000;

/// Microseconds since the history began.
pub type Micros = u64;

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    Begin(Begin),
    Say(Say),
    /// The answer to a call: its first line, without the LF.
    Hear {
        call: u64,
        t: Micros,
        line: String,
    },
    /// A call that got no answer.
    End {
        call: u64,
        t: Micros,
        why: End,
    },
    /// A connection that was not to be had; it was tried from `since` on.
    Refused {
        t: Micros,
        since: Micros,
        server: String,
    },
    /// A line that answers nothing.
    Unasked {
        t: Micros,
        server: String,
        line: String,
    },
    Order(Order),
    /// An order was answered.
    Done {
        order: u64,
        t: Micros,
        /// Why it was not carried out; none: it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    Sample(Sample),
    /// Nothing is wrong any more that an order can put right.
    Healed {
        t: Micros,
    },
    /// The herd was seen to agree, every server and link up, and nothing changed any more.
    Converged {
        t: Micros,
    },
    /// From here on the answers are the final tables.
    Tables {
        t: Micros,
    },
    /// The last record; a history without it was cut off.
    Finish {
        t: Micros,
    },
}

/// The herd, and the bounds it is held to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// [`SCHEMA`]
    pub schema: String,
    pub seed: u64,
    pub herd: String,
    /// All running, and linked, when the history begins.
    pub servers: Vec<String>,
    pub links: Vec<[String; 2]>,
    /// What an answer promises; see [`Ack`].
    pub ack: Ack,
    /// With [`Ack::Heard`]: so many neighbours have it, or all that are linked, if those are fewer.
    #[serde(default = "one")]
    pub heard: usize,
    /// A server that is up and not paused answers within this.
    pub answer_ms_max: u64,
    /// After the last heal the herd agrees within this.
    pub settle_ms_max: u64,
    /// Over a link that is up at both ends and left alone, a report is on the other side within this.
    pub spread_ms_max: u64,
    /// An answer that took less was not written for want of patience.
    pub confirm_ms_max: u64,
    /// The herd's process takes no more memory than this, in kilobytes.
    pub rss_kb_max: u64,
}

fn one() -> usize {
    1
}

/// When the herd answers an `IAMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// As many neighbours as `heard` says have it, unless no link is live or the server counted the answer as unconfirmed.
    Heard,
    /// It is on its way.
    Sent,
}

/// A line was said to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Counts the calls, from 1.
    pub call: u64,
    pub t: Micros,
    pub server: String,
    /// How often the server had been started again when the connection was made; none where that is not certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// Without its LF.
    pub line: String,
}

/// Why a call got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The connection ended.
    Closed,
    /// The client waited no longer.
    GaveUp,
}

/// Something was done to the herd; recorded before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Counts the orders, from 1.
    pub order: u64,
    pub t: Micros,
    pub deed: Deed,
    /// The servers it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// The links it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<[String; 2]>,
    /// In words, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    Kill,
    Stop,
    Start,
    Restart,
    Pause,
    Resume,
    /// Something is wrong with links from here on.
    Hurt,
    /// Nothing is wrong with links any more.
    Heal,
}

/// What the herd showed of itself, asked at `since` and known at `t`. No order was given in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub t: Micros,
    pub since: Micros,
    /// Kilobytes of memory of the herd's process; none where it could not be read.
    pub rss_kb: Option<u64>,
    /// In the order of [`Begin::servers`].
    pub servers: Vec<Seen>,
    /// Whether each link of [`Begin::links`] is up, in that order.
    pub links: Vec<bool>,
}

/// What a server showed of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub running: bool,
    /// Its state, in words.
    pub state: String,
    /// Answers of this run that no neighbour had confirmed.
    pub unconfirmed: u64,
}

impl Record {
    /// When it was recorded.
    #[must_use]
    pub fn t(&self) -> Micros {
        match self {
            Self::Begin(_) => 0,
            Self::Say(say) => say.t,
            Self::Order(order) => order.t,
            Self::Sample(sample) => sample.t,
            Self::Hear { t, .. }
            | Self::End { t, .. }
            | Self::Refused { t, .. }
            | Self::Unasked { t, .. }
            | Self::Done { t, .. }
            | Self::Healed { t }
            | Self::Converged { t }
            | Self::Tables { t }
            | Self::Finish { t } => *t,
        }
    }

    /// Writes it as one line.
    ///
    /// # Errors
    ///
    /// If `to` takes no more.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *to, self)?;
        to.write_all(b"\n")
    }
}

/// Why something is no history, or cannot be judged.
#[derive(Debug)]
pub struct Unsound {
    /// The line of the file, from 1; none where there is no file.
    pub line: Option<u64>,
    pub why: String,
}

impl Unsound {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { line: None, why: why.into() }
    }

    fn at(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.why),
            None => write!(f, "{}", self.why),
        }
    }
}

impl std::error::Error for Unsound {}

/// Reads a history, one record at a time, and hands each to `take`.
///
/// # Errors
///
/// The first line that is no record, or that `take` does not take.
pub fn read(mut from: impl BufRead, mut take: impl FnMut(Record) -> Result<(), Unsound>) -> Result<(), Unsound> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = from.by_ref().take(RECORD_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(|why| Unsound::new(format!("cannot be read: {why}")).at(number))?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == RECORD_BYTES_MAX && !line.ends_with(b"\n") {
            return Err(Unsound::new(format!("longer than {RECORD_BYTES_MAX} bytes")).at(number));
        }
        let record = serde_json::from_slice(&line).map_err(|why| Unsound::new(format!("no record: {why}")).at(number));
        take(record?).map_err(|why| why.at(number))?;
    }
    Ok(())
}
