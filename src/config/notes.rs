//! Where mistakes are noted while a file is being read.
//!
//! Notes know the lines of the file, leave out what only follows from a mistake in the TOML itself, and keep
//! no more than will be shown: a file with a hundred thousand mistakes costs no more than one with fifty.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use super::mistakes::{Found, Kind, Mistake, Mistakes, Severity, harmless};
use crate::limits::MISTAKES_SHOWN_MAX;

/// The mistakes of one file so far.
pub(crate) struct Notes<'t> {
    path: &'t Path,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Lines on which the TOML itself is broken: what else seems wrong there follows from that.
    broken: RefCell<HashSet<usize>>,
    /// The beginning of a table is among them, or of a list in a list.
    headless: Cell<bool>,
    found: RefCell<Tally>,
    /// What must not be shown.
    hidden: RefCell<Vec<Range<usize>>>,
}

#[derive(Default)]
struct Tally {
    kept: Vec<Mistake>,
    errors: usize,
    warnings: usize,
}

impl<'t> Notes<'t> {
    pub(crate) fn new(text: &'t str, path: &'t Path) -> Self {
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1)).collect();
        Self {
            path,
            text,
            lines,
            broken: RefCell::default(),
            headless: Cell::new(false),
            found: RefCell::default(),
            hidden: RefCell::default(),
        }
    }

    /// Notes a mistake of the TOML itself. These come before all others.
    pub(crate) fn add_syntax(&self, why: &toml::de::Error) {
        let found = syntax(why);
        let line = self.line(found.start());
        if self.broken.borrow_mut().insert(line) && self.begins_with_bracket(line) {
            self.headless.set(true);
        }
        self.keep(found, line);
    }

    /// Notes a mistake, unless it may follow from one in the TOML itself.
    pub(crate) fn add(&self, found: Found) {
        let line = self.line(found.start());
        let broken = self.broken.borrow();
        let follows = match found.kind {
            // What is absent here may stand where the file could not be read.
            Kind::UnknownServer | Kind::MissingKey | Kind::Islands | Kind::StoredNowhere => !broken.is_empty(),
            // Below a broken `[table]`, keys seem to belong to the table before.
            Kind::UnknownKey => self.headless.get() || broken.contains(&line),
            _ => broken.contains(&line),
        };
        if !follows {
            self.keep(found, line);
        }
    }

    /// Keeps a secret that stands in the file out of everything that is shown.
    pub(crate) fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }

    fn keep(&self, found: Found, line: usize) {
        let severity = found.kind.severity();
        if !self.found.borrow_mut().count(severity) {
            return;
        }
        let column = self.column(found.start(), line);
        self.found.borrow_mut().kept.push(Mistake {
            code: found.kind.code(),
            severity,
            message: harmless(&found.message),
            line,
            column,
            label: harmless(&found.label),
            help: found.help.as_deref().map(harmless),
            span: found.span.map(|span| self.clamped(span)),
        });
    }

    /// The line of this place in the file, from 1.
    pub(crate) fn line(&self, start: usize) -> usize {
        self.lines.partition_point(|&begin| begin <= start)
    }

    fn begins_with_bracket(&self, line: usize) -> bool {
        // This line alone, or a file of blank lines would be read once for each of them.
        let line = self.text[self.lines[line - 1]..].lines().next();
        line.is_some_and(|line| line.trim_start().starts_with('['))
    }

    /// The column of this place on its line, from 1, in characters.
    fn column(&self, start: usize, line: usize) -> usize {
        let start = self.text.floor_char_boundary(start);
        self.text[self.lines[line - 1]..start].chars().count() + 1
    }

    /// Whether anything is wrong so far, and not only odd.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.borrow().errors > 0
    }

    /// Whether one more error would only be counted, so that no work should go into wording it.
    pub(crate) fn full(&self) -> bool {
        self.found.borrow().errors >= MISTAKES_SHOWN_MAX
    }

    /// The end of reading: what was read and proven with its warnings, or all that is wrong.
    pub(crate) fn verdict<T>(self, read: Option<T>) -> Result<(T, Mistakes), Mistakes> {
        let mistakes = self.into_mistakes();
        match read {
            Some(read) if mistakes.errors == 0 => Ok((read, mistakes)),
            _ => Err(mistakes),
        }
    }

    /// The end of reading, when there is nothing to configure.
    pub(crate) fn into_mistakes(self) -> Mistakes {
        let Tally { mut kept, errors, warnings } = self.found.into_inner();
        kept.sort_by_key(|mistake| mistake.severity);
        kept.truncate(MISTAKES_SHOWN_MAX);
        kept.sort_by_key(|mistake| (mistake.line, mistake.column));
        let text = starred(self.text, &self.hidden.into_inner());
        Mistakes { path: harmless(&self.path.to_string_lossy()), text, kept, errors, warnings }
    }

    fn clamped(&self, span: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }
}

impl Tally {
    /// Counts one more, and says whether it should be kept.
    fn count(&mut self, severity: Severity) -> bool {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        *count <= MISTAKES_SHOWN_MAX
    }
}

/// The file with every byte that is hidden replaced by a star, so that all others keep their places.
fn starred(text: &str, hidden: &[Range<usize>]) -> String {
    if hidden.is_empty() {
        return text.to_owned();
    }
    let is_hidden = |at| hidden.iter().any(|span| span.contains(&at));
    let mut shown = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        match char {
            '\n' | '\r' => shown.push(char),
            _ if is_hidden(at) => shown.extend(std::iter::repeat_n('*', char.len_utf8())),
            _ => shown.push(char),
        }
    }
    shown
}

/// The parser's own words, in our order: what is wrong, what was expected.
fn syntax(why: &toml::de::Error) -> Found {
    let (message, expected) = why.message().split_once(", expected ").unwrap_or((why.message(), "nothing"));
    let found = Found::new(Kind::Syntax, why.span(), message);
    let found = match (message, expected) {
        ("duplicate key", _) => found.label("set before"),
        ("string values must be quoted", _) => found.label("put this between quotes"),
        (_, "nothing") => found,
        (_, expected) => found.label(format!("expected {expected}")),
    };
    // The commonest slip, an address without quotes, is taken for a number.
    match message {
        "string values must be quoted" | "invalid float" | "invalid integer" => {
            found.help("text stands between quotes, as in \"Clark\" or \"127.0.0.1:11003\"")
        }
        _ => found,
    }
}
