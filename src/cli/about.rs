//! `version` and `help`: what this program is. `help` of a command is clap's; the topics are here.

use std::fmt::Write as _;

use clap::CommandFactory;
use serde::Serialize;

use super::args::{self, Cli};
use super::client::Running;
use super::session::Session;
use super::{Done, Exit, escape, names};
use crate::config;
use crate::herd::api::{Failure, Kind, PROTOCOL};

const EXIT_CODES: &str = "\
EXIT CODES
  code  name in JSON    when
  0     ok              done, or already so (JSON says \"changed\": false)
  1     failed          tried and failed
  2     usage           bad arguments
  3     not_running     no herd runs for this herd.toml
  4     unknown_name    no such server
  5     bad_config      herd.toml is missing or wrong
  6     taken           already running, or a port, lock or socket is taken:
                        nothing was started
  7     timeout         the call, the server or --wait ran out of time
  8     check_failed    the answer is \"no\": ps --check, bench --fail-if, an
                        answer `? …`, a promise that `chaos` found broken,
                        or what a `play` expected
  9     version         herdctl and the running herd speak different protocols
  130   interrupted     a second Ctrl-C forced the end

A foreground `up` that Ctrl-C or SIGTERM ended cleanly exits with 0.";

const JSON: &str = "\
JSON
  --json makes every answer one document on one line of stdout; `logs`, --watch,
  `events` and a foreground `up` write one a line (NDJSON). The first field is
  \"schema\": \"herd.ps/1\", \"herd.change/1\", \"herd.up/1\", \"herd.down/1\",
  \"herd.check/1\", \"herd.init/1\", \"herd.version/1\", \"herd.iamat/1\",
  \"herd.whatsat/1\", \"herd.fault/1\", \"herd.links/1\", \"herd.whereis/1\",
  \"herd.forget/1\", \"herd.bench/1\", \"herd.chaos/1\", \"herd.play/1\",
  \"herd.dash/1\". Fields may be added, never renamed.
  `wait` answers with herd.ps/1, `wait --event` with herd.event/1.

  Times are RFC 3339, UTC, with microseconds. Durations are whole numbers, the
  unit last in their name: took_us, uptime_ms.

  A record of `logs`: {\"t\":…,\"seq\":…,\"server\":…,\"level\":…,\"msg\":…}; t, seq
  and level are null where a line of the file is no record.

  Errors go to stderr and leave stdout empty:
  {\"schema\":\"herd.error/1\",\"error\":\"unknown_name\",\"exit\":4,
   \"message\":…,\"hint\":…,\"did_you_mean\":[\"Clark\"]}
  See: herdctl help exit-codes

  Example: herdctl ps --json | jq -r '.servers[] | .name + \" \" + .state'";

/// The table of exit codes without its heading, for the manual.
pub fn exit_codes() -> &'static str {
    EXIT_CODES.split_once('\n').map_or(EXIT_CODES, |(_, table)| table)
}

/// Whether two pages are of one family of commands, so that one leads to the other.
pub fn are_related(page: &str, other: &str) -> bool {
    const FAMILIES: [&[&str]; 5] = [
        &["up", "serve", "down", "ps", "init", "check"],
        &["kill", "stop", "start", "restart", "pause", "resume"],
        &["logs", "events", "ps", "top", "dash"],
        &["iamat", "whatsat", "send", "whereis"],
        &["completions", "man", "version", "help"],
    ];
    let name = |page: &str| page.trim_start_matches("herdctl-").trim_end_matches("(1)").to_owned();
    let (page, other) = (name(page), name(other));
    FAMILIES.iter().any(|family| family.contains(&page.as_str()) && family.contains(&other.as_str()))
}

const FAULTS: &str = "\
FAULTS
  kill, stop, pause     servers; kill --power, --random, --for; pause --for
  cut A B               close and refuse connections; --silent: nothing arrives
                        and nobody says so; --silent --one-way
  delay A B 250ms       everything late, in order; --jitter
  loss A B 20%          whole reports dropped; TCP itself loses nothing
  dup, reorder A B 5%   whole reports twice, or overtaken within their batch
  throttle A B 64k      bytes a second
  partition A,B         every link between groups; --isolate S, --random
  heal A B | S | --all  as if nothing had been

  Faults act where a server hears its neighbour, over real connections. They
  outlive the servers at both ends, until heal, down, or --for. --one-way means
  what A says to B. A value of zero removes a fault. Whatever happens by chance
  has a seed, which is printed: the same seed does the same again.

  See them: herdctl ps · herdctl links · herdctl logs herd
  Who knows what meanwhile: herdctl whereis CLIENT · herdctl wait --converged";

const SCENARIOS: &str = "\
SCENARIOS
  name = \"…\"             what it is called; about = \"…\", what it shows
  [[step]]               as many as there are, in the order they are played
  at = \"1.5s\"            not before this time from the beginning
  do = \"kill Clark\"      a command, as it is typed after herdctl: kill, stop,
                         start, restart, pause, resume, cut, delay, loss, dup,
                         reorder, throttle, partition, heal, forget, iamat,
                         whatsat, wait
  expect = \"converged within 2s\"  or a list; without `within`, at once

  ready                  all servers run and all links are up
  converged              all running servers know the same
  Clark killed           or running, paused, stopped, down
  link Clark Bona down   or up
  kiwi newest at all     what running servers, or Clark,Bona, know of a client:
                         newest, old, unknown
  says AT Clark *        a line that the command said; * is anything
  fails, fails no such * the command fails, in these words

  What is not as expected ends the play; then everything is healed and started.
  herdctl play FILE [--own] [--seed N] [--junit FILE] [--json]";

const TOPICS: [(&str, &str); 4] =
    [("exit-codes", EXIT_CODES), ("json", JSON), ("faults", FAULTS), ("scenarios", SCENARIOS)];

/// `herd.version/1`
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    version: &'static str,
    protocol: u32,
    /// The herd that runs for this herd.toml, if there is one.
    running: Option<Running>,
}

/// `herdctl version`: needs neither a herd nor a herd.toml, and works with a herd of any version.
///
/// # Errors
///
/// Only if the answer cannot be written.
pub fn version(session: &mut Session) -> Done {
    let ours = Document {
        schema: "herd.version/1",
        version: env!("CARGO_PKG_VERSION"),
        protocol: PROTOCOL,
        running: session.client().and_then(|client| client.running()).ok(),
    };
    if session.out.json {
        session.out.document(&ours)?;
        return Ok(Exit::Fine);
    }
    let mut text = format!("herdctl {} (protocol {})", ours.version, ours.protocol);
    if let Some(running) = &ours.running {
        let pid = running.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
        let Running { version, protocol, .. } = running;
        let _ = write!(text, "\nrunning herd: {version} (protocol {protocol}){pid}");
    }
    session.out.answer(&text)?;
    Ok(Exit::Fine)
}

/// `herdctl help`
///
/// # Errors
///
/// `usage`: there is no such command or topic.
pub fn help(args: &args::Help, session: &mut Session) -> Done {
    let styled = session.out.pen().styled;
    let text = text(args.topic.as_deref(), styled)?;
    session.out.answer(text.trim_end())?;
    Ok(Exit::Fine)
}

fn text(topic: Option<&str>, styled: bool) -> Result<String, Failure> {
    let mut program = Cli::command();
    // Gives each command its full name: `herdctl kill`.
    program.build();
    let command = match topic {
        None => &mut program,
        Some(topic) => {
            if let Some((_, text)) = TOPICS.iter().find(|(name, _)| *name == topic) {
                return Ok((*text).to_owned());
            }
            program.find_subcommand_mut(topic).ok_or_else(|| no_topic(topic))?
        }
    };
    let help = command.render_help();
    Ok(if styled { help.ansi().to_string() } else { help.to_string() })
}

fn no_topic(topic: &str) -> Failure {
    let program = Cli::command();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    let known: Vec<&str> = commands.chain(TOPICS.iter().map(|(name, _)| *name)).collect();
    let mut failure = Failure::new(Kind::Usage, format!("no command or topic {}", names::quoted(topic)));
    failure.did_you_mean.extend(config::closest(topic, known.iter().copied()).map(str::to_owned));
    failure.hint(escape::text(&known.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_knows_commands_and_topics_and_suggests() {
        assert!(text(Some("kill"), false).unwrap().contains("Usage: herdctl kill"));
        assert!(text(Some("status"), false).unwrap().contains("Usage: herdctl ps"));
        assert!(text(None, false).unwrap().contains("Usage: herdctl"));
        let failure = text(Some("exit-code"), false).unwrap_err();
        assert_eq!((failure.exit, failure.did_you_mean), (2, vec!["exit-codes".to_owned()]));
    }

    #[test]
    fn topics_fit_a_terminal_and_name_every_exit_code() {
        for (name, text) in TOPICS {
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{name}");
        }
        let kinds = [
            Kind::Failed,
            Kind::Usage,
            Kind::NotRunning,
            Kind::UnknownName,
            Kind::BadConfig,
            Kind::Taken,
            Kind::Timeout,
            Kind::CheckFailed,
            Kind::Version,
            Kind::Interrupted,
        ];
        for kind in kinds {
            let name = serde_json::to_value(kind).unwrap();
            let row = format!("  {:<5} {:<15}", kind.exit(), name.as_str().unwrap());
            assert!(EXIT_CODES.contains(&row), "{row}");
        }
    }
}
