//! JSON in the style of Google's Places answers: three spaces a level, `"key" : value`, brackets on lines of
//! their own, empty containers inline.
//!
//! It is written front to back into one string, with no tree in between. Strings are escaped so that no
//! name, whoever gave it, can break a line, hide text or open a tag. The keys of an object come out in the
//! order they are given in; Google sorts them, and so do its callers.

use std::fmt::Write as _;

/// One document: an object, filled by `fill`. `bytes_expected` is a guess at its length that saves copying.
pub fn document(bytes_expected: usize, fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::with_capacity(bytes_expected);
    Value { out: &mut out, depth: 0, follows_key: false }.object(fill);
    out
}

/// An object being written.
pub struct Object<'a> {
    out: &'a mut String,
    depth: usize,
    empty: bool,
}

impl Object<'_> {
    /// The next field. `key` is a plain word: it is not escaped.
    pub fn field(&mut self, key: &'static str) -> Value<'_> {
        next_line(self.out, self.depth, &mut self.empty);
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\" : ");
        Value { out: self.out, depth: self.depth, follows_key: true }
    }
}

/// An array being written.
pub struct Array<'a> {
    out: &'a mut String,
    depth: usize,
    empty: bool,
}

impl Array<'_> {
    /// The next item.
    pub fn item(&mut self) -> Value<'_> {
        next_line(self.out, self.depth, &mut self.empty);
        Value { out: self.out, depth: self.depth, follows_key: false }
    }
}

/// A place where one value is due.
#[must_use = "a key without a value is no JSON"]
pub struct Value<'a> {
    out: &'a mut String,
    depth: usize,
    follows_key: bool,
}

impl Value<'_> {
    pub fn object(self, fill: impl FnOnce(&mut Object<'_>)) {
        self.container(['{', '}'], |out, depth| {
            let mut object = Object { out, depth, empty: true };
            fill(&mut object);
            object.empty
        });
    }

    pub fn array(self, fill: impl FnOnce(&mut Array<'_>)) {
        self.container(['[', ']'], |out, depth| {
            let mut array = Array { out, depth, empty: true };
            fill(&mut array);
            array.empty
        });
    }

    pub fn string(self, text: &str) {
        self.out.push('"');
        push_escaped(self.out, text);
        self.out.push('"');
    }

    /// The shortest digits that read back as the same number, and no point in a whole one. JSON has no word
    /// for what is not finite: that is `null`.
    pub fn number(self, number: f64) {
        if number.is_finite() {
            let _ = write!(self.out, "{number}"); // A String takes everything.
        } else {
            self.out.push_str("null");
        }
    }

    pub fn boolean(self, truth: bool) {
        self.out.push_str(if truth { "true" } else { "false" });
    }

    /// A coordinate in 1e-5°, in degrees: exact, and as short as it can be.
    pub fn degrees(self, units: i32) {
        if units < 0 {
            self.out.push('-');
        }
        let (whole, rest) = (units.unsigned_abs() / 100_000, units.unsigned_abs() % 100_000);
        let mut digits = itoa::Buffer::new();
        self.out.push_str(digits.format(whole));
        if rest != 0 {
            // The leading 1 keeps the zeros after the point; the point takes its place.
            self.out.push('.');
            self.out.push_str(digits.format(100_000 + rest)[1..].trim_end_matches('0'));
        }
    }

    fn container(self, [open, close]: [char; 2], fill: impl FnOnce(&mut String, usize) -> bool) {
        let before = self.out.len();
        if self.follows_key {
            new_line(self.out, self.depth);
        }
        self.out.push(open);
        if fill(self.out, self.depth + 1) {
            self.out.truncate(before);
            self.out.push(open);
        } else {
            new_line(self.out, self.depth);
        }
        self.out.push(close);
    }
}

fn next_line(out: &mut String, depth: usize, empty: &mut bool) {
    if !*empty {
        out.push(',');
    }
    *empty = false;
    new_line(out, depth);
}

fn new_line(out: &mut String, depth: usize) {
    /// A line end and the margin of the deepest level; what is deeper still stays at that margin.
    const DEEPEST: &str = "\n                                                ";
    out.push_str(&DEEPEST[..(1 + 3 * depth).min(DEEPEST.len())]);
}

/// Escapes what JSON must, what could open a tag in a page, and what a terminal would obey or not show. It is
/// what the JSON printer of Google's own protobuf escapes (`json_escaping.cc`), and the bidirectional
/// isolates; like that one it leaves `&` as it is.
fn push_escaped(out: &mut String, text: &str) {
    // Nearly all text is nothing but plain ASCII, which is seen a byte at a time.
    let plain = text.bytes().position(|byte| !is_plain(byte)).unwrap_or(text.len());
    out.push_str(&text[..plain]);
    let mut rest = &text[plain..];
    while let Some(at) = rest.find(is_escaped) {
        out.push_str(&rest[..at]);
        let mut after = rest[at..].chars();
        if let Some(escaped) = after.next() {
            push_escape(out, escaped);
        }
        rest = after.as_str();
    }
    out.push_str(rest);
}

/// ASCII that [`is_escaped`] leaves as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'<' | b'>')
}

fn is_escaped(char: char) -> bool {
    matches!(char,
        '"' | '\\' | '<' | '>'
        // Control characters.
        | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // What shows nothing, but changes how the rest is shown.
        | '\u{ad}' | '\u{600}'..='\u{603}' | '\u{6dd}' | '\u{70f}' | '\u{17b4}'..='\u{17b5}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}

#[cold]
fn push_escape(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        _ => {
            // All that is escaped lies in the first plane, so four digits hold it.
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
    }
}
