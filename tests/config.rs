//! `herd.toml`: what a right one means, and what is said about each kind of wrong one, to the letter.

mod ack;
mod addresses;
mod bus;
mod commands;
mod control;
mod file;
mod find;
mod links;
mod meaning;
mod places;
mod report;
mod secrets;
mod servers;
mod values;

use std::path::Path;

use herdctl::config::{Config, Mistakes, parse};

/// A herd of two to which a case adds what it is about; three lines.
const TWO: &str = r#"herd = "ucla"
servers = [{ name = "Clark", address = "127.0.0.1:11003" }, { name = "Bona", address = "127.0.0.1:11001" }]
links = [["Clark", "Bona"]]
"#;

fn proven(text: &str) -> (Config, Mistakes) {
    parse(text, Path::new("/herds/one/herd.toml")).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(text: &str) -> Mistakes {
    match parse(text, Path::new("herd.toml")) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    }
}

/// What a person sees of this file.
fn shown(text: &str) -> String {
    mistakes(text).render(false)
}

/// What a person sees of a herd of two with this added.
fn shown_of_two(added: &str) -> String {
    shown(&format!("{TWO}{added}"))
}

/// What a person sees of a herd with these servers; two lines stand before them.
fn shown_of_servers(servers: &str) -> String {
    shown(&format!("herd = \"ucla\"\nservers = [\n{servers}\n]\n"))
}

/// What a person sees of a herd of three with these links, which stand on the last line.
fn shown_of_links(links: &str) -> String {
    shown(&format!(
        r#"herd = "ucla"
servers = [
    {{ name = "Bailey", address = "127.0.0.1:11000" }},
    {{ name = "Clark",  address = "127.0.0.1:11003" }},
    {{ name = "Jaquez", address = "127.0.0.1:11004" }},
]
links = {links}
"#
    ))
}
