//! Whose order it was, as `ps` and events name it.

pub type By = &'static str;

/// A command, of a person or a script.
pub const CLI: By = "cli";
/// A click on the page of the dashboard.
pub const DASH: By = "dash";
