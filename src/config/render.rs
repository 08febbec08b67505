//! Mistakes as a person meets them: file, line, the line itself, a caret, what is wrong, what would be right.
//!
//! The file is somebody else's bytes: of its lines only characters that can be seen are written.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Message, Origin, Renderer, Snippet};

use super::names::unseen;
use super::{Mistake, Mistakes, Severity};
use crate::limits::LINE_SHOWN_BYTES_MAX;

impl Mistakes {
    /// All that is kept, each mistake as a paragraph, and a last line that counts them: `1 error, 1 warning`.
    /// Does not end with a line ending; empty if there is no mistake. `styled` adds colours as ANSI escapes.
    pub fn render(&self, styled: bool) -> String {
        if self.is_empty() {
            return String::new();
        }
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut shown: Vec<String> = self.iter().map(|mistake| self.paragraph(mistake, &renderer)).collect();
        shown.push(self.sum());
        shown.join("\n\n")
    }

    fn paragraph(&self, mistake: &Mistake, renderer: &Renderer) -> String {
        let level = match mistake.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level.primary_title(&mistake.message).id(mistake.code);
        let group = match mistake.span.clone().and_then(|span| Line::around(&self.text, span)) {
            Some(line) => group.element(
                Snippet::source(line.text)
                    .line_start(mistake.line)
                    .path(&self.path)
                    .annotation(AnnotationKind::Primary.span(line.span).label(&mistake.label)),
            ),
            None => group.element(self.origin(mistake)).elements(unshown(mistake)),
        };
        let help = mistake.help.as_ref().map(|help| Level::HELP.message(help));
        renderer.render(&[group.elements(help)])
    }

    fn origin(&self, mistake: &Mistake) -> Origin<'_> {
        let origin = Origin::path(&self.path);
        match mistake.span {
            Some(_) => origin.line(mistake.line).char_column(mistake.column),
            None => origin,
        }
    }

    fn sum(&self) -> String {
        let counts: Vec<String> = [(self.errors(), "error"), (self.warnings(), "warning")]
            .into_iter()
            .filter(|&(count, _)| count > 0)
            .map(|(count, noun)| counted(count, noun))
            .collect();
        let counts = counts.join(", ");
        match self.errors() + self.warnings() - self.iter().len() {
            0 => counts,
            more => format!("and {more} more\n{counts}"),
        }
    }
}

/// What would have stood beside the caret of a line that is not shown.
fn unshown(mistake: &Mistake) -> Option<Message<'_>> {
    let says_more = mistake.span.is_some() && !mistake.label.is_empty();
    says_more.then(|| Level::NOTE.message(&mistake.label))
}

/// A line of the file with every unseen character replaced, one for one, so that columns stay as they are.
struct Line {
    text: String,
    span: Range<usize>,
}

impl Line {
    /// The line on which `span` begins; `None` if it is too long to be shown. A span that goes on over more
    /// lines ends with this one.
    fn around(text: &str, span: Range<usize>) -> Option<Self> {
        let begin = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
        let line = text[begin..].lines().next().unwrap_or_default();
        if line.len() > LINE_SHOWN_BYTES_MAX {
            return None;
        }
        // A span may begin on the line ending itself.
        let start = (span.start - begin).min(line.len());
        let end = (span.end - begin).clamp(start, line.len());
        let before = seen(&line[..start]);
        let marked = seen(&line[start..end]);
        let span = before.len()..before.len() + marked.len();
        Some(Self { text: before + &marked + &seen(&line[end..]), span })
    }
}

fn seen(text: &str) -> String {
    let replaced = |c| if unseen(c) && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(replaced).collect()
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
