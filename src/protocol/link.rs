//! A link, once proven: one number, *told*, and what both ends say about it.
//!
//! ```text
//! HEARD <edition>          first: what I already have of your run; later: a batch is in my atlas
//! AT …                     a report
//! TOLD <edition> <lines>   the end of a batch and how many reports it held; the heartbeat
//! HOLD, FLOW               what you tell me I know already, so it can wait a little; it cannot any more
//! ```
//!
//! While `told` is behind the atlas, what follows it is said and `told` moves on. That is flooding, catching
//! up, healing and back-pressure in one. What was heard from the other end, first or as known already, is not told back
//! to it; a batch that holds nothing else is not said at all, for the other end has it: `told` moves on in silence until the next batch or
//! heartbeat names it.
//!
//! An end that counted another number of reports than `TOLD` names has lost some. It says `HEARD` with its last
//! good edition once more, which is no progress and so cannot be an acknowledgement; the other end goes back
//! there and marks the place with `TOLD <that edition> 0`. Until a mark comes, the batches still on their way
//! are learnt from but not counted as heard, or the gap would be forgotten.
//!
//! A batch tells of each client once. So a client that comes twice in a batch is counted once, or a report said
//! twice would stand in for one that was lost. What may be lost or said twice is whole reports, within their
//! batch; `TOLD` and `HEARD` always come, and in order.

use std::collections::VecDeque;

use super::atlas::{Atlas, Edition, News, Source};
use super::hold::Hold;
use super::line::{Report, lines, parse_digits};

/// What is known of one run of a neighbour, over all connections to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquaintance {
    pub run: u64,
    /// As whose word its reports are known. What it has said it has, as long as it runs; so that is never told back,
    /// however often the link has blinked since.
    pub source: Source,
    /// Up to where it has been heard: the point to resume from.
    pub heard: Edition,
}

impl Acquaintance {
    /// What is `known` of that run; of a run that is not known, nothing is.
    #[must_use]
    pub fn with(run: u64, known: Option<Self>, new_source: impl FnOnce() -> Source) -> Self {
        known.filter(|known| known.run == run).unwrap_or_else(|| Self { run, source: new_source(), heard: 0 })
    }
}

/// One end of a live link.
#[derive(Debug)]
pub struct Link {
    source: Source,
    /// How a report begins that a client has said to the other end.
    their_own: Option<Vec<u8>>,
    /// Up to where the other end has been told; nothing is told before it has said what it has.
    told: Option<Edition>,
    /// Up to where the other end has said that it heard.
    acknowledged: Edition,
    /// The last edition named to the other end: once it has heard that one, nothing is on its way.
    named: Edition,
    /// Where the other end had been told all that there was, and has not yet said that it heard; ascending.
    whole: VecDeque<Whole>,
    /// The last of those that it has heard.
    confirmed: Edition,
    /// Up to where this end has heard of the other's atlas, without a gap.
    heard: Edition,
    /// The last edition that it has said to have heard.
    said: Option<Edition>,
    /// Reports since the last `TOLD`.
    counted: Counted,
    /// One of them may be waited for at the other end.
    waited_for: bool,
    /// Something was lost, and the other end has not gone back yet.
    gap: bool,
    /// Whether the other end is to hold back.
    hold: Hold,
    /// The other end has asked this one to.
    is_held: bool,
    /// Bytes of reports since the last `TOLD`.
    batch_bytes: usize,
    /// The least that a batch without a gap held, in bytes.
    least_bytes: Option<usize>,
}

/// With what was named up to `named`, the other end has all that there was at `edition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Whole {
    named: Edition,
    edition: Edition,
}

