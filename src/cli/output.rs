//! The one way to a reader: answers to stdout, messages to stderr, each styled or not, as text or as JSON.
//!
//! Nothing else in the command line prints. A reader who has left (`herdctl logs | head`) ends a command
//! quietly; a message that cannot be written is nobody's loss. Tests capture both streams.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use serde::Serialize;

use super::escape;
use super::term::{self, Choice, Pen, Wishes};
use crate::herd::api::{Failure, Kind};

/// Why a command did not come to its end.
#[derive(Debug)]
pub enum Stop {
    Failed(Failure),
    /// Whoever read our answer has left; there is nobody to tell.
    ReaderGone,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Where answers and messages go, and in which shape.
pub struct Output {
    answers: Stream,
    messages: Stream,
    /// `--json`
    pub json: bool,
    /// `--quiet`: no messages but errors.
    pub quiet: bool,
    /// `--verbose`
    pub verbose: bool,
}

struct Stream {
    to: Box<dyn Write + Send>,
    pen: Pen,
    is_terminal: bool,
}

impl Output {
    /// The process's own streams.
    pub fn standard(color: Choice, wishes: &Wishes) -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let stream =
            |is_terminal, to| Stream { to, pen: Pen { styled: color.styled(wishes, is_terminal) }, is_terminal };
        Self {
            answers: stream(out.is_terminal(), Box::new(BufWriter::with_capacity(64 * 1024, own(&out)))),
            messages: stream(err.is_terminal(), own(&err)),
            json: false,
            quiet: false,
            verbose: false,
        }
    }

    /// Answers for a part of the program that shows them itself, as people read them; no messages.
    pub fn into_pane(pane: Box<dyn Write + Send>, pen: Pen) -> Self {
        let mut out = Self::to(pane, Box::new(std::io::sink()), false);
        out.answers.pen = pen;
        out
    }

    /// For a process that has nobody to tell.
    pub fn nowhere() -> Self {
        Self::to(Box::new(std::io::sink()), Box::new(std::io::sink()), false)
    }

    #[cfg(test)]
    /// Streams that can be read afterwards, for tests: what was answered, and what was said.
    pub fn captured(is_terminal: bool) -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Self::to(Box::new(out.clone()), Box::new(err.clone()), is_terminal), out, err)
    }

    fn to(answers: Box<dyn Write + Send>, messages: Box<dyn Write + Send>, is_terminal: bool) -> Self {
        let stream = |to| Stream { to, pen: Pen { styled: false }, is_terminal };
        Self { answers: stream(answers), messages: stream(messages), json: false, quiet: false, verbose: false }
    }

    /// The pen for answers.
    pub fn pen(&self) -> Pen {
        self.answers.pen
    }

    /// The pen for messages.
    pub fn message_pen(&self) -> Pen {
        self.messages.pen
    }

    /// Says the answer; its reader has it when this returns.
    pub fn answer(&mut self, text: &str) -> Result<(), Stop> {
        self.stream(text)?;
        self.flush()
    }

    /// Says one line of a long answer; its reader has it after [`flush`](Self::flush).
    pub fn stream(&mut self, text: &str) -> Result<(), Stop> {
        self.put(text.as_bytes())?;
        self.put(b"\n")
    }

    /// Whether a person looks at the answers as they come.
    pub fn is_terminal(&self) -> bool {
        self.answers.is_terminal
    }

    /// Draws `lines` over the last picture, no wider and no higher than the terminal; `first`: over anything else.
    pub fn draw(&mut self, lines: &[String], first: bool, columns: usize, rows: usize) -> Result<(), Stop> {
        let mut picture = if first { [term::CLEAR, term::HOME].concat() } else { term::HOME.to_owned() };
        let fits = lines.len() < rows;
        for line in lines.iter().take(if fits { lines.len() } else { rows.saturating_sub(2) }) {
            picture += &format!("{}{}\n", term::cut(line, columns), term::CLEAR_LINE);
        }
        if !fits {
            picture += &format!("… {} more lines{}\n", lines.len() + 2 - rows.max(2), term::CLEAR_LINE);
        }
        picture += term::CLEAR_BELOW;
        self.put(picture.as_bytes())?;
        self.flush()
    }

    /// Hands on a server's own bytes: as they are into a pipe, made harmless on a terminal.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.answers.is_terminal { self.put(escape::lines(bytes).as_bytes()) } else { self.put(bytes) }
    }

    pub fn flush(&mut self) -> Result<(), Stop> {
        self.answers.to.flush().map_err(|why| stop(&why))
    }

    /// Answers with one JSON document on one line.
    pub fn document(&mut self, document: &impl Serialize) -> Result<(), Stop> {
        self.answer(&self.json_of(document)?)
    }

    /// A document as JSON on one line, harmless on a terminal.
    pub fn json_of(&self, document: &impl Serialize) -> Result<String, Failure> {
        serde_json::to_string(document)
            .map(escape::json)
            .map_err(|why| Failure::new(Kind::Failed, format!("cannot write the answer as JSON: {why}")))
    }

    /// Says something beside the answer; not with `--quiet`, nor with `--json`, where stderr is for failures.
    pub fn message(&mut self, text: &str) {
        if !self.quiet && !self.json {
            self.say(text);
        }
    }

    /// Says how far a long command is, where a person may be watching: on a terminal only.
    pub fn progress(&mut self, text: &str) {
        if self.messages.is_terminal {
            let text = self.messages.pen.ink(term::DIM, text);
            self.message(&text);
        }
    }

    /// What to do next; a [`message`](Self::message).
    pub fn hint(&mut self, text: &str) {
        let hint = self.messages.pen.ink(term::HINT, "hint:");
        self.message(&format!("{hint} {text}"));
    }

    /// Says what is done behind the scenes, with `--verbose`.
    pub fn detail(&mut self, text: &str) {
        if self.verbose {
            let text = self.messages.pen.ink(term::DIM, &format!("note: {}", escape::text(text)));
            self.say(&text);
        }
    }

    /// Says what went wrong, as text or as JSON; never on stdout.
    pub fn failure(&mut self, failure: &Failure) {
        if self.json {
            let json = serde_json::to_string(failure).unwrap_or_default();
            self.say(&escape::json(json));
        } else {
            let text = failure_text(failure, self.messages.pen);
            self.say(&text);
        }
    }

    /// Shows the mark after which a person types.
    pub fn ask(&mut self, mark: &str) {
        let _ = self.messages.to.write_all(mark.as_bytes());
        let _ = self.messages.to.flush();
    }

    /// Whether messages go to a terminal, where a line can be written over.
    pub fn messages_are_seen(&self) -> bool {
        self.messages.is_terminal && !self.quiet && !self.json
    }

    /// Says what is wrong in words that are already made for a reader, `--quiet` or not.
    pub fn complain(&mut self, text: &str) {
        self.say(text);
    }

    fn say(&mut self, text: &str) {
        // One write, so that messages of two processes on one terminal do not mix inside a line.
        let _ = self.messages.to.write_all(format!("{text}\n").as_bytes());
        let _ = self.messages.to.flush();
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.answers.to.write_all(bytes).map_err(|why| stop(&why))
    }
}

