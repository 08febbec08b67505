//! Hostile bytes made harmless at the sink.
//!
//! Client names, log text, server answers and paths come from anybody. Whatever could move a cursor, start an
//! escape sequence or reorder text is spelled out here (`\x1b`, `\u{202e}`) before it reaches a terminal. What is
//! printable, in any script, stays as it is. Never used on bytes that go into a pipe as a server's own answer.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text of `bytes` with every control character, bidirectional mark and byte that is not UTF-8 spelled out.
/// Line feeds are control characters too: what comes out is one line.
pub fn line(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_hostile)
    {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut safe, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(safe, "\\x{byte:02x}");
        }
    }
    Cow::Owned(safe)
}

/// [`line()`], for text.
pub fn text(text: &str) -> Cow<'_, str> {
    line(text.as_bytes())
}

/// [`line()`] for each line of `bytes`; the line feeds stay.
pub fn lines(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for (nth, one) in bytes.split(|&b| b == b'\n').enumerate() {
        if nth > 0 {
            safe.push('\n');
        }
        safe.push_str(&line(one));
    }
    safe
}

/// A JSON document in which what [`line()`] spells out is `\uXXXX`: the same document, harmless on a terminal.
/// `json` is as `serde_json` writes it, so such characters stand only inside strings.
pub fn json(json: String) -> String {
    if !json.contains(is_hostile) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_hostile(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn push(safe: &mut String, c: char) {
    let _ = match u32::from(c) {
        code @ ..0x100 if is_hostile(c) => write!(safe, "\\x{code:02x}"),
        code if is_hostile(c) => write!(safe, "\\u{{{code:x}}}"),
        _ => safe.write_char(c),
    };
}

/// C0, DEL, C1; the marks that reorder text; the separators that some terminals take for line ends. All of them
/// lie in the basic plane, which [`json`] relies on.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_printable_stays() {
        assert_eq!(line("kiwi Ω 東京 \\x1b".as_bytes()), "kiwi Ω 東京 \\x1b");
    }

    #[test]
    fn what_is_not_is_spelled_out() {
        assert_eq!(line(b"\x1b[31mred\x07\xff\r"), "\\x1b[31mred\\x07\\xff\\x0d");
        assert_eq!(text("a\u{9b}b\u{202e}c\u{7f}"), "a\\x9bb\\u{202e}c\\x7f");
        assert_eq!(lines(b"a\x1b\nb\n"), "a\\x1b\nb\n");
    }

    proptest! {
        #[test]
        fn no_control_byte_comes_through(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!line(&bytes).contains(is_hostile));
            prop_assert!(!lines(&bytes).replace('\n', "").contains(is_hostile));
        }

        #[test]
        fn a_document_stays_the_same_document(text in any::<String>()) {
            let hostile = format!("{text}\u{9b}\u{7f}\u{202e}");
            let safe = json(serde_json::to_string(&hostile).unwrap());
            prop_assert!(!safe.contains(is_hostile));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
        }
    }
}