/// What a line of a neighbour did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A heartbeat, or another word that changes nothing.
    Nothing,
    /// The atlas has a new edition.
    Learned,
    /// A report that was known already.
    Known,
    /// A report older than what is known of its client.
    Stale,
    /// [`Link::heard`] is to be said to the other end: a batch is whole, or has a gap.
    Answer,
    /// The same, but a little later is soon enough: the batch is whole, and what it holds was not said to the other end
    /// by its own clients. Hardly ever does one of them wait for it all the same: if it ends what had been cut.
    AnswerLater,
    /// The other end has heard up to [`Link::acknowledged`].
    Acknowledged,
    /// The other end has lost something and is told again from [`Link::told`].
    GoneBack,
}

/// A line that no neighbour says; the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach;

/// How much was told by [`Link::tell`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub reports: u64,
    /// The edition it ends with.
    pub edition: Edition,
}

impl Link {
    /// A link that has just been proven; `heard` is what this end has of the other's present run, and `source` as
    /// whose word it has it.
    #[must_use]
    pub fn new(source: Source, heard: Edition) -> Self {
        Self {
            source,
            their_own: None,
            told: None,
            acknowledged: 0,
            named: 0,
            whole: VecDeque::new(),
            confirmed: 0,
            heard,
            said: None,
            counted: Counted::default(),
            waited_for: false,
            gap: false,
            hold: Hold::default(),
            is_held: false,
            batch_bytes: 0,
            least_bytes: None,
        }
    }

