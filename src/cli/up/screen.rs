//! What a foreground `up` shows: a thread that prints, so that nobody else ever waits for a terminal.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::View;
use crate::cli::human;
use crate::cli::logs::{LOOK_EVERY, Live};
use crate::cli::output::{Output, Stop};
use crate::config::Config;
use crate::herd::api::{Down, Failure, Kind, Ps};

/// A terminal has so long to take the last words; then the program leaves all the same.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

/// The way to the printing thread.
pub struct Screen {
    words: SyncSender<Word>,
    output: Receiver<Output>,
}

/// All that the printing thread is ever told; there is room for both, so telling never waits.
enum Word {
    Ready(Box<Ps>),
    End(Option<Down>),
}

impl Screen {
    /// Logs are shown from now on, once the herd is ready.
    ///
    /// # Errors
    ///
    /// `failed`: a log is there and cannot be read; the system gives no thread.
    pub fn open(config: &Config, view: View, out: Output) -> Result<Self, Failure> {
        let logs = human::path(&config.log.directory, view.here.as_deref(), view.home.as_deref());
        let live = Live::begin(config, &out, logs)?;
        let (words, told) = sync_channel(2);
        let (give_back, output) = sync_channel(1);
        let printer = move || {
            let mut printer = Printer { live, view, out };
            // A reader who has left ends the showing, never the herd.
            let _ = printer.run(&told);
            let _ = give_back.try_send(printer.out);
        };
        let thread = thread::Builder::new().name("screen".into()).spawn(printer);
        thread.map_err(|why| Failure::new(Kind::Failed, format!("the system gives no thread: {why}")))?;
        Ok(Self { words, output })
    }

    pub fn ready(&self, ps: Ps) {
        let _ = self.words.try_send(Word::Ready(Box::new(ps)));
    }

    /// Shows the last of it. `None`: the terminal does not take it.
    pub fn close(self, down: Option<&Down>) -> Option<Output> {
        let _ = self.words.try_send(Word::End(down.cloned()));
        self.output.recv_timeout(LAST_WORDS_MAX).ok()
    }
}

struct Printer {
    live: Live,
    view: View,
    out: Output,
}

impl Printer {
    fn run(&mut self, told: &Receiver<Word>) -> Result<(), Stop> {
        let Ok(Word::Ready(ps)) = told.recv() else { return Ok(()) };
        self.show_ready(&ps)?;
        let down = loop {
            match told.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => self.show_logs()?,
                Ok(Word::End(down)) => break down,
                Ok(Word::Ready(_)) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        if !self.out.quiet {
            self.live.finish(&mut self.out)?;
        }
        match down {
            Some(down) if self.out.json => self.out.document(&down),
            Some(down) => self.out.answer(&self.view.farewell(&down)),
            None => Ok(()),
        }
    }

    fn show_ready(&mut self, ps: &Ps) -> Result<(), Stop> {
        if self.out.json {
            return self.out.document(&self.view.document(ps));
        }
        self.view.notes(ps, &mut self.out);
        self.out.answer(&self.view.text(ps, self.out.pen()))?;
        self.out.hint("Ctrl-C ends the herd; in another terminal: herdctl ps");
        Ok(())
    }

    fn show_logs(&mut self) -> Result<(), Stop> {
        if self.out.quiet { Ok(()) } else { self.live.look(&mut self.out) }
    }
}
