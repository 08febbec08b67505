//! What is wrong with a herd.toml: every mistake, where it stands, and what would be right.
//!
//! Mistakes are noted while the file is being read and never end the reading, so that all of them are found
//! in one run. What they quote of the file has been made harmless by the time it is noted.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::Config;
use super::names::unseen;
use crate::limits::{HERD_FILE_BYTES_MAX, MISTAKES_SHOWN_MAX};

/// The mistakes of one file, in the order of the file, and what is needed to show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    pub(super) path: String,
    pub(super) text: String,
    kept: Vec<Mistake>,
    errors: usize,
    warnings: usize,
}

/// One thing that is wrong, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `H003`: the same for the same kind of mistake, in every version.
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong: one line, without a full stop.
    pub message: String,
    /// From 1; 1 also for a mistake of the file as a whole.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// What would be right.
    pub help: Option<String>,
    /// The bytes of the file that are meant; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
}

/// Whether a herd can come up in spite of a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// It can, but hardly as meant.
    Warning,
}

impl Mistakes {
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many errors there are, also those past the number that is kept.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are, also those past the number that is kept.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// The mistakes in the order of the file, at most [`MISTAKES_SHOWN_MAX`]; errors go before warnings
    /// when there are more.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Mistake> {
        self.kept.iter()
    }

    pub(super) fn unreadable(path: &Path, why: &io::Error) -> Self {
        let found = Found::new(Kind::Unreadable, None, format!("{} cannot be read: {why}", path.display()));
        Self::of_file(
            path,
            match why.kind() {
                io::ErrorKind::NotFound => found.help("`herdctl init` writes a herd.toml to begin with"),
                _ => found,
            },
        )
    }

    pub(super) fn too_long(path: &Path) -> Self {
        let message = format!("{} is longer than {HERD_FILE_BYTES_MAX} bytes", path.display());
        Self::of_file(path, Found::new(Kind::Unreadable, None, message).help("is it a herd.toml?"))
    }

    /// `valid` bytes from the start are UTF-8; the next is not.
    pub(super) fn not_utf8(path: &Path, bytes: &[u8], valid: usize) -> Self {
        // Every invalid byte becomes a replacement character, so what comes before it keeps its place.
        let text = String::from_utf8_lossy(bytes);
        let notes = Notes::new(&text, path);
        let end = valid + char::REPLACEMENT_CHARACTER.len_utf8();
        notes.add(
            Found::new(Kind::Unreadable, valid..end, "the file is not UTF-8")
                .label(format!("byte {:#04x}", bytes.get(valid).copied().unwrap_or_default()))
                .help("save it as UTF-8"),
        );
        notes.into_mistakes()
    }

    fn of_file(path: &Path, found: Found) -> Self {
        let notes = Notes::new("", path);
        notes.add(found);
        notes.into_mistakes()
    }
}

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}

/// The kinds of mistakes. A code is never given to another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unreadable,
    Syntax,
    UnknownServer,
    UnknownKey,
    MissingKey,
    WrongType,
    OutOfRange,
    UnknownWord,
    NotAName,
    EphemeralPort,
    Islands,
    OpenWithoutSecret,
    SameName,
    SameAddress,
    NotAnAddress,
    NotAPair,
    SelfLink,
    SameLink,
    NotAPath,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "H001",
            Self::Syntax => "H002",
            Self::UnknownServer => "H003",
            Self::UnknownKey => "H004",
            Self::MissingKey => "H005",
            Self::WrongType => "H006",
            Self::OutOfRange => "H007",
            Self::UnknownWord => "H008",
            Self::NotAName => "H009",
            Self::EphemeralPort => "H010",
            Self::Islands => "H011",
            Self::OpenWithoutSecret => "H012",
            Self::SameName => "H013",
            Self::SameAddress => "H014",
            Self::NotAnAddress => "H015",
            Self::NotAPair => "H016",
            Self::SelfLink => "H017",
            Self::SameLink => "H018",
            Self::NotAPath => "H019",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::EphemeralPort | Self::Islands | Self::OpenWithoutSecret => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// A mistake as it is found: not yet placed on a line.
