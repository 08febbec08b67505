//! Reads one table of a TOML file, key by key and by type.
//!
//! The code that reads a table is its only description: the keys that were asked for are the known ones, so
//! the list of them cannot go stale. A value that is wrong is noted and read as absent.

use std::fmt::{self, Display};
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Found, Kind, quoted};
use super::names::{self, closest};
use super::notes::Notes;
use super::render::counted;
use crate::limits::PATH_BYTES_MAX;

/// One table, while it is being read.
pub(crate) struct Fields<'a> {
    /// What messages call it.
    name: &'static str,
    table: Option<&'a DeTable<'a>>,
    /// Where it stands; `None` for the file as a whole.
    span: Option<Range<usize>>,
    asked: Vec<&'static str>,
    refused: Vec<&'static str>,
    pub(crate) notes: &'a Notes<'a>,
}

/// A value and what it is called.
pub(crate) struct Field<'a> {
    name: Name,
    /// Where its key stands, or, in a list, the value itself.
    pub(crate) key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
    pub(crate) notes: &'a Notes<'a>,
}

/// A text of the file and where it stands.
#[derive(Clone)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Range<usize>,
}

/// What messages call a value.
#[derive(Clone, Copy)]
enum Name {
    Key(&'static str),
    /// An item of a list: "a server".
    Item(&'static str),
}

impl<'a> Fields<'a> {
    /// The file as a whole, which messages call `name`.
    pub(crate) fn of_file(name: &'static str, table: &'a DeTable<'a>, notes: &'a Notes<'a>) -> Self {
        Self { name, table: Some(table), span: None, asked: Vec::new(), refused: Vec::new(), notes }
    }

    /// The value of a key that may be absent.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (place, value) = self.table?.get_key_value(key)?;
        Some(Field { name: Name::Key(key), key: place.span(), value, notes: self.notes })
    }

    /// The value of a key that must be absent; the caller says why.
    pub(crate) fn refuse(&mut self, key: &'static str) -> Option<Field<'a>> {
        let (place, value) = self.table?.get_key_value(key)?;
        self.refused.push(key);
        Some(Field { name: Name::Key(key), key: place.span(), value, notes: self.notes })
    }

    /// The value of a key that may not be absent.
    pub(crate) fn need(&mut self, key: &'static str, example: &str) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let message = format!("{} has no `{key}`", self.name);
            self.notes.add(
                Found::new(Kind::MissingKey, self.span.clone(), message)
                    .label(format!("`{key}` is missing"))
                    .help(format!("for example `{example}`")),
            );
        }
        field
    }

    /// A whole number within `range`; `default` if the key is absent.
    pub(crate) fn number<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<i128> + PartialOrd + Display + Copy,
    {
        self.get(key).and_then(|field| field.number(default, range)).unwrap_or(default)
    }

    /// One of `words`; the default if the key is absent.
    pub(crate) fn choice<T: Copy + Default>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> T {
        self.get(key).and_then(|field| field.choice(words)).unwrap_or_default()
    }

    /// A table inside this one; empty if the key is absent.
    pub(crate) fn table(&mut self, key: &'static str, name: &'static str) -> Self {
        let notes = self.notes;
        self.get(key)
            .and_then(|field| field.table(name, &format!("a table, whose keys stand below a line `{name}`")))
            .unwrap_or(Fields { name, table: None, span: None, asked: Vec::new(), refused: Vec::new(), notes })
    }

    /// The end of reading: a key that was never asked for is unknown.
    pub(crate) fn close(self) {
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) && !self.refused.contains(&name) {
                self.notes.add(self.unknown(key));
            }
        }
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'_, str>>) -> Found {
        let typed = key.get_ref();
        let message = format!("unknown key {} in {}", quoted(typed), self.name);
        let found =
            Found::new(Kind::UnknownKey, key.span(), message).help(format!("known here: {}", list(&self.asked)));
        match closest(typed, self.asked.iter().copied()) {
            Some(meant) => found.label(format!("did you mean `{meant}`?")),
            None => found.label("no such key"),
        }
    }
}

