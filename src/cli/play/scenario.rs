//! A scenario's file: TOML, read whole and proven before anything is done.
//!
//! A command is what a person would type, and is read by the very grammar that reads what persons type.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::super::args::{Cli, Command};
use super::super::human::parse_duration;
use super::expectation::{self, Expectation, FORMS};
use crate::config::Mistakes;
use crate::config::fields::{Field, Fields, Text};
use crate::config::mistakes::{Found, Kind, quoted};
use crate::config::notes::Notes;
use crate::herd::api::{Failure, Ps};
use crate::limits::{HERD_FILE_BYTES_MAX, PLAY_EXPECTATIONS_RANGE, PLAY_STEPS_RANGE};

/// What is called a command here, for whoever has written another.
const COMMANDS: &str = "kill, stop, start, restart, pause, resume, cut, delay, loss, dup, reorder, throttle, partition, \
                        heal, forget, iamat, whatsat, wait";

#[derive(Debug)]
pub struct Scenario {
    pub name: String,
    /// What it shows, in a sentence or two.
    pub about: Option<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// Not before this time from the beginning; and never before the step before has ended.
    pub at: Duration,
    pub deed: Option<Deed>,
    pub expectations: Vec<Expectation>,
}

/// A command of a step.
#[derive(Debug)]
pub struct Deed {
    /// As it was written.
    pub typed: String,
    pub cli: Cli,
}

impl Deed {
    /// Whether it leaves something to chance.
    pub fn has_chance(&self) -> bool {
        match &self.cli.command {
            Command::Kill(kill) => kill.random,
            Command::Partition(partition) => partition.random,
            Command::Delay(delay) => !delay.jitter.is_zero(),
            Command::Loss(_) | Command::Dup(_) | Command::Reorder(_) => true,
            _ => false,
        }
    }

    /// Draws what it leaves to chance from this seed, unless it has one of its own.
    pub fn seed(&mut self, seed: u64) {
        let (true, own) = (self.has_chance(), &mut self.cli.command) else { return };
        let place = match own {
            Command::Kill(kill) => &mut kill.seed,
            Command::Partition(partition) => &mut partition.seed,
            Command::Delay(delay) => &mut delay.seed,
            Command::Loss(chance) | Command::Dup(chance) | Command::Reorder(chance) => &mut chance.seed,
            _ => return,
        };
        place.get_or_insert(seed);
    }
}

impl Scenario {
    /// Whether the herd has all servers that are expected to be something.
    ///
    /// # Errors
    ///
    /// `unknown_name`: the first that it has not.
    pub fn prove_names(&self, ps: &Ps) -> Result<(), Failure> {
        let expectations = self.steps.iter().flat_map(|step| &step.expectations);
        expectations.flat_map(Expectation::servers).try_for_each(|server| expectation::place(server, ps).map(drop))
    }
}

/// Reads the scenario at `path`.
///
/// # Errors
///
/// The outer: it cannot be read. The inner: all that is wrong with it.
pub fn load(path: &Path) -> io::Result<Result<Scenario, Mistakes>> {
    let mut text = String::new();
    File::open(path)?.take(HERD_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if text.len() > HERD_FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {HERD_FILE_BYTES_MAX} bytes")));
    }
    Ok(parse(&text, path))
}

fn parse(text: &str, path: &Path) -> Result<Scenario, Mistakes> {
    let notes = Notes::new(text, path);
    let (file, broken) = DeTable::parse_recoverable(text);
    for why in &broken {
        notes.add_syntax(why);
    }
    let read = scenario(Fields::of_file("the scenario", file.get_ref(), &notes));
    notes.verdict(read).map(|(scenario, _)| scenario)
}

fn scenario(mut file: Fields<'_>) -> Option<Scenario> {
    let text = |field: Field<'_>| field.text().map(|text| text.text.to_owned());
    let name = file.need("name", "name = \"A partition heals\"").and_then(text);
    let about = file.get("about").and_then(text);
    let steps = file.need("step", "[[step]]").and_then(|field| field.list("a step", "step", &PLAY_STEPS_RANGE));
    file.close();
    let mut earliest = Duration::ZERO;
    let steps: Vec<Option<Step>> = steps?.iter().map(|field| step(field, &mut earliest)).collect();
    Some(Scenario { name: name?, about, steps: steps.into_iter().collect::<Option<_>>()? })
}

