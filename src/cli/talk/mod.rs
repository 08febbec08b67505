//! `iamat`, `whatsat`, `send`: a client of a server, so that nobody needs netcat.
//!
//! Speaks TCP with the server itself, not with the herd's control channel, which only tells the address. What
//! the server says goes to stdout as it came; who said it and how fast goes to stderr.

mod document;
mod line;
mod wire;

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::output::Output;
use super::session::Session;
use super::{Done, Exit, args, escape, names, term};
use crate::herd::api::{Failure, Kind, Ps};
use document::{At, IamatDocument, WhatsatDocument};
use wire::{Answer, Talk};

/// `herdctl iamat`
///
/// # Errors
///
/// `usage`: what would be sent is wrong; `failed`, `timeout`: the server does not answer; and as every call on
/// the control channel.
pub fn iamat(args: &args::Iamat, session: &mut Session) -> Done {
    let time = args.at.as_deref().map_or_else(now, |at| at.as_bytes().to_vec());
    if !args.force {
        line::check_iamat(args.client.as_bytes(), args.location.as_bytes(), &time)
            .map_err(|wrong| Failure::new(Kind::Usage, wrong).hint("--force sends it all the same"))?;
    }
    let words: [&[u8]; 4] = [b"IAMAT", args.client.as_bytes(), args.location.as_bytes(), &time];
    let mut talk = Talk::with(args.to.as_deref(), session)?;
    let answer = talk.ask(&words.join(&b' '))?;
    if !session.out.json {
        return show(&answer, &talk, session);
    }
    let at = At::read(&answer.bytes).ok_or_else(|| refused(&answer.bytes))?;
    session.out.document(&IamatDocument {
        schema: "herd.iamat/1",
        server: &talk.name,
        took_us: micros(answer.took),
        at,
    })?;
    Ok(Exit::Fine)
}

/// `herdctl whatsat`: exit code 8 when the server answers `? …`.
///
/// # Errors
///
/// As [`iamat`].
pub fn whatsat(args: &args::Whatsat, session: &mut Session) -> Done {
    let words: [&[u8]; 4] = [b"WHATSAT", args.client.as_bytes(), args.radius.as_bytes(), args.count.as_bytes()];
    line::check_words(&words[1..]).map_err(|wrong| Failure::new(Kind::Usage, wrong))?;
    let mut talk = Talk::with(args.to.as_deref(), session)?;
    let answer = talk.ask(&words.join(&b' '))?;
    if !session.out.json {
        return show(&answer, &talk, session);
    }
    let end = memchr::memchr(b'\n', &answer.bytes).unwrap_or(answer.bytes.len());
    let at = At::read(&answer.bytes[..end]).ok_or_else(|| refused(&answer.bytes))?;
    let found: serde_json::Value = serde_json::from_slice(&answer.bytes[end..])
        .map_err(|why| Failure::new(Kind::Failed, format!("{} answered what is no JSON: {why}", talk.name)))?;
    session.out.document(&WhatsatDocument {
        schema: "herd.whatsat/1",
        server: &talk.name,
        took_us: micros(answer.took),
        at,
        status: found.get("status").cloned(),
        places: found.get("results").cloned().unwrap_or_else(|| serde_json::Value::Array(Vec::new())),
    })?;
    Ok(Exit::Fine)
}

/// `herdctl send`: exit code 8 when an answer is `? …`.
///
/// # Errors
///
/// As [`iamat`].
pub fn send(args: &args::Send, session: &mut Session) -> Done {
    let ps = session.client()?.ps()?;
    let (to, lines) = addressee(args, &ps, session)?;
    let mut talk = Talk::to(to, &ps, session)?;
    let from_stdin = matches!(lines, [only] if only.as_bytes() == b"-");
    if from_stdin || (lines.is_empty() && !std::io::stdin().is_terminal()) {
        return talk.pour(pour_stdin, &mut session.out);
    }
    if !lines.is_empty() {
        let text = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).collect::<Vec<_>>().concat();
        return talk.pour(move |mut server| server.write_all(&text), &mut session.out);
    }
    if !session.may_ask() {
        return Err(Failure::new(Kind::Usage, "no line to send, and nobody may be asked")
            .hint("herdctl send Clark 'IAMAT …', or - for standard input")
            .into());
    }
    prompt(&mut talk, &mut session.out)
}

/// Of `send [SERVER] [LINE… | -]`: the server that is meant, and the lines.
fn addressee<'a>(
    args: &'a args::Send,
    ps: &Ps,
    session: &Session,
) -> Result<(Option<String>, &'a [OsString]), Failure> {
    if let Some(to) = &args.to {
        return Ok((Some(to.clone()), &args.words));
    }
    let Some((first, rest)) = args.words.split_first() else { return Ok((None, &[])) };
    // A line has several words; one word alone can only be a server, or a typo that must not be sent.
    let is_line = first == "-" || first.as_bytes().iter().any(u8::is_ascii_whitespace) || first.is_empty();
    if is_line {
        return Ok((None, &args.words));
    }
    let names: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
    let place = session.config_name(ps.config.as_ref());
    let index = names::pick(&first.to_string_lossy(), &names, &place)?;
    Ok((Some(names[index].to_owned()), rest))
}

fn pour_stdin(mut server: &TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut std::io::stdin().lock(), &mut server).map(drop)
}

fn show(answer: &Answer, talk: &Talk, session: &mut Session) -> Done {
    session.out.bytes(&answer.bytes)?;
    session.out.flush()?;
    talk.say_who(answer.took, &mut session.out);
    Ok(if answer.is_refusal() { Exit::No } else { Exit::Fine })
}

fn refused(answer: &[u8]) -> Failure {
    Failure::new(Kind::CheckFailed, escape::line(answer.trim_ascii_end()))
}

fn now() -> Vec<u8> {
    let now = jiff::Timestamp::now();
    format!("{}.{:09}", now.as_second(), now.subsec_nanosecond()).into_bytes()
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

const PROMPT_HELP: &str = "\
IAMAT <client> <±lat±lon> <posix seconds>     tell the server where a client is
WHATSAT <client> <kilometres> <places>        ask what is near a client
anything else is sent as it is and answered `? …`
help shows this; quit or Ctrl-D leaves";

/// Asks for lines on the terminal until its end.
fn prompt(talk: &mut Talk, out: &mut Output) -> Done {
    let mark = out.message_pen().ink(term::BOLD, &format!("{}> ", talk.name.to_lowercase()));
    let mut lines = std::io::stdin().lock();
    loop {
        out.ask(&mark);
        let mut line = Vec::new();
        let read = lines.read_until(b'\n', &mut line);
        let read = read.map_err(|why| Failure::new(Kind::Failed, format!("cannot read the terminal: {why}")))?;
        let typed = line.strip_suffix(b"\n").unwrap_or(&line);
        match typed.trim_ascii() {
            b"" if read == 0 => {
                out.message("");
                return Ok(Exit::Fine);
            }
            b"" => {}
            b"quit" | b"exit" => return Ok(Exit::Fine),
            b"help" => out.message(PROMPT_HELP),
            _ => {
                let answer = talk.ask(typed)?;
                out.bytes(&answer.bytes)?;
                out.flush()?;
                talk.say_who(answer.took, out);
            }
        }
    }
}
