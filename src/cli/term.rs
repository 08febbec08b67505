//! Colours: when they are used, and which. Nothing else in the command line writes an escape sequence.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use unicode_width::UnicodeWidthChar;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const FOUND: Style = AnsiColor::Red.on_default().bold().underline();
pub const DIM: Style = Style::new().dimmed();
pub const BOLD: Style = Style::new().bold();
/// What is drawn behind what matters.
pub const SHORE: Style = AnsiColor::BrightBlack.on_default();
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default();

/// `--color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Choice {
    #[default]
    Auto,
    Always,
    Never,
}

/// What the environment says about colours.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    pub no_color: bool,
    pub force: bool,
    pub dumb: bool,
}

impl Choice {
    /// Whether a stream is styled. The flag wins over the environment, and `NO_COLOR` over `CLICOLOR_FORCE`.
    pub fn styled(self, wishes: &Wishes, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if wishes.no_color || wishes.dumb => false,
            Self::Auto => wishes.force || is_terminal,
        }
    }
}

/// A pen that may be out of ink.
#[derive(Debug, Clone, Copy)]
pub struct Pen {
    pub styled: bool,
}

impl Pen {
    /// `text` in this style; as it is on a stream without styles.
    pub fn ink(self, style: Style, text: &str) -> String {
        if self.styled { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// To the first column of the first line.
pub const HOME: &str = "\x1b[H";
/// Forget all that the terminal shows.
pub const CLEAR: &str = "\x1b[2J";
/// Forget the rest of the line.
pub const CLEAR_LINE: &str = "\x1b[K";
/// Forget all that follows.
pub const CLEAR_BELOW: &str = "\x1b[J";

/// Columns and rows of the terminal; what a terminal has at least where it does not say.
pub fn size() -> (usize, usize) {
    terminal_size::terminal_size().map_or((80, 24), |(columns, rows)| (columns.0.into(), rows.0.into()))
}

/// The colour of the server at this place in `herd.toml`: the same in every run.
pub fn of_server(place: usize) -> Style {
    const WHEEL: [AnsiColor; 10] = [
        AnsiColor::Cyan,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::BrightCyan,
        AnsiColor::BrightYellow,
        AnsiColor::BrightGreen,
        AnsiColor::BrightMagenta,
        AnsiColor::BrightBlue,
    ];
    WHEEL[place % WHEEL.len()].on_default()
}

/// `line`, which may be styled, as far as it fits into so many columns; styles are ended.
pub fn cut(line: &str, columns: usize) -> String {
    let (mut text, mut width, mut is_escape) = (String::with_capacity(line.len()), 0, false);
    for c in line.chars() {
        // A style is `ESC [ … m`, and takes no column.
        if is_escape || c == '\u{1b}' {
            is_escape = c != 'm';
            text.push(c);
            continue;
        }
        width += c.width().unwrap_or(0);
        if width <= columns {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_edge_and_its_styles_are_kept() {
        let styled = Pen { styled: true }.ink(BAD, "killed") + " 東京 x";
        assert_eq!(cut(&styled, 80), styled);
        assert_eq!(cut(&styled, 9), Pen { styled: true }.ink(BAD, "killed") + " 東");
        assert_eq!(cut(&styled, 3), Pen { styled: true }.ink(BAD, "kil"));
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let plain = Wishes::default();
        let no_color = Wishes { no_color: true, force: true, dumb: false };
        let force = Wishes { force: true, ..Wishes::default() };
        let dumb = Wishes { dumb: true, ..Wishes::default() };
        let cases = [
            (Choice::Auto, &plain, true, true),
            (Choice::Auto, &plain, false, false),
            (Choice::Auto, &no_color, true, false),
            (Choice::Auto, &dumb, true, false),
            (Choice::Auto, &force, false, true),
            (Choice::Never, &force, true, false),
            (Choice::Always, &no_color, false, true),
        ];
        for (choice, wishes, is_terminal, expected) in cases {
            assert_eq!(choice.styled(wishes, is_terminal), expected, "{choice:?} {wishes:?} {is_terminal}");
        }
    }
}
