//! The command line: each command parses, asks the control channel or a server, and prints for people or as
//! JSON. It decides nothing about the herd; the one place where an exit code is chosen is [`main`].

mod about;
mod args;
mod bench;
mod breaking;
mod chaos;
pub mod check;
mod check_places;
mod check_trust;
mod client;
mod completions;
mod dash;
mod escape;
mod events;
pub mod fake_places;
mod faults;
mod file;
mod human;
pub mod init;
mod logs;
mod manual;
mod members;
mod names;
mod output;
mod own;
mod play;
mod ps;
mod session;
mod talk;
mod term;
mod top;
mod up;
mod wait;
mod watch;
mod when;
mod whereis;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::herd::api::{Failure, Kind};
use args::{Cli, Command};
use output::{Output, Stop};
use session::{Session, Surroundings};
use term::Choice;

/// What a command that came to its end says to the shell.
type Done = Result<Exit, Stop>;

/// The exit codes of commands that did what they were asked to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Exit {
    /// Done, or already so.
    Fine,
    /// The answer is "no".
    No,
    /// The herd.toml that was to be checked is wrong, as the answer says.
    BadConfig,
    /// What a detached supervisor ends with.
    Process(ExitCode),
}

/// Runs the command in `args`, the program's name first, and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let surroundings = Surroundings::of_process();
    let early = Early::seen_in(&args);
    let mut out = Output::standard(early.color, &surroundings.wishes);
    out.json = early.json;
    run(args, surroundings, out)
}

/// [`main`] with all that it would take from the process given to it.
fn run(args: Vec<OsString>, surroundings: Surroundings, mut out: Output) -> ExitCode {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(refused) => return refuse(&refused, &mut out),
    };
    out.json = cli.global.json;
    out.quiet = cli.global.quiet;
    out.verbose = cli.global.verbose;
    let mut session = Session::new(cli.global, surroundings, out);
    let done = obey(cli.command, &mut session);
    exit_code(done, &mut session.out)
}

fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    // Whether to colour is decided in one place: `Output`.
    let mut command = Cli::command().color(clap::ColorChoice::Always);
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches)
}

fn obey(command: Command, session: &mut Session) -> Done {
    match command {
        Command::Up(args) => up::up(&args, session),
        Command::Serve(args) => up::serve(&args, session),
        Command::Supervise(args) => up::supervise(&args, session).map(Exit::Process),
        Command::Down(args) => up::down(&args, session),
        Command::Ps(args) => ps::run(&args, session),
        Command::Kill(args) => members::kill(&args, session),
        Command::Stop(args) => members::stop(&args, session),
        Command::Start(args) => members::start(&args, session),
        Command::Restart(args) => members::restart(&args, session),
        Command::Pause(args) => members::pause(&args, session),
        Command::Resume(args) => members::resume(&args, session),
        Command::Links(args) => faults::links(&args, session),
        Command::Cut(args) => faults::cut(&args, session),
        Command::Delay(args) => faults::delay(&args, session),
        Command::Loss(args) => faults::loss(&args, session),
        Command::Dup(args) => faults::dup(&args, session),
        Command::Reorder(args) => faults::reorder(&args, session),
        Command::Throttle(args) => faults::throttle(&args, session),
        Command::Partition(args) => faults::partition(&args, session),
        Command::Heal(args) => faults::heal(&args, session),
        Command::Whereis(args) => whereis::whereis(&args, session),
        Command::Forget(args) => whereis::forget(&args, session),
        Command::Wait(args) => wait::run(&args, session),
        Command::Top(args) => top::run(&args, session),
        Command::Dash(args) => dash::run(&args, session),
        Command::Logs(args) => logs::run(&args, session),
        Command::Events(args) => events::run(&args, session),
        Command::Iamat(args) => talk::iamat(&args, session),
        Command::Whatsat(args) => talk::whatsat(&args, session),
        Command::Send(args) => talk::send(&args, session),
        Command::Bench(args) => bench::run(&args, session),
        Command::Chaos(args) => chaos::run(&args, session),
        Command::Play(args) => play::run(&args, session),
        Command::Check(args) => file::check(&args, session),
        Command::Init(args) => file::init(&args, session),
        Command::Completions(args) => completions::run(&args, session),
        Command::Man(args) => manual::run(&args, session),
        Command::Names => completions::names(session),
        Command::FakePlaces(args) => fake_places::run(&args, session),
        Command::Version => about::version(session),
        Command::Help(args) => about::help(&args, session),
    }
}

