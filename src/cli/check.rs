//! `herdctl check`: is this herd.toml right, and what it names? Says all that is wrong with it, and starts nothing.

use std::path::Path;

use serde::Serialize;

use super::check_places::{self, Finding};
use super::check_trust;
use crate::config::{self, Config, Mistake, Mistakes, Severity, counted, harmless};

/// What was found out about a herd.toml.
#[derive(Debug)]
pub struct Verdict {
    /// The herd, if it can come up.
    pub herd: Option<Config>,
    /// What is wrong, or looks wrong.
    pub mistakes: Mistakes,
    /// What was found out about its places, if it was read that far.
    places: Option<Finding>,
    /// What was found out about what servers know each other by.
    trust: Vec<check_trust::Finding>,
}

/// `herd.check/1`
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    ok: bool,
    errors: usize,
    warnings: usize,
    mistakes: Vec<Entry<'a>>,
    places: Option<check_places::Document<'a>>,
    trust: &'a [check_trust::Finding],
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    code: &'a str,
    severity: &'static str,
    message: &'a str,
    line: usize,
    column: usize,
    label: &'a str,
    help: Option<&'a str>,
}

/// Reads and proves the herd.toml at `path`, and the files it names; with `ask`, asks its provider of places, too.
pub fn check(path: &Path, ask: bool) -> Verdict {
    match config::load(path) {
        Ok((herd, mistakes)) => {
            let (places, trust) = (Some(check_places::look(&herd, ask)), check_trust::look(&herd));
            Verdict { herd: Some(herd), mistakes, places, trust }
        }
        Err(mistakes) => Verdict { herd: None, mistakes, places: None, trust: Vec::new() },
    }
}

impl Verdict {
    /// Whether the herd can come up, warnings or not.
    pub fn ok(&self) -> bool {
        let is_trusted = self.trust.iter().all(|finding| finding.ok);
        self.herd.is_some() && is_trusted && !self.places.as_ref().is_some_and(Finding::is_unready)
    }

    /// Whether its provider of places answers, if it was asked.
    pub fn answers(&self) -> bool {
        self.places.as_ref().is_none_or(Finding::ok)
    }

    /// For a person: the mistakes, then, if the herd can come up, what it is. Ends with a line ending.
    pub fn text(&self, styled: bool) -> String {
        let mut text = self.mistakes.render(styled);
        if !text.is_empty() {
            text.push('\n');
        }
        if let Some(herd) = &self.herd {
            let servers = counted(herd.servers.len(), "server");
            let links = counted(herd.links.len(), "link");
            let path = harmless(&herd.path.to_string_lossy());
            text.push_str(&format!("✔ {path}: {servers}, {links}\n"));
        }
        for finding in &self.trust {
            text.push_str(&harmless_lines(&finding.text()));
        }
        if let Some(places) = &self.places {
            text.push_str(&harmless_lines(&places.text()));
        }
        text
    }

    /// For a program: the document `herd.check/1`, on one line, with a line ending.
    pub fn json(&self) -> String {
        let document = Document {
            schema: "herd.check/1",
            ok: self.ok(),
            errors: self.mistakes.errors(),
            warnings: self.mistakes.warnings(),
            mistakes: self.mistakes.iter().map(Entry::of).collect(),
            places: self.places.as_ref().map(Finding::document),
            trust: &self.trust,
        };
        serde_json::to_string(&document).expect("numbers and strings are always JSON") + "\n"
    }
}

/// `text` with nothing in it that a terminal would act upon but its line ends.
fn harmless_lines(text: &str) -> String {
    text.lines().map(|line| harmless(line) + "\n").collect()
}

impl<'a> Entry<'a> {
    fn of(mistake: &'a Mistake) -> Self {
        Self {
            code: mistake.code,
            severity: match mistake.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &mistake.message,
            line: mistake.line,
            column: mistake.column,
            label: &mistake.label,
            help: mistake.help.as_deref(),
        }
    }
}
