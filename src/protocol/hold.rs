//! Which neighbour is asked to hold back, because all that it tells is known already.
//!
//! In a herd with more than one way round, a report comes over each of them, and only over the first is it news. An end
//! that has heard nothing else for a while says `HOLD`: the other need not tell at once, for somebody else is sooner. What
//! is left of the links is a tree, or nearly one, found by nobody and known to nobody. An end that hears news where it did
//! not expect any, or has lost a link, says `FLOW`.
//!
//! Nothing rests on it but how soon something is told: what is held back is told a little later, and what has been told is
//! counted as ever. See Leitão, Pereira, Rodrigues: *Epidemic Broadcast Trees* (2007), where the tree is made in the same
//! way, and what is held back are messages; here it is one number that lags.

use super::atlas::News;

/// What one end of a link wants of the other.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// So many known reports in a row are enough to ask for it; `None`: it never is.
    after: Option<u32>,
    /// So many there have been.
    known: u32,
    /// The other end is to hold back; and has been told so.
    is_wanted: bool,
    is_said: bool,
}

impl Hold {
    pub(super) fn after(known: Option<u32>) -> Self {
        Self { after: known, ..Self::default() }
    }

    pub(super) fn note(&mut self, news: News) {
        match news {
            News::New => self.end(),
            News::Known | News::Stale => {
                self.known = self.known.saturating_add(1);
                self.is_wanted = self.after.is_some_and(|after| self.known >= after);
            }
        }
    }

    /// Wants all at once again, until the other end has shown once more that it has no news.
    pub(super) fn end(&mut self) {
        (self.known, self.is_wanted) = (0, false);
    }

    pub(super) fn is_owed(&self) -> bool {
        self.is_wanted != self.is_said
    }

    /// Appends the line that is owed, if one is.
    pub(super) fn say(&mut self, out: &mut Vec<u8>) {
        if self.is_owed() {
            out.extend_from_slice(if self.is_wanted { b"HOLD\n" } else { b"FLOW\n" });
            self.is_said = self.is_wanted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::News::{Known, New, Stale};
    use super::*;

    /// What is said after each burst of reports.
    fn said<const N: usize>(hold: &mut Hold, bursts: [&[News]; N]) -> [String; N] {
        bursts.map(|burst| {
            burst.iter().for_each(|&news| hold.note(news));
            let mut out = Vec::new();
            hold.say(&mut out);
            assert!(!hold.is_owed(), "it is said once");
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn who_tells_nothing_new_is_asked_to_hold_back_until_it_does() {
        let mut hold = Hold::after(Some(2));
        let bursts = [&[Known][..], &[Stale], &[Known, Known], &[New], &[Known], &[Stale, New], &[Known, Known]];
        assert_eq!(said(&mut hold, bursts), ["", "HOLD\n", "", "FLOW\n", "", "", "HOLD\n"]);
        hold.end();
        assert_eq!(said(&mut hold, [&[][..], &[Known], &[Known]]), ["FLOW\n", "", "HOLD\n"]);
    }

    #[test]
    fn nobody_is_asked_where_nothing_was_said_of_it() {
        assert_eq!(said(&mut Hold::default(), [&[Known; 1000][..], &[New]]), ["", ""]);
    }
}
