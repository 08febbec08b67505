//! `herdctl fake-places`: the fake on a port of loopback, for demonstrations, until Ctrl-C.

use std::io::Write as _;

use super::{Fake, Request};
use crate::cli::args;
use crate::cli::session::Session;
use crate::cli::{Done, Exit};
use crate::herd::api::{Failure, Kind};

/// Says how to point a herd at it, then what it is asked.
///
/// # Errors
///
/// `taken`: the port is; `failed`: the system gives no thread.
pub(in crate::cli) fn run(args: &args::FakePlaces, session: &mut Session) -> Done {
    let fake = Fake::start_on(args.port, args.scenario, args.delay.unwrap_or_default(), said).map_err(|why| {
        let kind = if why.kind() == std::io::ErrorKind::AddrInUse { Kind::Taken } else { Kind::Failed };
        Failure::new(kind, format!("cannot listen on 127.0.0.1:{}: {why}", args.port))
            .hint("herdctl fake-places --port 0")
    })?;
    let url = fake.url();
    let text = format!("[places]\nprovider = \"google\"\nurl = \"{url}\"");
    session.out.answer(&text)?;
    session.out.message("put this into herd.toml, and HERDCTL_PLACES_KEY=any into the environment; Ctrl-C ends it");
    fake.wait();
    Ok(Exit::Fine)
}

/// A line for each request, without its key.
fn said(request: &Request) {
    let interface = if request.is_new() { "New" } else { "Legacy" };
    let circle = super::circle(request).map_or_else(
        || "something that cannot be understood".to_owned(),
        |circle| format!("{} km around {}, {}", circle.radius_km, circle.lat, circle.lng),
    );
    // Nobody may be reading; that is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{interface}: {circle}");
}
