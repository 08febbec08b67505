//! `herdctl play FILE`: a scenario of commands and expectations, played to a herd step by step.
//!
//! Reading order: here (which herd, and that it is whole before and after), `scenario` the file, `expectation` what may
//! be expected, `stage` where a step is played, `report` the result as text, JSON and JUnit XML.

mod expectation;
mod report;
mod scenario;
mod stage;

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::breaking;
use super::client::{Client, Target};
use super::output::{Output, Stop};
use super::own::OwnHerd;
use super::session::Session;
use super::{Done, Exit, args, human};
use crate::herd::api::{Failure, HealOrder, Kind, Order};
use crate::limits;
use report::{Outcome, Play};
use scenario::{Deed, Scenario};
use stage::Stage;

/// `herdctl play`: exit code 8 when something was not as expected.
///
/// # Errors
///
/// `bad_config`: the file is wrong, and nothing was done; `check_failed`: the herd is not whole to begin with; and as
/// every call on the control channel.
pub fn run(args: &args::Play, session: &mut Session) -> Done {
    let scenario = read(&args.file, session)?;
    if args.check {
        return tell_right(&args.file, &scenario, session);
    }
    let own = if args.own { Some(OwnHerd::start(breaking::named_config(session)?)?) } else { None };
    let target = match &own {
        Some(own) => session.target_of(own.config.clone()),
        None => session.target()?,
    };
    let played = play(scenario, target, breaking::seed(args.seed), session);
    let keep = played.as_ref().map_or(true, |play| !play.held());
    let logs = own.map(|own| own.end(keep)).transpose();
    if let Ok(Some(Some(logs))) = &logs {
        session.out.message(&format!("the logs of that herd are in {}", session.path(logs)));
    }
    let play = played?;
    logs?;
    if let Some(path) = &args.junit {
        write_junit(path, &play, session)?;
    }
    tell(&play, session)
}

/// `herdctl play --check`: the same document as that of `check`.
fn tell_right(path: &Path, scenario: &Scenario, session: &mut Session) -> Done {
    if session.out.json {
        let right = serde_json::json!({
            "schema": "herd.check/1", "ok": true, "errors": 0, "warnings": 0, "mistakes": [], "places": null, "trust": [],
        });
        session.out.document(&right)?;
    } else {
        let steps = human::count(scenario.steps.len() as u64, "step");
        let said = format!("{} is right: {steps}", session.path(path));
        session.out.answer(&said)?;
    }
    Ok(Exit::Fine)
}

/// The scenario in this file, proven.
fn read(path: &Path, session: &mut Session) -> Result<Scenario, Failure> {
    let name = session.path(path);
    let wrong = |why: String| Failure::new(Kind::BadConfig, why);
    scenario::load(&session.absolute(path)).map_err(|why| wrong(format!("cannot read {name}: {why}")))?.map_err(
        |mistakes| {
            if session.out.json {
                return wrong(mistakes.render(false).trim_end().to_owned());
            }
            let said = mistakes.render(session.out.message_pen().styled);
            session.out.complain(said.trim_end());
            wrong(format!("{name} is wrong; nothing was done"))
        },
    )
}

fn play(scenario: Scenario, target: Target, seed: u64, session: &mut Session) -> Result<Play, Stop> {
    let client = Client::new(target.clone(), session.deadline(limits::CONTROL_ANSWER_MAX))?;
    let ps = client.ps()?;
    breaking::whole(&ps)?;
    scenario.prove_names(&ps)?;
    breaking::end_on_signal();
    let uses_chance = scenario.steps.iter().any(|step| step.deed.as_ref().is_some_and(Deed::has_chance));
    let mut play = Play::new(scenario.name.clone(), ps.herd, uses_chance.then_some(seed));
    let surroundings = session.surroundings.clone();
    let stage = Stage { client: &client, target, surroundings: &surroundings, begun: Instant::now(), seed };
    let performed = perform(scenario, &stage, &mut play, &mut session.out);
    // Also after trouble: nothing may stay broken that we broke.
    let mended = mend(&client);
    performed?;
    mended?;
    Ok(play)
}

fn perform(scenario: Scenario, stage: &Stage<'_>, play: &mut Play, out: &mut Output) -> Result<(), Stop> {
    if !out.json {
        out.stream(&report::heading(play, scenario.about.as_deref()))?;
        out.flush()?;
    }
    for step in scenario.steps {
        let outcome = if play.is_over() { Outcome::skipped(&step) } else { stage.play(step) };
        if !out.json {
            let row = report::row(&outcome, out.pen());
            out.stream(&row)?;
            out.flush()?;
        }
        play.outcomes.push(outcome);
    }
    play.took = stage.begun.elapsed();
    Ok(())
}

/// Heals, lets go on and starts all that it must.
fn mend(client: &Client) -> Result<(), Failure> {
    client.heal(&HealOrder { servers: Vec::new(), all: true })?;
    let ps = client.ps()?;
    let [paused, down] = breaking::fallen(&ps);
    if !paused.is_empty() {
        client.order("resume", &Order { servers: paused, ..Order::default() })?;
    }
    if !down.is_empty() {
        client.order("start", &Order { servers: down, ..Order::default() })?;
    }
    Ok(())
}

fn write_junit(path: &Path, play: &Play, session: &Session) -> Result<(), Failure> {
    fs::write(session.absolute(path), report::junit(play))
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot write {}: {why}", session.path(path))))
}

fn tell(play: &Play, session: &mut Session) -> Done {
    if session.out.json {
        session.out.document(&report::document(play))?;
    } else {
        let pen = session.out.pen();
        session.out.answer(&report::conclusion(play, pen))?;
    }
    Ok(if play.held() { Exit::Fine } else { Exit::No })
}
