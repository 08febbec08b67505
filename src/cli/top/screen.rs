//! The terminal while `top` has it, and given back whatever happens: on every way out, after a panic on any thread,
//! and when the process is asked to end.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use ratatui::DefaultTerminal;

use super::model::{Input, Model};
use super::paint::Paint;
use super::{draw, layout};
use crate::cli::session::Session;
use crate::herd::api::{Failure, Kind};

/// Whether there is a terminal that can be drawn on.
///
/// # Errors
///
/// `usage`: there is none, and what to use instead.
pub fn check(session: &Session) -> Result<(), Failure> {
    let elsewhere = |message: &str, hint: &str| Err(Failure::new(Kind::Usage, message).hint(hint));
    if session.out.json {
        return elsewhere("top is for a terminal and has no JSON", "herdctl ps --watch --json");
    }
    let is_terminal = session.out.is_terminal() && std::io::stdin().is_terminal();
    if !is_terminal || session.surroundings.wishes.dumb {
        return elsewhere("top needs a terminal that can be drawn on", "herdctl ps --watch");
    }
    Ok(())
}

/// The terminal, ours until this is dropped.
pub struct Screen {
    terminal: DefaultTerminal,
    paint: Paint,
}

impl Screen {
    /// # Errors
    ///
    /// `failed`: the terminal does not take it.
    pub fn open(session: &Session) -> Result<Self, Failure> {
        // Has a panic on any thread give the terminal back before it says what is wrong.
        let terminal = ratatui::try_init().map_err(|why| refused(&why))?;
        Ok(Self { terminal, paint: Paint { pen: session.out.pen() } })
    }

    /// # Errors
    ///
    /// `failed`: the terminal does not take it.
    pub fn draw(&mut self, model: &mut Model) -> Result<(), Failure> {
        let paint = self.paint;
        let drawn = self.terminal.draw(|frame| {
            layout::fit(model, frame.area());
            draw::draw(model, paint, frame);
        });
        drawn.map(|_| ()).map_err(|why| refused(&why))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody can be told where this fails: the terminal is what was lost.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Has a signal to end leave like a key does, and says whether one came; a second one is not waited for.
pub fn leave_on_signals(inputs: SyncSender<Input>) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    // Where there is a handler already, the process ends by that one.
    let _ = ctrlc::set_handler(move || {
        if has_asked.swap(true, Ordering::Relaxed) {
            let _ = ratatui::try_restore();
            exit();
        }
        // Only to wake the view: with no room it is awake.
        let _ = inputs.try_send(Input::Tick);
    });
    asked
}

#[expect(clippy::disallowed_methods, reason = "the view does not answer: there is no way back to main")]
fn exit() -> ! {
    std::process::exit(Kind::Interrupted.exit().into())
}

fn refused(why: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("the terminal cannot be drawn on: {why}")).hint("herdctl ps --watch")
}
