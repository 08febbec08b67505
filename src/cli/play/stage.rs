//! Where a step is played: its command is obeyed as if it had been typed, and then the herd is looked at until it is as
//! expected, or its time is over.

use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::breaking::ENOUGH;
use super::super::client::{Client, Target};
use super::super::output::{Output, Stop};
use super::super::session::{Session, Surroundings};
use super::super::term::Pen;
use super::super::{Exit, obey, wait};
use super::expectation::{Expectation, What};
use super::report::{Check, Outcome};
use super::scenario::{Deed, Step};
use crate::herd::api::{Failure, Kind, WhereisOrder};
use crate::limits;

pub struct Stage<'a> {
    pub client: &'a Client,
    pub target: Target,
    pub surroundings: &'a Surroundings,
    pub begun: Instant,
    /// Where the chance of all steps comes from.
    pub seed: u64,
}

/// What a command said, and why it failed if it did.
struct Said {
    text: String,
    failed: Option<String>,
}

impl Stage<'_> {
    /// Plays a step when its time has come.
    pub fn play(&self, step: Step) -> Outcome {
        let mut outcome = Outcome::skipped(&step);
        while self.begun.elapsed() < step.at {
            if ENOUGH.load(Relaxed) {
                return outcome;
            }
            thread::sleep((step.at - self.begun.elapsed().min(step.at)).min(wait::LOOK_EVERY));
        }
        let begun = self.begun.elapsed();
        let said = step.deed.map(|deed| self.obey(deed, step.line));
        let may_fail = step.expectations.iter().any(|expected| matches!(expected.what, What::Fails(_)));
        outcome.why = said.as_ref().and_then(|said| said.failed.clone()).filter(|_| !may_fail);
        for expected in &step.expectations {
            let check =
                if outcome.why.is_some() { Check::skipped(expected) } else { self.check(expected, said.as_ref()) };
            outcome.checks.push(check);
        }
        outcome.played = Some((begun, self.begun.elapsed() - begun));
        outcome.said = said.map(|said| said.text);
        outcome
    }

    /// Does what a person would have done by typing it.
    fn obey(&self, mut deed: Deed, line: usize) -> Said {
        deed.seed(self.seed.wrapping_add(line as u64));
        let heard = Heard::default();
        let mut out = Output::into_pane(Box::new(heard.clone()), Pen { styled: false });
        out.json = deed.cli.global.json;
        let mut global = deed.cli.global;
        (global.config, global.socket) = (self.target.config.clone(), None);
        if global.config.is_none() {
            global.socket = Some(self.target.socket.clone());
        }
        let mut session = Session::new(global, self.surroundings.clone(), out);
        let done = obey(deed.cli.command, &mut session);
        let failed = match done.and_then(|exit| session.out.flush().map(|()| exit)) {
            Ok(Exit::Fine | Exit::Process(_)) | Err(Stop::ReaderGone) => None,
            Ok(Exit::No | Exit::BadConfig) => Some("its answer is no".to_owned()),
            Err(Stop::Failed(failure)) => Some(failure.message),
        };
        Said { text: heard.text(), failed }
    }

    /// Looks until it is so, or it is too late.
    fn check(&self, expected: &Expectation, said: Option<&Said>) -> Check {
        let begun = Instant::now();
        let why = match &expected.what {
            What::Says(pattern) => {
                let is_said = said.is_some_and(|said| said.text.lines().any(|line| pattern.is_match(line)));
                (!is_said).then(|| "no line of what was said is like that".to_owned())
            }
            What::Fails(pattern) => match said.and_then(|said| said.failed.as_ref()) {
                None => Some("it did not fail".to_owned()),
                Some(why) => (!pattern.is_match(why)).then(|| format!("it failed otherwise: {why}")),
            },
            _ => self.look(expected, begun).unwrap_or_else(|failure| Some(failure.message)),
        };
        Check::made(expected, begun.elapsed(), why)
    }

    /// What is missing when it has had its time.
    fn look(&self, expected: &Expectation, begun: Instant) -> Result<Option<String>, Failure> {
        loop {
            let ps = self.client.ps()?;
            let order = |client: &str| WhereisOrder { client: Some(client.to_owned()), all: false };
            let whereis = expected.client().map(|client| self.client.whereis(&order(client))).transpose()?;
            let missing = expected.missing(&ps, whereis.as_ref())?;
            if missing.is_none() || begun.elapsed() >= expected.within {
                return Ok(missing);
            }
            if ENOUGH.load(Relaxed) {
                return Err(Failure::new(Kind::Interrupted, "ended by Ctrl-C"));
            }
            thread::sleep(wait::LOOK_EVERY.min(expected.within.saturating_sub(begun.elapsed()).max(A_MOMENT)));
        }
    }
}

/// The last look comes when the time is over, not before.
const A_MOMENT: Duration = Duration::from_millis(1);

/// What a command says, up to a limit.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).trim_end().to_owned()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = limits::PLAY_SAID_BYTES_MAX.saturating_sub(heard.len());
        heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
