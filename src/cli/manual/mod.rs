//! `man`: a manual page for every command and for herd.toml, made from the same text as `--help` and `init`.

mod herd_toml;
mod roff;

use std::path::Path;

use clap::{Command, CommandFactory};

use super::about;
use super::args::{self, Cli};
use super::session::Session;
use super::{Done, Exit};
use crate::herd::api::{Failure, Kind};
use roff::Roff;

/// `herdctl man`
///
/// # Errors
///
/// `failed`: the folder cannot be written.
pub fn run(args: &args::Man, session: &mut Session) -> Done {
    let pages = pages();
    let Some(folder) = &args.dir else {
        let (_, page) = pages.first().expect("the program has a page");
        session.out.bytes(page.as_bytes())?;
        session.out.flush()?;
        return Ok(Exit::Fine);
    };
    let folder = session.absolute(folder);
    write(&folder, &pages)?;
    let (count, place) = (pages.len(), session.path(&folder));
    session.out.answer(&format!("{count} manual pages in {place}"))?;
    session.out.hint(&format!("man -l {place}/herdctl.1"));
    Ok(Exit::Fine)
}

fn write(folder: &Path, pages: &[(String, String)]) -> Result<(), Failure> {
    let cannot = |path: &Path, why: &std::io::Error| {
        Failure::new(Kind::Failed, format!("cannot write {}: {why}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|why| cannot(folder, &why))?;
    for (name, page) in pages {
        let path = folder.join(name);
        std::fs::write(&path, page).map_err(|why| cannot(&path, &why))?;
    }
    Ok(())
}

/// Every page and its file's name, the program's first.
fn pages() -> Vec<(String, String)> {
    let mut program = Cli::command();
    program.build();
    let commands: Vec<&Command> = program.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let names: Vec<&str> = commands.iter().map(|command| command.get_name()).collect();
    let mut pages = vec![("herdctl.1".to_owned(), of_program(&program, &commands))];
    pages.extend(commands.iter().map(|command| {
        let name = format!("herdctl-{}", command.get_name());
        (format!("{name}.1"), of_command(&name, command, &names))
    }));
    pages.push(("herd.toml.5".to_owned(), herd_toml::page()));
    pages
}

fn of_program(program: &Command, commands: &[&Command]) -> String {
    let mut page = Roff::page("herdctl", 1);
    page.name("herdctl", &sentence(program));
    page.section("SYNOPSIS");
    page.text("\\fBherdctl\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...");
    page.section("DESCRIPTION");
    page.paragraph(
        "A herd is some location servers that talk to their neighbours over TCP: each update that one of them hears \
         floods to all, and anyone may ask any of them. herdctl runs a herd in one process, shows what happens in it, \
         and breaks it on purpose.",
    );
    page.section("COMMANDS");
    for command in commands {
        page.item(&format!("\\fBherdctl\\-{}\\fR(1)", roff::plain(command.get_name())), &sentence(command));
    }
    options(&mut page, program);
    page.section("EXAMPLES");
    page.block("herdctl init && herdctl up -d\nherdctl iamat kiwi +34.068930-118.445127 --to Clark\nherdctl kill Clark\nherdctl events --since 1\nherdctl down");
    environment(&mut page);
    page.section("EXIT STATUS");
    page.block(about::exit_codes());
    page.section("FILES");
    page.item("herd.toml", "The herd: its servers, links and settings. The nearest one upward is used.");
    page.item(".herd/herd.sock", "The control socket of the running herd, beside its herd.toml.");
    page.item("logs/", "A log for each server, and herd.log for the herd itself.");
    page.see_also(&["herd.toml(5)"]);
    page.done()
}

fn of_command(name: &str, command: &Command, all: &[&str]) -> String {
    let mut page = Roff::page(name, 1);
    page.name(name, &sentence(command));
    page.section("SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    page.text(&format!("\\fB{}\\fR", roff::plain(usage.trim_start_matches("Usage: ").trim())));
    page.section("DESCRIPTION");
    page.paragraph(&format!("{}.", sentence(command)));
    if let Some(more) = command.get_after_help() {
        for paragraph in more.to_string().split("\n\n") {
            page.paragraph(paragraph);
        }
    }
    options(&mut page, command);
    if let Some(example) = command.get_before_help() {
        page.section("EXAMPLES");
        page.block(example.to_string().trim_start_matches("Example: "));
    }
    page.section("EXIT STATUS");
    page.text("See \\fBherdctl\\fR(1).");
    let others = all.iter().filter(|other| name != format!("herdctl-{other}"));
    let near: Vec<String> = others.map(|other| format!("herdctl-{other}(1)")).collect();
    let mut refs: Vec<&str> = vec!["herdctl(1)"];
    refs.extend(near.iter().map(String::as_str).filter(|near| about::are_related(name, near)));
    refs.push("herd.toml(5)");
    page.see_also(&refs);
    page.done()
}

/// What a command is for, in one line without its full stop.
fn sentence(command: &Command) -> String {
    command.get_about().map(|about| about.to_string().trim_end_matches('.').to_owned()).unwrap_or_default()
}

fn options(page: &mut Roff, command: &Command) {
    page.section("OPTIONS");
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let values: Vec<String> =
            arg.get_value_names().unwrap_or_default().iter().map(|name| roff::plain(name)).collect();
        let values = if arg.get_action().takes_values() { values.join(" ") } else { String::new() };
        let mut flags: Vec<String> = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR")).into_iter().collect();
        flags.extend(arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", roff::plain(long))));
        let mut head = flags.join(", ");
        if !values.is_empty() {
            head = format!("{head} \\fI{values}\\fR").trim_start().to_owned();
        }
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        if !default.is_empty() && arg.get_action().takes_values() && !help.contains("[default") {
            help += &format!(" [default: {}]", default.join(","));
        }
        page.item(&head, &help);
    }
}

fn environment(page: &mut Roff) {
    page.section("ENVIRONMENT");
    for (name, what) in [
        ("HERD_CONFIG", "As --config."),
        ("HERDCTL_SECRET", "For up and serve: the herd's secret, if herd.toml names no secret_file."),
        ("HERD_SOCKET", "As --socket."),
        ("HERD_NO_INPUT", "As --no-input."),
        ("NO_COLOR", "Nothing is coloured."),
        ("CLICOLOR_FORCE", "Colours, whatever reads the answer."),
    ] {
        page.item(&format!("\\fB{name}\\fR"), what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["herdctl.1", "herdctl-kill.1", "herdctl-events.1", "herd.toml.5"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("__")));
        for (name, page) in &pages {
            for section in [".TH ", ".SH NAME\n", ".SH DESCRIPTION\n"] {
                assert!(page.contains(section), "{name} has no {section}");
            }
        }
    }

    /// `mandoc -Tlint` where there is one; what it finds is shown.
    #[test]
    fn mandoc_finds_nothing_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let pages = pages();
        write(folder.path(), &pages).unwrap();
        let mut lint = std::process::Command::new("mandoc");
        lint.arg("-Tlint").args(pages.iter().map(|(name, _)| folder.path().join(name)));
        let Ok(said) = lint.output() else { return };
        assert_eq!(String::from_utf8_lossy(&said.stdout), "");
    }
}