    /// The same, with the name of the other end: what it has from its own clients is told from what it passes on.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { their_own: Some(format!("AT {name} ").into_bytes()), ..self }
    }

    /// The same, which asks the other end to hold back when it has told so many known reports in a row; `None`: never.
    #[must_use]
    pub fn holding_after(self, known: Option<u32>) -> Self {
        Self { hold: Hold::after(known), ..self }
    }

    /// Appends the `HEARD` line that is due: first of all, and after each [`Effect::Answer`] and
    /// [`Effect::AnswerLater`]. After a gap that may be two, for only what is said once more is no progress.
    pub fn say_heard(&mut self, out: &mut Vec<u8>) {
        let is_progress = self.said.replace(self.heard) != Some(self.heard);
        for _ in 0..if self.gap && is_progress { 2 } else { 1 } {
            out.extend_from_slice(b"HEARD ");
            say_number(self.heard, b'\n', out);
        }
    }

    /// Looks ahead at a burst of lines, so that hearing them waits less for memory.
    pub fn look_ahead(burst: &[u8], atlas: &Atlas) {
        atlas.look_ahead(lines(burst).filter_map(Report::client_at_a_glance));
    }

    /// Hears one line of the neighbour, without its LF.
    ///
    /// # Errors
    ///
    /// [`Breach`], with nothing changed, on a line that no neighbour says.
    pub fn hear(&mut self, line: &[u8], atlas: &mut Atlas) -> Result<Effect, Breach> {
        // Reports first: the most frequent line in the herd.
        if line.starts_with(b"AT ") {
            let report = Report::parse(line).ok_or(Breach)?;
            let (slot, news) = atlas.take_in(report, self.source);
            self.counted.add(slot);
            self.waited_for |= self.their_own.as_ref().is_none_or(|own| line.starts_with(own));
            self.batch_bytes += line.len() + 1;
            self.hold.note(news);
            return Ok(match news {
                News::New => Effect::Learned,
                News::Known => Effect::Known,
                News::Stale => Effect::Stale,
            });
        }
        if let Some(numbers) = line.strip_prefix(b"TOLD ") {
            let space = memchr::memchr(b' ', numbers).ok_or(Breach)?;
            let edition = parse_digits(&numbers[..space]).ok_or(Breach)?;
            let lines = parse_digits(&numbers[space + 1..]).ok_or(Breach)?;
            return Ok(self.hear_told(edition, lines));
        }
        if let b"HOLD" | b"FLOW" = line {
            self.is_held = line == b"HOLD";
            return Ok(Effect::Nothing);
        }
        let edition = line.strip_prefix(b"HEARD ").and_then(parse_digits).ok_or(Breach)?;
        Ok(self.hear_heard(edition, atlas.edition()))
    }

    /// Whether the other end knows what it is told already, and has asked to be told a little later.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether what is owed can wait a little: the other end has asked for it, and has been told all that clients of this
    /// end wait for, which is up to [`Node::own`](super::node::Node::own).
    #[must_use]
    pub fn can_wait(&self, own: Edition) -> bool {
        self.is_held && own <= self.told_whole()
    }

    /// Whether [`Link::say_hold`] would say something.
    #[must_use]
    pub fn owes_hold(&self) -> bool {
        self.hold.is_owed()
    }

    /// Appends `HOLD` or `FLOW`, if this end wants another thing of the other than it has said.
    pub fn say_hold(&mut self, out: &mut Vec<u8>) {
        self.hold.say(out);
    }

    /// Wants to be told everything at once again: a link is gone over which it came sooner.
    pub fn end_hold(&mut self) {
        self.hold.end();
    }

    /// Whether the atlas holds something that the other end has not been told.
    #[must_use]
    pub fn owes(&self, atlas: &Atlas) -> bool {
        self.told.is_some_and(|told| told < atlas.edition())
    }

    /// Appends the next batch, of about `bytes_max` bytes, and the `TOLD` that ends it; nothing, if all of it was
    /// heard from the other end. With nothing owed that is the heartbeat; before the other end has said what it has, nothing
    /// at all.
    pub fn tell(&mut self, atlas: &Atlas, bytes_max: usize, out: &mut Vec<u8>) -> Option<Batch> {
        let start = self.told?;
        let (mut told, mut reports, begin) = (start, 0, out.len());
        let mut cut = false;
        for entry in atlas.after(told) {
            if out.len() - begin >= bytes_max {
                cut = true;
                break;
            }
            told = entry.edition;
            // Not back to who said it.
            if !entry.was_said_by(self.source) {
                out.extend_from_slice(entry.line);
                out.push(b'\n');
                reports += 1;
            }
        }
        if !cut {
            told = atlas.edition();
        }
        self.told = Some(told);
        if reports > 0 || told == start {
            self.say_told(reports, out);
        }
        if !cut {
            self.note_whole(told);
        }
        Some(Batch { reports, edition: told })
    }

    /// Up to where the other end has been told; `None` until it has said what it has.
    #[must_use]
    pub fn told(&self) -> Option<Edition> {
        self.told
    }

    /// Up to where the other end has said that it heard.
    #[must_use]
    pub fn acknowledged(&self) -> Edition {
        self.acknowledged
    }

    /// Up to where every report is at the other end, itself or a newer one of its client.
    ///
    /// That can be less than [`Link::acknowledged`]. A batch that was cut says nothing of a client that moved
    /// meanwhile: its old report is not told any more, and its new one is not told yet. Only where everything
    /// had been told is nobody left out. So an answer waits for this, and not for the acknowledgement.
    #[must_use]
    pub fn confirmed(&self) -> Edition {
        self.confirmed
    }

    /// Up to where every report has been told, itself or a newer one of its client.
    #[must_use]
    pub fn told_whole(&self) -> Edition {
        self.whole.back().map_or(self.confirmed, |whole| whole.edition)
    }

    /// Up to where this end has heard of the other's run, without a gap: the point to resume from.
    #[must_use]
    pub fn heard(&self) -> Edition {
        self.heard
    }

    /// Whether the other end once had nothing more to tell: a batch of it was smaller than `bytes_max`, at which it cuts
    /// them. One that has lost something cuts them shorter, and may seem to be at its end a little early.
    #[must_use]
    pub fn has_caught_up(&self, bytes_max: usize) -> bool {
        self.least_bytes.is_some_and(|least| least < bytes_max)
    }

    /// The next batch begins where this one ends, or further back.
    fn hear_told(&mut self, edition: Edition, lines: u64) -> Effect {
        let whole = self.counted.take() == lines;
        let waited_for = std::mem::take(&mut self.waited_for);
        let bytes = std::mem::take(&mut self.batch_bytes);
        // What marks the place where the telling begins again is no end of it.
        if whole && !self.gap {
            self.least_bytes = Some(self.least_bytes.map_or(bytes, |least| least.min(bytes)));
        }
        if edition <= self.heard {
            // A mark, a heartbeat, or told again: from here on nothing is skipped.
            self.gap = false;
            return Effect::Nothing;
        }
        if self.gap {
            // Asked again at each heartbeat, should the first asking not have been understood.
            return if lines == 0 { Effect::Answer } else { Effect::Nothing };
        }
        self.gap = !whole;
        if whole {
            self.heard = edition;
        }
        if whole && !waited_for { Effect::AnswerLater } else { Effect::Answer }
    }

    fn hear_heard(&mut self, edition: Edition, newest: Edition) -> Effect {
        // More than there is to hear: that was another run.
        let edition = if edition > newest { 0 } else { edition };
        match self.told {
            None => {
                (self.told, self.named) = (Some(edition), edition);
                self.acknowledge(edition, newest);
                Effect::Acknowledged
            }
            // Perhaps more than `told`, after going back once too often: then the rest is not told again.
            Some(told) if edition > self.acknowledged => {
                self.told = Some(told.max(edition));
                self.acknowledge(edition, newest);
                Effect::Acknowledged
            }
            Some(told) if edition == self.acknowledged && edition < told => {
                (self.told, self.named) = (Some(edition), edition);
                self.whole.clear();
                Effect::GoneBack
            }
            Some(_) => Effect::Nothing,
        }
    }

    fn acknowledge(&mut self, edition: Edition, newest: Edition) {
        self.acknowledged = edition;
        if edition == newest {
            self.whole.clear();
            self.confirmed = edition;
        }
        while let Some(whole) = self.whole.pop_front_if(|whole| whole.named <= edition) {
            self.confirmed = whole.edition;
        }
    }

    fn note_whole(&mut self, edition: Edition) {
        /// More are not on their way. To forget one is only to confirm a little later.
        const WHOLE_MAX: usize = 256;
        if edition <= self.told_whole() {
            return;
        }
        if self.named <= self.acknowledged {
            self.confirmed = edition;
            return;
        }
        match self.whole.back_mut().filter(|whole| whole.named == self.named) {
            Some(whole) => whole.edition = edition,
            None => {
                self.whole.truncate(WHOLE_MAX - 1);
                self.whole.push_back(Whole { named: self.named, edition });
            }
        }
    }

    /// Appends `TOLD <told> 0`: after [`Effect::GoneBack`] it marks the place where the telling begins again.
    pub fn say_mark(&mut self, out: &mut Vec<u8>) {
        self.say_told(0, out);
    }

    fn say_told(&mut self, reports: u64, out: &mut Vec<u8>) {
        self.named = self.told.unwrap_or(0);
        out.extend_from_slice(b"TOLD ");
        say_number(self.named, b' ', out);
        say_number(reports, b'\n', out);
    }
}

/// The clients of a batch, each counted once: by their slots, so that it costs a bit a client of the atlas and
/// a few nanoseconds a report.
#[derive(Debug, Default)]
struct Counted {
    seen: Vec<u64>,
    slots: Vec<u32>,
}

impl Counted {
    fn add(&mut self, slot: u32) {
        let (word, bit) = ((slot / 64) as usize, 1 << (slot % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.slots.push(slot);
        }
    }

    /// How many they were; the next batch starts at none.
    fn take(&mut self) -> u64 {
        let count = self.slots.len() as u64;
        for slot in self.slots.drain(..) {
            self.seen[(slot / 64) as usize] = 0;
        }
        count
    }
}

fn say_number(number: u64, end: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.push(end);
}

#[cfg(test)]
mod tests;