fn exit_code(done: Done, out: &mut Output) -> ExitCode {
    match done.and_then(|exit| out.flush().map(|()| exit)) {
        Ok(Exit::Fine) | Err(Stop::ReaderGone) => ExitCode::SUCCESS,
        Ok(Exit::No) => Kind::CheckFailed.exit().into(),
        Ok(Exit::BadConfig) => Kind::BadConfig.exit().into(),
        Ok(Exit::Process(code)) => code,
        Err(Stop::Failed(failure)) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Prints what clap has to say: help and version are answers, the rest is a usage error.
fn refuse(refused: &clap::Error, out: &mut Output) -> ExitCode {
    let said = refused.render();
    if matches!(refused.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = if out.pen().styled { said.ansi().to_string() } else { said.to_string() };
        let answered = out.answer(text.trim_end()).map(|()| Exit::Fine);
        return exit_code(answered, out);
    }
    // Plain, whatever clap would paint: it repeats what was typed, which may hold anything.
    let said = escape::lines(said.to_string().as_bytes());
    if out.json {
        out.failure(&usage(&said));
    } else {
        let error = out.message_pen().ink(term::ERROR, "error:");
        let text = said.strip_prefix("error:").map_or_else(|| said.clone(), |rest| error + rest);
        out.complain(text.trim_end());
    }
    Kind::Usage.exit().into()
}

/// Clap's words as a failure: the first line is what is wrong, the tips are hints.
fn usage(said: &str) -> Failure {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or("wrong arguments").trim_start_matches("error: ");
    let mut failure = Failure::new(Kind::Usage, message);
    let rest: Vec<_> = lines.filter(|line| !line.starts_with("For more information")).collect();
    if !rest.is_empty() {
        failure.hint = Some(rest.join("\n"));
    }
    failure
}

/// The two flags that matter before the arguments are known to be right: they say how to complain.
struct Early {
    json: bool,
    color: Choice,
}

impl Early {
    fn seen_in(args: &[OsString]) -> Self {
        let mut early = Self { json: false, color: Choice::Auto };
        let words = args.iter().skip(1).map(|arg| arg.to_str().unwrap_or_default()).take_while(|arg| *arg != "--");
        let mut is_color = false;
        for word in words {
            let color = word.strip_prefix("--color=").or(is_color.then_some(word));
            match color {
                Some("always") => early.color = Choice::Always,
                Some("never") => early.color = Choice::Never,
                _ => {}
            }
            early.json |= word == "--json";
            is_color = word == "--color";
        }
        early
    }
}

#[cfg(test)]
mod tests {
    use super::output::Captured;
    use super::*;

    /// Runs a command line outside of any herd; the exit code, the answers and the messages.
    fn typed(line: &str) -> (ExitCode, String, String) {
        let (mut out, answers, messages): (_, Captured, Captured) = Output::captured(false);
        let args: Vec<OsString> = std::iter::once("herdctl").chain(line.split_whitespace()).map(Into::into).collect();
        out.json = args.iter().any(|arg| arg == "--json");
        let code = run(args, Surroundings::default(), out);
        (code, answers.text(), messages.text())
    }

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["--json -q --timeout 2s version", "version --json -q --timeout 2s"] {
            let args = std::iter::once("herdctl").chain(line.split_whitespace()).map(Into::into).collect();
            let cli = parse(args).unwrap();
            assert!(cli.global.json && cli.global.quiet, "{line}");
            assert_eq!(cli.global.timeout.unwrap().as_secs(), 2, "{line}");
        }
    }

    #[test]
    fn a_typo_is_suggested_and_never_run() {
        let (code, answers, messages) = typed("klil Clark");
        assert_eq!((code, answers.as_str()), (ExitCode::from(2), ""));
        assert!(messages.contains("'kill'"), "{messages}");
    }

    #[test]
    fn a_wrong_argument_is_a_failure_as_json_too() {
        let (code, answers, messages) = typed("ps --bogus --json");
        assert_eq!((code, answers.as_str()), (ExitCode::from(2), ""));
        let failure: Failure = serde_json::from_str(&messages).unwrap();
        assert_eq!((failure.error, failure.exit), (Kind::Usage, 2));
        assert!(failure.message.contains("--bogus"), "{failure:?}");
    }

    #[test]
    fn mistyped_bytes_are_harmless() {
        for line in ["\u{1b}[2Jkill", "ps --b\u{9b}gus", "kill --for\u{202e} \u{7}"] {
            let (code, _, messages) = typed(line);
            assert_eq!(code, ExitCode::from(2));
            let is_hostile = |c: char| c == '\u{202e}' || (c.is_control() && c != '\n');
            assert!(!messages.contains(is_hostile), "{messages:?}");
        }
    }

    #[test]
    fn a_southern_location_is_no_flag() {
        for line in ["iamat kiwi -33.86+151.2 --to Clark -q", "iamat --to Clark -q kiwi -33.86+151.2"] {
            let args = std::iter::once("herdctl").chain(line.split_whitespace()).map(Into::into).collect();
            let Command::Iamat(iamat) = parse(args).unwrap().command else { panic!("{line}") };
            assert_eq!((iamat.location.to_str(), iamat.to.as_deref()), (Some("-33.86+151.2"), Some("Clark")));
        }
    }

    #[test]
    fn servers_or_all_but_not_both_nor_neither() {
        assert_eq!(typed("kill").0, ExitCode::from(2));
        assert_eq!(typed("kill Clark --all").0, ExitCode::from(2));
    }

    #[test]
    fn every_help_leads_with_an_example_and_fits_a_terminal() {
        let names: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        let lines = names.iter().filter(|name| !name.starts_with("__")).map(|name| format!("{name} --help"));
        for line in lines.chain(["--help".into()]) {
            let (code, help, messages) = typed(&line);
            assert_eq!((code, messages.as_str()), (ExitCode::SUCCESS, ""), "{line}");
            assert!(help.starts_with("Example: herdctl "), "{line}: {help}");
            assert!(!help.contains('\u{1b}'), "{line}");
            for row in help.lines() {
                assert!(unicode_width::UnicodeWidthStr::width(row) <= 80, "{line}: {row}");
            }
        }
    }
}
