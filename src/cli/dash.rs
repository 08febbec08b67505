//! `dash`: has the herd serve its page, and says where it is, or opens it.
//!
//! The address holds a token. A browser that is given it as an argument would show it to every user of this machine;
//! so `--open` gives it a file that only we can read, and that leads on.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;

use super::session::Session;
use super::{Done, Exit, args, escape};
use crate::herd::api::{Dash, DashOrder, Failure, Kind};

/// What opens a file in the user's browser, by the system it is found on.
const OPENERS: [&str; 2] = ["xdg-open", "open"];
/// Beside the control socket, where only we can read.
const FILE: &str = "dash.html";

/// `herdctl dash`
///
/// # Errors
///
/// `taken`: the port is; `failed`: no browser was to be had; as every call on the control channel.
pub fn run(args: &args::Dash, session: &mut Session) -> Done {
    let client = session.client()?;
    let dash = client.dash(&DashOrder { port: args.port, read_only: args.read_only })?;
    if args.open {
        open(&dash, &client.target.socket)?;
    }
    if session.out.json {
        session.out.document(&dash)?;
        return Ok(Exit::Fine);
    }
    if args.open {
        session.out.answer(&format!("opened http://{}", escape::text(&dash.addr)))?;
        return Ok(Exit::Fine);
    }
    session.out.answer(&escape::text(&dash.url))?;
    session.out.hint("herdctl dash --open · this address is as good as a key to the herd");
    Ok(Exit::Fine)
}

fn open(dash: &Dash, socket: &Path) -> Result<(), Failure> {
    let file = socket.with_file_name(FILE);
    write(&file, &dash.url).map_err(|why| {
        Failure::new(Kind::Failed, format!("cannot write {}: {why}", file.display())).hint("herdctl dash")
    })?;
    let opened = OPENERS.iter().any(|opener| start(opener, &file));
    opened
        .then_some(())
        .ok_or_else(|| Failure::new(Kind::Failed, "neither xdg-open nor open is here").hint("herdctl dash"))
}

/// Whether a browser was asked; it goes on without us.
fn start(opener: &str, file: &PathBuf) -> bool {
    let mut command = Command::new(opener);
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A page that leads to `url`, which the herd wrote: there is nothing in it that means anything in HTML.
fn write(file: &Path, url: &str) -> io::Result<()> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(file)?;
    writeln!(file, "<!doctype html><meta http-equiv=\"refresh\" content=\"0;url={url}\">")
}