impl<'a> Field<'a> {
    pub(crate) fn text(&self) -> Option<Text<'a>> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(Text { text, span: self.value.span() }),
            _ => self.wrong_type("a text between quotes"),
        }
    }

    /// Where the value stands.
    pub(crate) fn value_span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Whether the value is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Array(_))
    }

    /// A path that can be opened, at least as far as its characters go.
    pub(crate) fn path(&self) -> Option<&'a str> {
        let Text { text, span } = self.text()?;
        let flaw = if text.is_empty() {
            "it is empty"
        } else if text.len() > PATH_BYTES_MAX {
            "it is longer than any system allows"
        } else if text.contains(names::unseen) {
            "it holds a character that cannot be seen"
        } else {
            return Some(text);
        };
        self.notes.add(Found::new(Kind::NotAPath, span, format!("{} is no path", quoted(text))).label(flaw));
        None
    }

    fn number<T>(&self, default: T, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let takes = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(written) = self.value.get_ref() else {
            return self.wrong_type(&takes);
        };
        let number = i128::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("{} is out of range: {}", self.name, quoted(&written.to_string()));
            self.notes.add(
                Found::new(Kind::OutOfRange, self.value.span(), message)
                    .label(format!("from {} to {}", range.start(), range.end()))
                    .help(format!("without this key it is {default}")),
            );
        }
        number
    }

    /// One of `words`; nothing if it is another, which is noted.
    pub(crate) fn choice<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let Text { text, span } = self.text()?;
        if let Some(&(_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value);
        }
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let meant = closest(text, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
        self.notes.add(
            Found::new(Kind::UnknownWord, span, format!("{} cannot be {}", self.name, quoted(text)))
                .label(meant.unwrap_or_else(|| "unknown word".into()))
                .help(format!("known here: {}", list(&known))),
        );
        None
    }

    /// A list; its items are called `item`, as in "a server". How many there are is noted if it is out of range.
    pub(crate) fn list(&self, item: &'static str, noun: &str, range: &RangeInclusive<usize>) -> Option<Vec<Field<'a>>> {
        let items = self.items(item).or_else(|| self.wrong_type("a list between square brackets"))?;
        if !range.contains(&items.len()) {
            let message = format!("{} holds {}", self.name, counted(items.len(), noun));
            self.notes.add(Found::new(Kind::OutOfRange, self.key.clone(), message).label(format!(
                "from {} to {}",
                range.start(),
                range.end()
            )));
        }
        Some(items)
    }

    /// Exactly two items; anything else is noted as no pair.
    pub(crate) fn pair(&self, item: &'static str) -> Option<[Field<'a>; 2]> {
        let items = self.items(item);
        let label = match &items {
            Some(items) => counted(items.len(), "item"),
            None => kind_of(self.value.get_ref()).into(),
        };
        let pair = items.and_then(|items| items.try_into().ok());
        if pair.is_none() {
            self.notes.add(
                Found::new(Kind::NotAPair, self.value.span(), format!("{} is a pair of servers", self.name))
                    .label(label)
                    .help("for example `[\"Clark\", \"Jaquez\"]`"),
            );
        }
        pair
    }

    /// The table, which messages call `name`; what should stand here instead of anything else is said by `takes`.
    pub(crate) fn table(&self, name: &'static str, takes: &str) -> Option<Fields<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Fields {
                name,
                table: Some(table),
                span: Some(self.value.span()),
                asked: Vec::new(),
                refused: Vec::new(),
                notes: self.notes,
            }),
            _ => self.wrong_type(takes),
        }
    }

    fn items(&self, item: &'static str) -> Option<Vec<Field<'a>>> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return None;
        };
        let field = |value: &'a Spanned<DeValue<'a>>| Field {
            name: Name::Item(item),
            key: value.span(),
            value,
            notes: self.notes,
        };
        Some(items.iter().map(field).collect())
    }

    fn wrong_type<T>(&self, takes: &str) -> Option<T> {
        let found = kind_of(self.value.get_ref());
        self.notes.add(
            Found::new(Kind::WrongType, self.value.span(), format!("{} takes {takes}", self.name))
                .label(format!("this is {found}")),
        );
        None
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Item(item) => f.write_str(item),
        }
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