/// A stream of the process by a descriptor of our own: without the library's lock, which a thread that hangs on
/// a stopped terminal would hold for ever.
fn own(stream: &impl AsFd) -> Box<dyn Write + Send> {
    match stream.as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(std::io::sink()),
    }
}

fn stop(why: &std::io::Error) -> Stop {
    match why.kind() {
        ErrorKind::BrokenPipe => Stop::ReaderGone,
        _ => Stop::Failed(Failure::new(Kind::Failed, format!("cannot write the answer: {why}"))),
    }
}

fn failure_text(failure: &Failure, pen: Pen) -> String {
    let message = escape::lines(failure.message.trim_end().as_bytes());
    let mut text = format!("{} {message}", pen.ink(term::ERROR, "error:"));
    if !failure.did_you_mean.is_empty() {
        let names: Vec<_> = failure.did_you_mean.iter().map(|name| escape::text(name)).collect();
        text += &format!("\n  did you mean: {}?", names.join(", "));
    }
    for line in failure.hint.iter().flat_map(|hint| hint.lines()) {
        text += &format!("\n  {} {}", pen.ink(term::HINT, "hint:"), escape::text(line));
    }
    text
}

/// What was written to a stream of [`Output::captured`], for the tests of this module and of others.
#[cfg(test)]
mod captured {
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Debug, Clone, Default)]
    pub struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub fn bytes(&self) -> Vec<u8> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub fn text(&self) -> String {
            String::from_utf8_lossy(&self.bytes()).into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
pub use captured::Captured;

#[cfg(test)]
mod tests {
    use super::*;

    fn clrk() -> Failure {
        let mut failure = Failure::new(Kind::UnknownName, "no server named \"clrk\"").hint("servers: Bona Clark");
        failure.did_you_mean.push("Clark".into());
        failure
    }

    #[test]
    fn an_error_names_what_is_meant_and_what_to_do() {
        let (mut out, answers, messages) = Output::captured(false);
        out.failure(&clrk());
        assert_eq!(
            messages.text(),
            "error: no server named \"clrk\"\n  did you mean: Clark?\n  hint: servers: Bona Clark\n"
        );
        assert_eq!(answers.text(), "");
    }

    #[test]
    fn an_error_as_json_leaves_stdout_empty() {
        let (mut out, answers, messages) = Output::captured(false);
        out.json = true;
        out.failure(&clrk());
        let said: Failure = serde_json::from_str(&messages.text()).unwrap();
        assert_eq!((said, answers.text().as_str()), (clrk(), ""));
    }

    #[test]
    fn quiet_keeps_errors_and_answers() {
        let (mut out, answers, messages) = Output::captured(false);
        out.quiet = true;
        out.message("beside the point");
        out.hint("try this");
        out.answer("the answer").unwrap();
        out.failure(&Failure::new(Kind::Failed, "trouble"));
        assert_eq!((answers.text().as_str(), messages.text().as_str()), ("the answer\n", "error: trouble\n"));
    }

    #[test]
    fn a_servers_bytes_are_tamed_on_a_terminal_only() {
        for (is_terminal, expected) in [(false, "? \u{1b}[2J\n"), (true, "? \\x1b[2J\n")] {
            let (mut out, answers, _) = Output::captured(is_terminal);
            out.bytes(b"? \x1b[2J\n").unwrap();
            assert_eq!(answers.text(), expected);
        }
    }

    #[test]
    fn hostile_failures_stay_text() {
        let (mut out, _, messages) = Output::captured(true);
        let mut failure = Failure::new(Kind::Failed, "a\u{1b}b").hint("c\u{9b}d");
        failure.did_you_mean.push("e\u{202e}f".into());
        out.failure(&failure);
        assert_eq!(messages.text(), "error: a\\x1bb\n  did you mean: e\\u{202e}f?\n  hint: c\\x9bd\n");
    }
}
