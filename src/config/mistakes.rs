//! What is wrong with a herd.toml, or a scenario: every mistake, where it stands, and what would be right.
//!
//! Mistakes are noted while the file is being read and never end the reading, so that all of them are found
//! in one run. What they quote of the file has been made harmless by the time it is noted.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::names::unseen;
use super::notes::Notes;
use crate::limits::HERD_FILE_BYTES_MAX;
#[cfg(doc)]
use crate::limits::MISTAKES_SHOWN_MAX;

/// The mistakes of one file, in the order of the file, and what is needed to show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) kept: Vec<Mistake>,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
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

    pub(crate) fn unreadable(path: &Path, why: &io::Error) -> Self {
        let found = Found::new(Kind::Unreadable, None, format!("{} cannot be read: {why}", path.display()));
        Self::of_file(
            path,
            match why.kind() {
                io::ErrorKind::NotFound => found.help("`herdctl init` writes a herd.toml to begin with"),
                _ => found,
            },
        )
    }

    pub(crate) fn too_long(path: &Path) -> Self {
        let message = format!("{} is longer than {HERD_FILE_BYTES_MAX} bytes", path.display());
        Self::of_file(path, Found::new(Kind::Unreadable, None, message).help("is it a herd.toml?"))
    }

    /// `valid` bytes from the start are UTF-8; the next is not.
    pub(crate) fn not_utf8(path: &Path, bytes: &[u8], valid: usize) -> Self {
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
pub(crate) enum Kind {
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
    SameName,
    SameAddress,
    NotAnAddress,
    NotAPair,
    SelfLink,
    SameLink,
    NotAPath,
    OpenMetrics,
    NotBuilt,
    NotACommand,
    NotAnExpectation,
    BackInTime,
    NotAUrl,
    NotALine,
    Idle,
    SecretInFile,
    StoredNowhere,
    NoListen,
    FewNeighbours,
    HeardUnasked,
    OpenControl,
}

impl Kind {
    pub(crate) fn code(self) -> &'static str {
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
            // H012 was a herd that others can reach and that has no secret: not a matter of the file alone.
            Self::SameName => "H013",
            Self::SameAddress => "H014",
            Self::NotAnAddress => "H015",
            Self::NotAPair => "H016",
            Self::SelfLink => "H017",
            Self::SameLink => "H018",
            Self::NotAPath => "H019",
            Self::NotAUrl => "H020",
            Self::NotALine => "H021",
            Self::Idle => "H022",
            Self::SecretInFile => "H023",
            Self::StoredNowhere => "H024",
            Self::OpenMetrics => "H025",
            Self::NotBuilt => "H026",
            Self::NotACommand => "H027",
            Self::NotAnExpectation => "H028",
            Self::BackInTime => "H029",
            Self::NoListen => "H030",
            Self::FewNeighbours => "H031",
            Self::HeardUnasked => "H032",
            Self::OpenControl => "H033",
        }
    }

    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::EphemeralPort | Self::Islands | Self::Idle | Self::FewNeighbours => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// A mistake as it is found: not yet placed on a line.
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) span: Option<Range<usize>>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

impl Found {
    pub(crate) fn new(kind: Kind, span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { kind, span: span.into(), message: message.into(), label: String::new(), help: None }
    }

    pub(crate) fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn maybe_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }
}

/// A piece of the file as it may stand in a message: short, and between quotes.
pub(crate) fn quoted(text: &str) -> String {
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
