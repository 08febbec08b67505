//! Lines that come at the end, and a window on them: it follows the newest until somebody scrolls up, and from then
//! on stays where it is, whatever comes, until it is sent to the end. Pure; bounded.

use std::collections::VecDeque;

/// So many lines can be scrolled back to.
const LINES_MAX: usize = 2000;

#[derive(Debug, Default)]
pub struct Roll {
    lines: VecDeque<String>,
    /// Lines that were here and are no more: the number of the first that is.
    gone: u64,
    /// Where the window is held; none: at the end.
    held: Option<Held>,
    /// How many lines the window shows.
    height: u64,
}

/// By the numbers of lines, counted from the first that ever came.
#[derive(Debug, Clone, Copy)]
struct Held {
    top: u64,
    /// All before this have been shown.
    seen: u64,
}

impl Roll {
    pub fn push(&mut self, lines: impl IntoIterator<Item = String>) {
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
        self.gone += surplus as u64;
    }

    /// Tells how many lines there is room for.
    pub fn fit(&mut self, height: u16) {
        self.height = height.into();
    }

    /// Moves the window by so many lines, up if they are negative. It is held from then on.
    pub fn scroll(&mut self, by: i64) {
        let (top, end) = (self.top(), self.end());
        let lowest = end.saturating_sub(self.height).max(self.gone);
        let top = top.saturating_add_signed(by).clamp(self.gone, lowest);
        let seen = self.held.map_or(end, |held| held.seen).max((top + self.height).min(end));
        if by < 0 || self.held.is_some() {
            self.held = Some(Held { top, seen });
        }
    }

    /// By a window, but for one line.
    pub fn page(&mut self, pages: i64) {
        self.scroll(pages * i64::try_from(self.height.saturating_sub(1).max(1)).unwrap_or(1));
    }

    pub fn home(&mut self) {
        self.scroll(i64::MIN);
    }

    /// Follows the newest again.
    pub fn follow(&mut self) {
        self.held = None;
    }

    /// What the window shows.
    pub fn shown(&self) -> impl Iterator<Item = &str> {
        let first = usize::try_from(self.top() - self.gone).unwrap_or(usize::MAX);
        let height = usize::try_from(self.height).unwrap_or(usize::MAX);
        self.lines.iter().skip(first).take(height).map(String::as_str)
    }

    /// How many lines have come that were never shown, those that are no more too; none while the window follows.
    pub fn unseen(&self) -> Option<u64> {
        self.held.map(|held| self.end().saturating_sub(held.seen))
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn end(&self) -> u64 {
        self.gone + self.lines.len() as u64
    }

    fn top(&self) -> u64 {
        let following = self.end().saturating_sub(self.height);
        self.held.map_or(following, |held| held.top).max(self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(lines: std::ops::Range<u32>, height: u16) -> Roll {
        let mut roll = Roll::default();
        roll.fit(height);
        roll.push(lines.map(|n| n.to_string()));
        roll
    }

    fn shown(roll: &Roll) -> String {
        roll.shown().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_follows_until_somebody_scrolls_up_and_then_stays_for_good() {
        let mut roll = roll(0..10, 3);
        assert_eq!((shown(&roll).as_str(), roll.unseen()), ("7 8 9", None));
        // Down, at the end, holds nothing.
        roll.scroll(1);
        assert_eq!(roll.unseen(), None);
        roll.scroll(-2);
        roll.push((10..152).map(|n| n.to_string()));
        assert_eq!((shown(&roll).as_str(), roll.unseen()), ("5 6 7", Some(142)));
        // Coming back down to the end does not make it follow again; only being sent there does.
        roll.scroll(1000);
        assert_eq!((shown(&roll).as_str(), roll.unseen()), ("149 150 151", Some(0)));
        roll.push(["152".to_owned()]);
        assert_eq!((shown(&roll).as_str(), roll.unseen()), ("149 150 151", Some(1)));
        roll.follow();
        assert_eq!((shown(&roll).as_str(), roll.unseen()), ("150 151 152", None));
    }

    #[test]
    fn what_is_held_stays_while_there_is_room_and_memory_is_bounded() {
        let mut roll = roll(0..5, 2);
        roll.home();
        roll.push((5..2000).map(|n| n.to_string()));
        assert_eq!(shown(&roll), "0 1");
        roll.push((2000..2100).map(|n| n.to_string()));
        assert_eq!((shown(&roll).as_str(), roll.lines.len()), ("100 101", LINES_MAX));
        assert_eq!(roll.unseen(), Some(2095));
    }

    #[test]
    fn a_page_keeps_a_line_and_no_window_is_too_small() {
        let mut roll = roll(0..100, 10);
        roll.page(-1);
        assert!(shown(&roll).starts_with("81 ") && shown(&roll).ends_with(" 90"), "{}", shown(&roll));
        roll.fit(0);
        roll.page(1);
        roll.page(-1);
        assert_eq!(shown(&roll), "");
    }
}
