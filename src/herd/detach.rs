//! `up -d`: this program again, in a session of its own, telling its parent on a pipe how it went.
//!
//! The child's standard output is the pipe. It says one JSON line at its start (where its log is) and one
//! when the herd is ready or has failed; then it closes the pipe. A pipe closed without the second line is
//! a death, and the end of the log is what there is to show for it. No `fork` and no `unsafe`: the child is a
//! fresh process that calls setsid(2) as its first act.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout, setsid};
use serde::{Deserialize, Serialize};

use super::api::{Failure, Kind, Ps};
use super::panics::printable;
use super::{Supervisor, Up, den};
use crate::limits;

/// The hidden command that the command line routes to [`child`].
pub const COMMAND: &str = "__supervise";

/// What the child says on the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// At once: its log, how long that is already, and how long it may take.
    Begun {
        log: PathBuf,
        log_bytes: u64,
        wait_ms: u64,
    },
    Ready(Box<Ps>),
    Failed(Failure),
}

/// Starts this program again as `__supervise` with these arguments, detached, and waits until its herd is ready.
///
/// # Errors
///
/// Its failure, or [`Kind::Failed`] if it died without a word, with the end of its log; [`Kind::Timeout`] if it says nothing.
pub fn start(args: &[OsString]) -> Result<Ps, Failure> {
    let mut child = Command::new(program()?)
        .arg(COMMAND)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot start the supervisor: {why}")))?;
    let words = listen(child.stdout.take().expect("stdout is piped"));
    let outcome = await_ready(&words);
    match &outcome {
        Err(Silence::TooLong) => end(&mut child),
        Err(Silence::Died(_)) => {
            let _ = child.wait();
        }
        // It lives on without us, or has said all and is leaving by itself.
        Ok(_) => {}
    }
    outcome.unwrap_or_else(|silence| Err(silence.failure()))
}

/// The life of the detached supervisor, from its first act to its exit code.
#[must_use]
pub fn child(up: Up) -> ExitCode {
    supervise(Supervisor::new(up))
}

/// As [`child`], with a supervisor made by the caller.
#[must_use]
pub fn supervise(supervisor: Supervisor) -> ExitCode {
    // Fails only if this process leads a session already, which is all that is wanted.
    let _ = setsid();
    let mut told = false;
    let outcome = begin(&supervisor.up).and_then(|()| {
        supervisor.run_with_signals(|ps| {
            told = true;
            say(&Word::Ready(Box::new(ps.clone())));
            hush();
        })
    });
    let failure = match outcome {
        Ok(_) if told => return ExitCode::SUCCESS,
        Ok(_) => Failure::new(Kind::Failed, "the herd was told to leave before it was ready"),
        Err(failure) => failure,
    };
    if told {
        // Only the log is left to tell.
        let _ = writeln!(io::stderr(), "error: {}", failure.message);
    } else {
        say(&Word::Failed(failure.clone()));
    }
    ExitCode::from(failure.exit)
}

/// Opens the log and makes it the standard error, so that whatever this process dies of is in it.
fn begin(up: &Up) -> Result<(), Failure> {
    let (file, log) = den::supervisor_log(&up.config.path)?;
    let log_bytes = file.metadata().map_or(0, |metadata| metadata.len());
    dup2_stderr(&file)
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot write to {}: {why}", log.display())))?;
    say(&Word::Begun { log, log_bytes, wait_ms: up.wait_ms });
    Ok(())
}

/// One line to the parent, which may have gone.
fn say(word: &Word) {
    let mut line = serde_json::to_vec(word).expect("a word has a JSON form");
    line.push(b'\n');
    let mut out = io::stdout().lock();
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

/// Closes the pipe; what would still be printed goes nowhere.
fn hush() {
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = dup2_stdout(null);
    }
}

/// Why no ready herd and no failure was heard of.
enum Silence {
    /// The pipe is closed; the end of the log.
    Died(String),
    TooLong,
}

impl Silence {
    fn failure(self) -> Failure {
        match self {
            Self::Died(last_words) if last_words.is_empty() => {
                Failure::new(Kind::Failed, "the supervisor died at its start")
            }
            Self::Died(last_words) => {
                Failure::new(Kind::Failed, format!("the supervisor died at its start; its last words:\n{last_words}"))
            }
            Self::TooLong => {
                Failure::new(Kind::Timeout, "the supervisor did not say whether the herd is ready; it was ended")
            }
        }
    }
}

fn await_ready(words: &mpsc::Receiver<Word>) -> Result<Result<Ps, Failure>, Silence> {
    let mut deadline = Instant::now() + limits::DETACH_FIRST_WORD_MAX;
    let mut log = None;
    loop {
        match words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Word::Begun { log: path, log_bytes, wait_ms }) => {
                log = Some((path, log_bytes));
                deadline = Instant::now() + Duration::from_millis(wait_ms) + limits::DETACH_GRACE;
            }
            Ok(Word::Ready(ps)) => return Ok(Ok(*ps)),
            Ok(Word::Failed(failure)) => return Ok(Err(failure)),
            Err(RecvTimeoutError::Timeout) => return Err(Silence::TooLong),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Silence::Died(log.map(|(path, from)| tail(&path, from)).unwrap_or_default()));
            }
        }
    }
}

/// The child's words, from a thread of their own: a pipe cannot be read with a deadline. Lines that are none
/// are passed over.
fn listen(pipe: ChildStdout) -> mpsc::Receiver<Word> {
    const WORDS_MAX: usize = 2;
    let (to, words) = mpsc::sync_channel(WORDS_MAX);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if let Ok(word) = serde_json::from_str(&line)
                && to.send(word).is_err()
            {
                return;
            }
        }
    });
    words
}

/// The last lines of what was logged after the first `from` bytes, safe to print.
fn tail(log: &Path, from: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.take(limits::SUPERVISOR_LOG_BYTES_MAX).read_to_end(&mut text)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<_> = text.lines().rev().take(limits::SUPERVISOR_LOG_TAIL_LINES).map(printable).collect();
    lines.reverse();
    lines.join("\n")
}

/// This program's file; if it was replaced while running, what is left of it.
fn program() -> Result<PathBuf, Failure> {
    let path =
        std::env::current_exe().map_err(|why| Failure::new(Kind::Failed, format!("where is this program? {why}")))?;
    Ok(if fs::exists(&path).unwrap_or(false) { path } else { "/proc/self/exe".into() })
}

/// Asks the child to leave, without waiting for it.
fn end(child: &mut process::Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}
