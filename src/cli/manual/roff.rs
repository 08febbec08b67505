//! A manual page in the macros of man(7), as it grows.

use std::fmt::Write as _;

/// When the text of the pages was last looked through.
const DATE: &str = "2026-11-23";

/// A page.
pub struct Roff {
    text: String,
}

impl Roff {
    /// A page that has only its title. Its date is no day's of today: the same program makes the same page.
    pub fn page(name: &str, section: u8) -> Self {
        let (title, version) = (plain(&name.to_uppercase()), env!("CARGO_PKG_VERSION"));
        Self { text: format!(".TH \"{title}\" {section} \"{DATE}\" \"herdctl {version}\" \"Herdctl Manual\"\n") }
    }

    pub fn name(&mut self, name: &str, what: &str) {
        self.section("NAME");
        self.text(&format!("{} \\- {}", plain(name), plain(&lower_first(what))));
    }

    pub fn section(&mut self, title: &str) {
        let _ = writeln!(self.text, ".SH {title}");
    }

    /// One line that is roff already.
    pub fn text(&mut self, roff: &str) {
        self.text += roff;
        self.text.push('\n');
    }

    pub fn paragraph(&mut self, text: &str) {
        // Right after a heading a paragraph begins by itself.
        if !self.text.trim_end().lines().last().is_some_and(|line| line.starts_with(".SH")) {
            self.text(".PP");
        }
        self.text(&prose(text));
    }

    /// A head, which is roff already, and what is said of it.
    pub fn item(&mut self, head: &str, text: &str) {
        let text = prose(text);
        let text = if text.is_empty() { "\\&" } else { &text };
        let _ = writeln!(self.text, ".TP\n{}\n{text}", guarded(head));
    }

    /// Lines as they stand.
    pub fn block(&mut self, lines: &str) {
        self.text(".nf");
        for line in lines.lines() {
            let line = if line.trim().is_empty() { "\\&".to_owned() } else { folded(&plain(line)) };
            self.text(&line);
        }
        self.text(".fi");
    }

    /// `name(section)` each.
    pub fn see_also(&mut self, pages: &[&str]) {
        self.section("SEE ALSO");
        let refs = pages.iter().filter_map(|page| page.split_once('('));
        let refs: Vec<String> = refs.map(|(name, section)| format!(".BR {} ({section}", plain(name))).collect();
        self.text(&refs.join(" ,\n"));
    }

    pub fn done(self) -> String {
        self.text
    }
}

/// Text in which nothing is a command.
pub fn plain(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Text as a paragraph: a sentence a line, as man pages have it.
fn prose(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = plain(&words).replace(". ", ".\n");
    lines.lines().map(wrapped).collect::<Vec<_>>().join("\n")
}

/// A sentence in lines of a readable length.
fn wrapped(sentence: &str) -> String {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        match last.len() {
            0 => last.push_str(word),
            length if length + 1 + word.len() <= LINE_BYTES_MAX => *last += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| guarded(line)).collect::<Vec<_>>().join("\n")
}

/// A line as it stands, although its source is folded: `\c` joins it with the next.
fn folded(line: &str) -> String {
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() || last.len() + word.len() < LINE_BYTES_MAX {
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    // A space at the end of a source line would be lost.
    let lines: Vec<_> = lines.iter().map(|line| guarded(line)).collect();
    lines.join("\\c\n")
}

/// Sources of manual pages are no wider.
const LINE_BYTES_MAX: usize = 76;

/// A line that begins as a command would is none.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        let mut page = Roff::page("a-b", 1);
        page.section("X");
        page.paragraph(".so /etc/passwd and \\fB. 'quoted");
        page.block(".ex\n\nplain");
        let text = page.done();
        assert!(text.contains("\n\\&.so /etc/passwd and \\efB.\n\\&'quoted\n"), "{text}");
        assert!(text.contains("\n.nf\n\\&.ex\n\\&\nplain\n.fi\n"), "{text}");
        assert!(!text.contains(".PP"), "{text}");
    }
}
