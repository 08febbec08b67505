//! `completions`: a script for the shell, with the servers' names in it by calling a hidden `herdctl __names`.
//!
//! The scripts are clap's; what is added is known from the arguments themselves: whatever takes a SERVER completes
//! with the names of the running herd, or of herd.toml where none runs.

use clap::{Arg, Command, CommandFactory};
use clap_complete::{Generator, Shell, generate};

use super::args::{self, Cli};
use super::session::Session;
use super::{Done, Exit, escape};

/// `herdctl completions`
///
/// # Errors
///
/// Only if the answer cannot be written.
pub fn run(args: &args::Completions, session: &mut Session) -> Done {
    session.out.bytes(script(args.shell).as_bytes())?;
    session.out.flush()?;
    Ok(Exit::Fine)
}

/// `herdctl __names`: one name a line; none, and no word about it, where there is no herd to be meant.
///
/// # Errors
///
/// Only if the answer cannot be written.
pub fn names(session: &mut Session) -> Done {
    let running = session.client().and_then(|client| client.ps());
    let names = match running {
        Ok(ps) => ps.servers.into_iter().map(|server| server.name).collect(),
        Err(_) => configured(session),
    };
    let names: Vec<_> = names.iter().map(|name| escape::text(name)).collect();
    if !names.is_empty() {
        session.out.answer(&names.join("\n"))?;
    }
    Ok(Exit::Fine)
}

fn configured(session: &Session) -> Vec<String> {
    let config = session.config_path().ok().and_then(|path| crate::config::load(&path).ok());
    config.map_or_else(Vec::new, |(config, _)| config.servers.into_iter().map(|server| server.name).collect())
}

fn script(shell: args::Shell) -> String {
    let mut program = Cli::command();
    program.build();
    match shell {
        args::Shell::Bash => generated(Shell::Bash, &mut program) + &bash(&program),
        args::Shell::Zsh => zsh(&generated(Shell::Zsh, &mut program)),
        args::Shell::Fish => generated(Shell::Fish, &mut program) + &fish(&program),
    }
}

fn generated(shell: impl Generator, program: &mut Command) -> String {
    let mut script = Vec::new();
    generate(shell, program, "herdctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Calls clap's function, then adds the names where a word may be one.
fn bash(program: &Command) -> String {
    let (commands, flags) = (takers(program).join("|"), flags(program).join("|"));
    format!(
        r#"
_herdctl_with_names() {{
    _herdctl "$@"
    local word cur="${{COMP_WORDS[COMP_CWORD]}}" takes=
    case "${{COMP_WORDS[COMP_CWORD-1]}}" in
        {flags}) takes=only; COMPREPLY=() ;;
        *) for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
            case "$word" in {commands}) takes=too ;; esac
        done ;;
    esac
    if [[ -n $takes && $cur != -* ]]; then
        COMPREPLY+=($(compgen -W "$(herdctl __names 2>/dev/null)" -- "$cur"))
    fi
}}
complete -F _herdctl_with_names -o bashdefault -o default herdctl
"#
    )
}

/// Puts the names where clap has nothing to offer.
fn zsh(script: &str) -> String {
    let names = "\n_herdctl_names() {\n    compadd -- ${(f)\"$(herdctl __names 2>/dev/null)\"}\n}\n";
    let offers = |line: &str| {
        let is_server = line.contains(":SERVER:_default") || line.contains(":S,…:_default") || is_named(line);
        if is_server { line.replacen(":_default", ":_herdctl_names", 1) } else { line.to_owned() }
    };
    // Commands that are not for people are not offered.
    let mut lines: Vec<String> = script.lines().filter(|line| !line.starts_with("'__")).map(offers).collect();
    // `#compdef herdctl` must stay the first line.
    lines.insert(1.min(lines.len()), names.to_owned());
    lines.join("\n") + "\n"
}

/// A positional argument that clap calls `servers`, `words` or the like: its own name stands there.
fn is_named(line: &str) -> bool {
    let line = line.trim_start_matches(['\'', '*', ':']);
    ["servers -- ", "server -- "].iter().any(|start| line.starts_with(start))
}

fn fish(program: &Command) -> String {
    let names = "-f -a '(herdctl __names 2>/dev/null)'";
    let commands = takers(program).join(" ");
    let of_commands = format!("\ncomplete -c herdctl -n '__fish_seen_subcommand_from {commands}' {names}\n");
    let of_flags = flags(program).into_iter().filter_map(|flag| {
        let long = flag.strip_prefix("--")?.to_owned();
        Some(format!("complete -c herdctl -l {long} -x {}\n", names.trim_start_matches("-f ")))
    });
    of_commands + &of_flags.collect::<String>()
}

/// The commands of which a word may be a server's name.
fn takers(program: &Command) -> Vec<String> {
    let takes = |command: &&Command| command.get_positionals().any(is_server);
    program.get_subcommands().filter(takes).map(|command| command.get_name().to_owned()).collect()
}

/// The flags whose value is a server's name.
fn flags(program: &Command) -> Vec<String> {
    let all = program.get_subcommands().flat_map(Command::get_opts).filter(|arg| is_server(arg));
    let mut flags: Vec<_> = all.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    flags.sort_unstable();
    flags.dedup();
    flags
}

fn is_server(arg: &Arg) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().any(|name| name.starts_with("SERVER") || ["S,…", "A", "B"].contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_offered_where_a_server_is_meant() {
        let mut program = Cli::command();
        program.build();
        let takers = takers(&program);
        for command in ["kill", "start", "logs", "send"] {
            assert!(takers.iter().any(|taker| taker == command), "{command}");
        }
        assert!(!takers.iter().any(|taker| taker == "up" || taker == "ps"));
        assert!(flags(&program).contains(&"--to".to_owned()));
    }

    #[test]
    fn every_shell_asks_for_the_names() {
        for shell in [args::Shell::Bash, args::Shell::Zsh, args::Shell::Fish] {
            let script = script(shell);
            assert!(script.contains("herdctl __names"), "{shell:?}");
            assert!(script.contains("whatsat"), "{shell:?}");
            assert!(!script.lines().any(|line| line.starts_with("'__")), "{shell:?}");
        }
        let zsh = script(args::Shell::Zsh);
        assert!(zsh.starts_with("#compdef herdctl\n"));
        assert!(zsh.matches(":_herdctl_names").count() >= 5, "{zsh}");
    }
}
