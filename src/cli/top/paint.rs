//! What other commands paint for a terminal, as ratatui wants it: the same words in the same colours, and without any
//! where none are wanted. Only our own styles are read, as [`term::Pen`](crate::cli::term::Pen) writes them: whatever
//! came from elsewhere was made harmless before.

use anstyle::{AnsiColor, Effects};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::cli::term::Pen;

/// A pen for cells instead of text.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub pen: Pen,
}

impl Paint {
    /// The style for this ink; none where nothing is coloured.
    pub fn style(self, ink: anstyle::Style) -> Style {
        if self.pen.styled { style(ink) } else { Style::new() }
    }

    pub fn span<'a>(self, ink: anstyle::Style, text: impl Into<std::borrow::Cow<'a, str>>) -> Span<'a> {
        Span::styled(text, self.style(ink))
    }

    /// What a point on a canvas is painted with.
    pub fn colour(self, ink: anstyle::Style) -> Color {
        self.style(ink).fg.unwrap_or(Color::Reset)
    }
}

/// A line that was painted with a [`Pen`].
pub fn line(painted: &str) -> Line<'static> {
    let (mut spans, mut now) = (Vec::new(), Style::new());
    for (nth, part) in painted.split("\x1b[").enumerate() {
        let text = match part.split_once('m') {
            Some((codes, text)) if nth > 0 => {
                now = codes.split(';').fold(now, after);
                text
            }
            _ => part,
        };
        if !text.is_empty() {
            spans.push(Span::styled(text.to_owned(), now));
        }
    }
    spans.into()
}

fn style(ink: anstyle::Style) -> Style {
    let mut style = Style::new();
    if let Some(anstyle::Color::Ansi(colour)) = ink.get_fg_color() {
        style = style.fg(ansi(colour));
    }
    let effects =
        [(Effects::BOLD, Modifier::BOLD), (Effects::DIMMED, Modifier::DIM), (Effects::UNDERLINE, Modifier::UNDERLINED)];
    let wanted = effects.into_iter().filter(|(effect, _)| ink.get_effects().contains(*effect));
    wanted.fold(style, |style, (_, modifier)| style.add_modifier(modifier))
}

/// The style after one number of `ESC [ … m`.
fn after(style: Style, code: &str) -> Style {
    const BASIC: [AnsiColor; 8] = [
        AnsiColor::Black,
        AnsiColor::Red,
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
        AnsiColor::White,
    ];
    match code.parse::<usize>().unwrap_or(0) {
        1 => style.add_modifier(Modifier::BOLD),
        2 => style.add_modifier(Modifier::DIM),
        4 => style.add_modifier(Modifier::UNDERLINED),
        code @ 30..=37 => style.fg(ansi(BASIC[code - 30])),
        code @ 90..=97 => style.fg(ansi(BASIC[code - 90].bright(true))),
        _ => Style::new(),
    }
}

fn ansi(colour: AnsiColor) -> Color {
    match colour {
        AnsiColor::Black => Color::Black,
        AnsiColor::Red => Color::Red,
        AnsiColor::Green => Color::Green,
        AnsiColor::Yellow => Color::Yellow,
        AnsiColor::Blue => Color::Blue,
        AnsiColor::Magenta => Color::Magenta,
        AnsiColor::Cyan => Color::Cyan,
        AnsiColor::White => Color::Gray,
        AnsiColor::BrightBlack => Color::DarkGray,
        AnsiColor::BrightRed => Color::LightRed,
        AnsiColor::BrightGreen => Color::LightGreen,
        AnsiColor::BrightYellow => Color::LightYellow,
        AnsiColor::BrightBlue => Color::LightBlue,
        AnsiColor::BrightMagenta => Color::LightMagenta,
        AnsiColor::BrightCyan => Color::LightCyan,
        AnsiColor::BrightWhite => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::term;

    #[test]
    fn what_a_pen_paints_keeps_its_words_and_colours() {
        let pen = Pen { styled: true };
        for ink in (0..10).map(term::of_server).chain([term::GOOD, term::DIM, term::BOLD, term::FOUND, term::ERROR]) {
            let painted = format!("a m {} z", pen.ink(ink, "Clark |"));
            let line = line(&painted);
            assert_eq!(line.to_string(), "a m Clark | z");
            assert_eq!(line.spans[1].style, style(ink), "{ink:?}");
            assert_eq!((line.spans[0].style, line.spans[2].style), (Style::new(), Style::new()));
        }
    }

    #[test]
    fn without_colours_there_are_none() {
        let paint = Paint { pen: Pen { styled: false } };
        assert_eq!((paint.style(term::BAD), paint.colour(term::BAD)), (Style::new(), Color::Reset));
        assert_eq!(line("plain m text").to_string(), "plain m text");
    }
}
