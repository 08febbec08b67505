//! herd.toml(5), read off the herd.toml that `init` writes: its comments are the manual, its values the defaults.

use super::roff::{self, Roff};
use crate::config::TEMPLATE;

/// The page.
pub fn page() -> String {
    let mut page = Roff::page("herd.toml", 5);
    page.name("herd.toml", "The servers, links and settings of a herd");
    page.section("DESCRIPTION");
    page.paragraph(
        "herd.toml describes one herd, in TOML. Commands use the nearest one upward from the working directory, \
         unless --config or HERD_CONFIG names another. It is read and proven whole before anything starts; herdctl \
         check says what is wrong in it.",
    );
    page.section("SETTINGS");
    keys(&mut page);
    page.section("EXAMPLES");
    page.block(TEMPLATE.trim_end());
    page.see_also(&["herdctl(1)", "herdctl-check(1)", "herdctl-init(1)"]);
    page.done()
}

/// Each key with its default and what is said of it: above it, or behind it.
fn keys(page: &mut Roff) {
    let mut said = Vec::new();
    for line in TEMPLATE.lines() {
        if line.starts_with('[') {
            let (table, comment) = line.split_once('#').unwrap_or((line, ""));
            let comment = if comment.is_empty() { String::new() } else { format!(":{}", comment.trim_end()) };
            page.paragraph(&format!("{}{comment}", table.trim()));
            said.clear();
        } else if let Some((key, value, comment)) = setting(line) {
            said.push(comment);
            let value = if value == "[" { "[ ... ]" } else { value };
            page.item(&format!("\\fB{}\\fR = {}", roff::plain(key), roff::plain(value)), &said.join(" "));
            said.clear();
        } else if let Some(comment) = line.strip_prefix('#') {
            said.push(comment.trim());
        } else {
            said.clear();
        }
    }
}

/// A line that sets a key, or shows how it would be set: `# files_max = 4   # files kept`.
fn setting(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    let (key, rest) = line.split_once(" = ")?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (value, comment) = rest.split_once(" #").unwrap_or((rest, ""));
    is_key.then_some((key, value.trim(), comment.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_template_is_in_the_page() {
        let page = page();
        for key in [
            "herd",
            "ack",
            "heard",
            "servers",
            "links",
            "secret_file",
            "authority",
            "traffic",
            "files_max",
            "provider",
            "clients_max",
        ] {
            assert!(page.contains(&format!("\\fB{key}\\fR = ")), "{key}: {page}");
        }
        assert!(page.contains("\\fBack\\fR = \"heard\"\nWhen an IAMAT is answered:"), "{page}");
    }
}