fn step(field: &Field<'_>, earliest: &mut Duration) -> Option<Step> {
    let line = field.notes.line(field.value_span().start);
    let mut step = field.table("a step", "a table below a line `[[step]]`")?;
    let at = step.get("at").map_or(Some(*earliest), |field| at(&field.text()?, *earliest, field.notes));
    let deed = step.get("do").map(|field| deed(&field.text()?, field.notes));
    let is_done = deed.is_some();
    let expectations = step.get("expect").map_or(Some(Vec::new()), |field| expectations(&field, is_done));
    step.close();
    if deed.is_none() && expectations.as_ref().is_some_and(Vec::is_empty) {
        let found = Found::new(Kind::MissingKey, field.value_span(), "a step without anything to do or to expect");
        field.notes.add(found.label("`do` or `expect` is missing").help("for example `do = \"kill Clark\"`"));
    }
    *earliest = at.unwrap_or(*earliest);
    Some(Step { line, at: at?, deed: deed.map_or(Some(None), |deed| deed.map(Some))?, expectations: expectations? })
}

/// A time from the beginning, which is not earlier than that of the step before.
fn at(Text { text, span }: &Text<'_>, earliest: Duration, notes: &Notes<'_>) -> Option<Duration> {
    let at = if matches!(*text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) };
    match at {
        Ok(at) if at >= earliest => return Some(at),
        Ok(_) => notes.add(
            Found::new(Kind::BackInTime, span.clone(), format!("{} is before the step before", quoted(text)))
                .label("steps stand in the order in which they are played"),
        ),
        Err(why) => {
            let found = Found::new(Kind::OutOfRange, span.clone(), format!("`at` cannot be {}", quoted(text)));
            notes.add(found.label(why).help("a time from the beginning, such as `at = \"1.5s\"`"));
        }
    }
    None
}

/// A command, as it is typed after `herdctl`.
fn deed(Text { text, span }: &Text<'_>, notes: &Notes<'_>) -> Option<Deed> {
    let wrong = |label: String, help: Option<String>| {
        let found = Found::new(Kind::NotACommand, span.clone(), format!("{} cannot be done", quoted(text)));
        notes.add(found.label(label).maybe_help(help));
        None
    };
    let words = std::iter::once("herdctl").chain(text.split_whitespace());
    let cli = match super::super::parse(words.map(Into::into).collect()) {
        Ok(cli) => cli,
        Err(why) => {
            let said = super::super::usage(&why.render().to_string());
            return wrong(said.message, said.hint.or_else(|| Some(format!("commands here: {COMMANDS}"))));
        }
    };
    if !is_for_a_scenario(&cli.command) {
        return wrong("not a command of scenarios".into(), Some(format!("commands here: {COMMANDS}")));
    }
    if cli.global.config.is_some() || cli.global.socket.is_some() {
        return wrong("a scenario is played to one herd".into(), Some("leave out --config and --socket".into()));
    }
    Some(Deed { typed: (*text).to_owned(), cli })
}

fn is_for_a_scenario(command: &Command) -> bool {
    matches!(
        command,
        Command::Kill(_)
            | Command::Stop(_)
            | Command::Start(_)
            | Command::Restart(_)
            | Command::Pause(_)
            | Command::Resume(_)
            | Command::Cut(_)
            | Command::Delay(_)
            | Command::Loss(_)
            | Command::Dup(_)
            | Command::Reorder(_)
            | Command::Throttle(_)
            | Command::Partition(_)
            | Command::Heal(_)
            | Command::Forget(_)
            | Command::Iamat(_)
            | Command::Whatsat(_)
            | Command::Wait(_)
    )
}

/// One expectation, or a list of them.
fn expectations(field: &Field<'_>, is_done: bool) -> Option<Vec<Expectation>> {
    let texts: Vec<Option<Text<'_>>> = if field.is_list() {
        let items = field.list("an expectation", "expectation", &PLAY_EXPECTATIONS_RANGE)?;
        items.iter().map(Field::text).collect()
    } else {
        vec![field.text()]
    };
    let read: Vec<Option<Expectation>> =
        texts.into_iter().map(|text| expectation(&text?, is_done, field.notes)).collect();
    read.into_iter().collect()
}

fn expectation(Text { text, span }: &Text<'_>, is_done: bool, notes: &Notes<'_>) -> Option<Expectation> {
    let wrong = |label: String, help: String| {
        let found = Found::new(Kind::NotAnExpectation, span.clone(), format!("{} cannot be expected", quoted(text)));
        notes.add(found.label(label).help(help));
        None
    };
    match Expectation::parse(text) {
        Ok(expected) if expected.is_about_a_command() && !is_done => {
            wrong("nothing is done in this step".into(), "it is about what the `do` of the same step says".into())
        }
        Ok(expected) => Some(expected),
        Err(why) => wrong(why, format!("for example: {FORMS}")),
    }
}
