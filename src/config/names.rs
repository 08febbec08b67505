//! What a name must be, when two names are the same, and which one was probably meant.
//!
//! A name stands in lines of the protocol, in file names, in tables and on terminals, so the rules are those
//! of all four together. Never decides which names exist.

use super::fields::Text;
use super::mistakes::{Found, Kind, quoted};
use super::notes::Notes;
use crate::limits::NAME_BYTES_MAX;

/// A typo keeps about four fifths of a word's letters in place.
const LIKENESS_MIN: f64 = 0.8;

/// The name among `names` that was probably meant by `typed`, without regard to case.
pub fn closest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Something far longer than a name is no typo, and comparing it would take long.
    let comparable = |name: &str| name.len() <= 2 * NAME_BYTES_MAX;
    if !comparable(typed) {
        return None;
    }
    let typed = folded(typed);
    let likeness = |name: &str| strsim::jaro_winkler(&typed, &folded(name));
    let (best, likeness) = names
        .into_iter()
        .filter(|name| comparable(name))
        .map(|name| (name, likeness(name)))
        // Of equals the first, which `max_by` would not give.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    (likeness >= LIKENESS_MIN).then_some(best)
}

/// Two names are the same if they are equal when folded.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Whether `name` is one word; else what is wrong with it as the name of a `noun` is noted.
pub(super) fn is_name(name: &Text<'_>, noun: &str, notes: &Notes<'_>) -> bool {
    let flaw = flaw(name.text);
    if let Some(flaw) = flaw {
        notes.add(
            Found::new(Kind::NotAName, name.span.clone(), format!("{} is no name for a {noun}", quoted(name.text)))
                .label(flaw)
                .help("a name is one word, such as `Clark`"),
        );
    }
    flaw.is_none()
}

/// Why `name` is not one word that can be said, shown and be part of a file's name; `None` if it is.
pub(super) fn flaw(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > NAME_BYTES_MAX {
        Some("it is longer than 32 bytes")
    } else if name.contains(char::is_whitespace) {
        Some("it holds white space")
    } else if name.contains(unseen) {
        Some("it holds a character that cannot be seen")
    } else if name.contains(['|', '/', '\\']) {
        Some("it holds one of | / \\")
    } else if name.starts_with(['-', '.']) {
        Some("it begins with - or .")
    } else {
        None
    }
}

/// A character that shows as nothing, or changes how others show: control characters, marks that turn the
/// direction of text, spaces without width, tags. Such a character never reaches a terminal.
pub(super) fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name() {
        let names = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
        for (typed, meant) in [
            ("clrk", Some("Clark")),
            ("CLARK", Some("Clark")),
            ("Jaquezz", Some("Jaquez")),
            ("Bialey", Some("Bailey")),
            ("cambell", Some("Campbell")),
            ("Bob", None),
            ("Ostrom", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, names), meant, "{typed}");
        }
        assert_eq!(closest(&"Clark".repeat(1000), names), None);
        assert_eq!(closest("Clark", []), None);
    }

    #[test]
    fn the_longest_name_is_what_the_message_says() {
        assert_eq!(flaw(&"n".repeat(32)), None);
        assert_eq!(flaw(&"n".repeat(33)), Some("it is longer than 32 bytes"));
        assert_eq!(NAME_BYTES_MAX, 32);
    }

    #[test]
    fn letters_of_any_script_are_seen() {
        for name in ["Ångström", "김", "Ωmega", "server_1", "a.b-c", "🐑"] {
            assert_eq!(flaw(name), None, "{name}");
        }
        for name in [
            "",
            "two words",
            "tab\there",
            "a\u{1b}[31m",
            "\u{202e}kralC",
            "a|b",
            "a/b",
            "a\\b",
            "-f",
            ".hidden",
            "..",
            "zero\u{200b}width",
        ] {
            assert!(flaw(name).is_some(), "{name:?}");
        }
    }
}