pub(super) struct Found {
    kind: Kind,
    span: Option<Range<usize>>,
    message: String,
    label: String,
    help: Option<String>,
}

impl Found {
    pub(super) fn new(kind: Kind, span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { kind, span: span.into(), message: message.into(), label: String::new(), help: None }
    }

    fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn maybe_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }
}

/// Where mistakes are noted while a file is being read.
pub(super) struct Notes<'t> {
    path: &'t Path,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Lines on which the TOML itself is broken: what else seems wrong there follows from that.
    broken: RefCell<HashSet<usize>>,
    /// The beginning of a table is among them, or of a list in a list.
    headless: Cell<bool>,
    found: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    kept: Vec<Mistake>,
    errors: usize,
    warnings: usize,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str, path: &'t Path) -> Self {
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1)).collect();
        Self { path, text, lines, broken: RefCell::default(), headless: Cell::new(false), found: RefCell::default() }
    }

    /// Notes a mistake of the TOML itself. These come before all others.
    pub(super) fn add_syntax(&self, why: &toml::de::Error) {
        let found = syntax(why);
        let line = self.line(found.start());
        self.broken.borrow_mut().insert(line);
        if self.text[self.lines[line - 1]..].trim_start().starts_with('[') {
            self.headless.set(true);
        }
        self.keep(found, line);
    }

    /// Notes a mistake, unless it may follow from one in the TOML itself.
    pub(super) fn add(&self, found: Found) {
        let line = self.line(found.start());
        let broken = self.broken.borrow();
        let follows = match found.kind {
            // What is absent here may stand where the file could not be read.
            Kind::UnknownServer | Kind::MissingKey | Kind::Islands | Kind::OpenWithoutSecret => !broken.is_empty(),
            // Below a broken `[table]`, keys seem to belong to the table before.
            Kind::UnknownKey => self.headless.get() || broken.contains(&line),
            _ => broken.contains(&line),
        };
        if !follows {
            self.keep(found, line);
        }
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
    pub(super) fn line(&self, start: usize) -> usize {
        self.lines.partition_point(|&begin| begin <= start)
    }

    /// The column of this place on its line, from 1, in characters.
    fn column(&self, start: usize, line: usize) -> usize {
        let start = self.text.floor_char_boundary(start);
        self.text[self.lines[line - 1]..start].chars().count() + 1
    }

    /// Whether one more error would only be counted, so that no work should go into wording it.
    pub(super) fn full(&self) -> bool {
        self.found.borrow().errors >= MISTAKES_SHOWN_MAX
    }

    /// The end of reading: the proven configuration with its warnings, or all that is wrong.
    pub(super) fn verdict(self, config: Option<Config>) -> Result<(Config, Mistakes), Mistakes> {
        let mistakes = self.into_mistakes();
        match config {
            Some(config) if mistakes.errors == 0 => Ok((config, mistakes)),
            _ => Err(mistakes),
        }
    }

    fn into_mistakes(self) -> Mistakes {
        let Tally { mut kept, errors, warnings } = self.found.into_inner();
        kept.sort_by_key(|mistake| mistake.severity);
        kept.truncate(MISTAKES_SHOWN_MAX);
        kept.sort_by_key(|mistake| (mistake.line, mistake.column));
        Mistakes { path: harmless(&self.path.to_string_lossy()), text: self.text.to_owned(), kept, errors, warnings }
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

/// A piece of the file as it may stand in a message: short, and between quotes.
pub(super) fn quoted(text: &str) -> String {
    /// Long enough for any name and address, and for most paths.
    const SHOWN_CHARS_MAX: usize = 64;
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((cut, _)) => format!("`{}…`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

/// `text` with every character that a terminal would act upon written as an escape.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if unseen(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
