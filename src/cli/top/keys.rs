//! What keys mean, and how the footer and the help name them: one table for all three.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Focus, Verb};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Leave,
    /// Closes what is open, or leaves.
    Back,
    Yes,
    Help,
    /// Up or down, by so many rows.
    Move(i64),
    Page(i64),
    Start,
    End,
    /// The next pane.
    Next,
    /// The one before.
    Before,
    Focus(Focus),
    /// The pane with the focus on the whole screen.
    Whole,
    Do(Verb),
    /// Whether orders are asked about first.
    Asking,
    /// Whether the hops of every report are among the events.
    Hops,
    /// The map nearer or farther.
    Zoom(i8),
}

/// What this key asks for, if anything.
pub fn wish(key: KeyEvent) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Wish::Leave);
    }
    Some(match key.code {
        KeyCode::Char('q') => Wish::Leave,
        KeyCode::Esc => Wish::Back,
        KeyCode::Char('y') => Wish::Yes,
        KeyCode::Char('?') => Wish::Help,
        KeyCode::Up => Wish::Move(-1),
        KeyCode::Down => Wish::Move(1),
        KeyCode::PageUp => Wish::Page(-1),
        KeyCode::PageDown => Wish::Page(1),
        KeyCode::Home => Wish::Start,
        KeyCode::End => Wish::End,
        KeyCode::Tab => Wish::Next,
        KeyCode::BackTab => Wish::Before,
        KeyCode::Enter => Wish::Whole,
        KeyCode::Char('k') => Wish::Do(Verb::Kill),
        KeyCode::Char('s') => Wish::Do(Verb::Start),
        KeyCode::Char('r') => Wish::Do(Verb::Restart),
        KeyCode::Char('p') => Wish::Do(Verb::Pause),
        KeyCode::Char('c') => Wish::Do(Verb::Cut),
        KeyCode::Char('x') => Wish::Do(Verb::Heal),
        KeyCode::Char('X') => Wish::Do(Verb::HealAll),
        KeyCode::Char('!') => Wish::Asking,
        KeyCode::Char('f') => Wish::Hops,
        KeyCode::Char('+' | '=') => Wish::Zoom(1),
        KeyCode::Char('-') => Wish::Zoom(-1),
        KeyCode::Char(digit @ '1'..='7') => Wish::Focus(Focus::ALL[digit as usize - '1' as usize]),
        _ => return None,
    })
}

/// A key as the footer names it: the shorter, the sooner it is named where there is little room.
pub const FOOTER: [(&str, &str); 12] = [
    ("q", "leave"),
    ("?", "help"),
    ("k", "kill"),
    ("s", "start"),
    ("r", "restart"),
    ("p", "pause"),
    ("c", "cut"),
    ("x", "heal"),
    ("↑↓", "choose"),
    ("Tab", "pane"),
    ("Enter", "whole"),
    ("End", "newest"),
];

pub const HELP: [&str; 23] = [
    "herdctl top: the herd as it is. Leaving it leaves the herd up.",
    "",
    "On the server that is chosen (▸), with the command it stands for:",
    "  k  herdctl kill        s  herdctl start      r  herdctl restart",
    "  p  herdctl pause, or resume                  x  herdctl heal",
    "On the link that is chosen:",
    "  c  herdctl cut         x  herdctl heal",
    "X  herdctl heal --all",
    "!  ask before doing any of these, or not",
    "",
    "1…7, Tab, Shift-Tab   choose a pane",
    "↑ ↓ PgUp PgDn Home    choose a row, or scroll; a pane that was scrolled",
    "                      up stays there, and says how much is new",
    "End                   follow the newest again",
    "Enter                 the pane on the whole screen, and back",
    "f                     every hop of every report among the events",
    "+ -                   the map nearer, or farther",
    "q, Ctrl-C             leave; Esc closes what is open, or leaves",
    "",
    "● running   ‖ paused   ✗ killed or crashed   ■ stopped   … on its way",
    "On the map: ● all know where it is   ○ some do not, or know it elsewhere",
    "NEWS/s  reports that were news   ANSW/s  answers to clients",
    "p50, p99  half, and 99 of 100, answers took no longer, the last 5 s",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_footer_and_the_help_does_something() {
        let typed = |c| wish(KeyEvent::from(KeyCode::Char(c)));
        let letters = FOOTER.iter().filter_map(|(key, _)| key.chars().next().filter(char::is_ascii_lowercase));
        for letter in letters.chain("Xf!+-?".chars()) {
            assert!(typed(letter).is_some(), "{letter}");
        }
        assert_eq!(typed('7'), Some(Wish::Focus(Focus::Log)));
        assert_eq!(typed('8'), None);
    }

    #[test]
    fn control_c_leaves_and_does_not_cut() {
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(wish(key), Some(Wish::Leave));
        assert_eq!(wish(KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL)), None);
    }

    #[test]
    fn the_help_fits_a_small_terminal() {
        assert!(HELP.len() <= 23 && HELP.iter().all(|line| line.chars().count() <= 78));
    }
}
