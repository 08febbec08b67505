//! `bench`: how fast this herd is on this machine, as a client sees it.
//!
//! Reading order: `plan` what is asked, `load` the loop, `connection` one connection of it, `probe` convergence,
//! `usage` what the processes took, `report` what is shown.

mod connection;
mod load;
pub mod plan;
mod probe;
mod report;
mod usage;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::output::Output;
use super::session::{ANSWER_MAX, Session};
use super::{Done, Exit, args, escape, human, names};
use crate::config;
use crate::herd::api::{Failure, Kind, Ps, ServerStatus, State};
use load::{Load, Plan};
use probe::Probe;
use report::Report;

/// `herdctl bench`: exit code 8 when a condition of `--fail-if` holds.
///
/// # Errors
///
/// `usage`: a server that is to be loaded is on another machine; `failed`: a server broke a connection off; and as
/// every call on the control channel.
pub fn run(args: &args::Bench, session: &mut Session) -> Done {
    let ps = session.client()?.ps()?;
    keep_questions_here(args, &ps)?;
    let targets = targets(args, &ps, session)?;
    let to = targets.iter().map(|server| address(server, args.allow_remote)).collect::<Result<Vec<_>, _>>()?;
    let limit = session.deadline(ANSWER_MAX);
    let probe = if args.no_convergence { None } else { probe(&ps, targets[0], args.allow_remote, limit)? };
    let plan = Plan {
        clients: args.clients,
        connections: args.connections,
        depth: args.depth,
        rate: args.rate,
        mix: args.mix,
        to,
        limit,
    };
    let mut load = Load::connect(plan, probe).map_err(|why| broken(&why))?;
    session.out.message(&format!(
        "{} to {} over {}, for {}",
        human::count(args.clients, "client"),
        human::list(&names_of(&targets)),
        human::count(args.connections as u64, "connection"),
        human::limit(args.duration),
    ));
    let report = measure(args, &ps, &targets, &mut load, &mut session.out).map_err(|why| broken(&why))?;
    if session.out.json {
        session.out.document(&report)?;
    } else {
        let text = report.text(session.out.pen());
        session.out.answer(text.trim_end())?;
    }
    Ok(if report.failed() { Exit::No } else { Exit::Fine })
}

fn measure(
    args: &args::Bench,
    ps: &Ps,
    targets: &[&ServerStatus],
    load: &mut Load,
    out: &mut Output,
) -> io::Result<Report> {
    load.introduce()?;
    load.load(Instant::now() + args.warm_up)?;
    let (herd_before, own_before, start) = (usage::of(ps.pid), usage::own_cpu(), Instant::now());
    load.measure();
    let end = start + args.duration;
    while Instant::now() < end {
        let (answered, second) = (load.measured.in_time, Instant::now());
        load.load(end.min(second + Duration::from_secs(1)))?;
        let rate = report::a_second(load.measured.in_time - answered, second.elapsed());
        if end > Instant::now() {
            let left = human::limit(Duration::from_secs((end - Instant::now()).as_secs() + 1));
            out.progress(&format!("{} a second, {left} left", human::thousands(rate)));
        }
    }
    let (took, herd_after, own_after) = (start.elapsed(), usage::of(ps.pid), usage::own_cpu());
    load.drain()?;
    Ok(Report::new(report::Facts {
        args,
        to: names_of(targets),
        took,
        measured: &load.measured,
        convergence: load.convergence(),
        herd: herd_before.zip(herd_after),
        own_cpu: own_after - own_before,
    }))
}

/// The servers that are loaded.
fn targets<'a>(args: &args::Bench, ps: &'a Ps, session: &Session) -> Result<Vec<&'a ServerStatus>, Failure> {
    let running = || ps.servers.iter().filter(|server| server.state == State::Running);
    let targets = match &args.to {
        Some(all) if all.eq_ignore_ascii_case("all") => running().collect(),
        Some(typed) => {
            let names: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
            vec![&ps.servers[names::pick(typed, &names, &session.config_name(ps.config.as_ref()))?]]
        }
        None => running().take(1).collect::<Vec<_>>(),
    };
    if targets.is_empty() {
        return Err(Failure::new(Kind::Failed, "no server is running").hint("herdctl start --all"));
    }
    Ok(targets)
}

/// A probe from this server to all others that run, if there are any.
fn probe(ps: &Ps, from: &ServerStatus, allow_remote: bool, limit: Duration) -> Result<Option<Probe>, Failure> {
    let others = ps.servers.iter().filter(|server| server.state == State::Running && server.name != from.name);
    let others = others.map(|server| address(server, allow_remote)).collect::<Result<Vec<_>, _>>()?;
    if others.is_empty() {
        return Ok(None);
    }
    Probe::new(address(from, allow_remote)?, &others, limit).map(Some).map_err(|why| broken(&why))
}

fn address(server: &ServerStatus, allow_remote: bool) -> Result<SocketAddr, Failure> {
    let name = escape::text(&server.name);
    let address = server.addr.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let address = address
        .ok_or_else(|| Failure::new(Kind::Failed, format!("{name} has no address: {}", escape::text(&server.addr))))?;
    if address.ip().is_loopback() || allow_remote {
        return Ok(address);
    }
    let message = format!("{name} listens on {address}, which others may use; nothing was sent");
    Err(Failure::new(Kind::Usage, message).hint("--allow-remote loads it all the same"))
}

/// Every question to a herd that asks Google is a request that somebody pays for, and a load is thousands a second.
fn keep_questions_here(args: &args::Bench, ps: &Ps) -> Result<(), Failure> {
    let asks = args.mix.whatsat > 0 || !args.no_convergence;
    let is_live = config::load(ps.config.as_ref())
        .is_ok_and(|(config, _)| matches!(config.places.provider, config::Provider::Google(_)));
    if !asks || !is_live || args.allow_remote {
        return Ok(());
    }
    let message = "this herd looks places up at Google, who bills each question; nothing was sent";
    Err(Failure::new(Kind::Usage, message)
        .hint("--mix 1:0 --no-convergence asks nothing, --allow-remote asks all the same"))
}

fn names_of(servers: &[&ServerStatus]) -> Vec<String> {
    servers.iter().map(|server| escape::text(&server.name).into_owned()).collect()
}

fn broken(why: &io::Error) -> Failure {
    let message = match why.kind() {
        io::ErrorKind::UnexpectedEof => "a server closed a connection while it was loaded".to_owned(),
        _ => format!("a connection to a server broke: {why}"),
    };
    Failure::new(Kind::Failed, message).hint("herdctl ps · herdctl logs")
}
