//! `herdctl check`: is this herd.toml right? Says all that is wrong with it, and starts nothing.

use std::path::Path;

use serde::Serialize;

use crate::config::{self, Config, Mistake, Mistakes, Severity, counted, harmless};

/// What was found out about a herd.toml.
#[derive(Debug)]
pub struct Verdict {
    /// The herd, if it can come up.
    pub herd: Option<Config>,
    /// What is wrong, or looks wrong.
    pub mistakes: Mistakes,
}

/// `herd.check/1`
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    ok: bool,
    errors: usize,
    warnings: usize,
    mistakes: Vec<Entry<'a>>,
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

/// Reads and proves the herd.toml at `path`.
pub fn check(path: &Path) -> Verdict {
    match config::load(path) {
        Ok((herd, mistakes)) => Verdict { herd: Some(herd), mistakes },
        Err(mistakes) => Verdict { herd: None, mistakes },
    }
}

impl Verdict {
    /// Whether the herd can come up, warnings or not.
    pub fn ok(&self) -> bool {
        self.herd.is_some()
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
        };
        serde_json::to_string(&document).expect("numbers and strings are always JSON") + "\n"
    }
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
