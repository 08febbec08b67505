//! `herdctl chaos`: breaks a herd on purpose while clients talk to it, and judges whether it kept its promises.
//!
//! Reading order: here (which herd, for how long, what is said in the end), `conductor` what is done to the herd,
//! `phones` the clients, `recorder` the one history, `report` the verdict in words. What
//! will be done and what was right is decided in [`judge`](crate::judge), which sees no herd.

mod conductor;
mod phones;
mod recorder;
mod report;

use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::breaking::{self, ENOUGH};
use super::client::{Client, Target};
use super::output::Output;
use super::own::OwnHerd;
use super::session::Session;
use super::{Done, Exit, args, escape, human};
use crate::config::{self, Ack, Provider};
use crate::herd::api::{Failure, Kind, Ps};
use crate::judge::checker;
use crate::judge::history::{self, Begin, CALLS_MAX, Record, SCHEMA};
use crate::judge::plan::{self, Fault, Millis, Rng, Terms};
use crate::judge::verdict::Verdict;
use crate::limits;
use conductor::{Conductor, Progress};
use phones::Crowd;
use recorder::Recorder;

/// How long any one order of ours may take: `stop` has the longest wait of its own.
const ORDER_MAX: Duration = limits::CONTROL_ANSWER_MAX;

/// `herdctl chaos`: exit code 8 when a promise was broken.
///
/// # Errors
///
/// `usage`: more than can be done or judged; `check_failed`: the herd is not whole to begin with; and as every call on
/// the control channel.
pub fn run(args: &args::Chaos, session: &mut Session) -> Done {
    if let Some(path) = &args.check {
        return check(path, session);
    }
    let asked = Asked::of(args)?;
    if asked.is_chosen {
        session.out.detail(&format!("seed {}", asked.seed));
    } else {
        session.out.message(&format!("seed {}", asked.seed));
    }
    let own = if args.own { Some(OwnHerd::start(breaking::named_config(session)?)?) } else { None };
    let target = match &own {
        Some(own) => session.target_of(own.config.clone()),
        None => session.target()?,
    };
    let performed = perform(&asked, target, own.as_ref().map(|own| own.ack), session);
    let keep = performed.as_ref().map_or(true, |performance| !performance.verdict.held);
    let logs = own.map(|own| own.end(keep)).transpose();
    if let Ok(Some(Some(logs))) = &logs {
        session.out.message(&format!("the logs of that herd are in {}", session.path(logs)));
    }
    let performance = performed?;
    logs?;
    tell(&performance, args.history.as_deref(), session)
}

/// `herdctl chaos --check`
fn check(path: &Path, session: &mut Session) -> Done {
    let name = session.path(path);
    let file = File::open(session.absolute(path))
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot read {name}: {why}")))?;
    let (begin, verdict) = checker::judge(BufReader::new(file)).map_err(|why| {
        Failure::new(Kind::Failed, format!("{name} is no history: {}", escape::text(&why.to_string())))
    })?;
    tell(&Performance { begin, verdict, lasted: None }, Some(path), session)
}

/// What was asked, in bounds.
struct Asked {
    seed: u64,
    is_chosen: bool,
    lasts: Duration,
    faults: Vec<Fault>,
    clients: usize,
    rate: u64,
    lines: u64,
    settle: Duration,
    history: Option<std::path::PathBuf>,
}

impl Asked {
    fn of(args: &args::Chaos) -> Result<Self, Failure> {
        let usage = |why: String| Failure::new(Kind::Usage, why);
        let (clients, rates) = (limits::CHAOS_CLIENTS_RANGE, limits::CHAOS_RATE_RANGE);
        if !clients.contains(&args.clients) {
            return Err(usage(format!("--clients is {} to {}", clients.start(), clients.end())));
        }
        if !rates.contains(&args.rate) {
            return Err(usage(format!("--rate is {} to {} lines a second", rates.start(), rates.end())));
        }
        let lines = args.rate.saturating_mul(args.lasts.as_secs() + 1);
        // The final tables are calls too.
        if lines > CALLS_MAX / 2 {
            let most = human::thousands(CALLS_MAX / 2);
            return Err(usage(format!("{} is more than can be judged: {most}", human::count(lines, "line")))
                .hint("a lower --rate or a shorter --for"));
        }
        let faults = if args.faults.is_empty() { Fault::ALL.to_vec() } else { args.faults.clone() };
        Ok(Self {
            seed: breaking::seed(args.seed),
            is_chosen: args.seed.is_some(),
            lasts: args.lasts,
            faults,
            clients: args.clients,
            rate: args.rate,
            lines,
            settle: args.settle.unwrap_or(limits::CHAOS_SETTLE_MAX),
            history: args.history.clone(),
        })
    }
}

/// What came of it.
struct Performance {
    begin: Begin,
    verdict: Verdict,
    lasted: Option<Duration>,
}

fn perform(
    asked: &Asked,
    target: Target,
    ack: Option<(Ack, usize)>,
    session: &mut Session,
) -> Result<Performance, Failure> {
    let client = Client::new(target, session.deadline(ORDER_MAX))?;
    let ps = client.ps()?;
    let (begin, addresses) = whole_herd(&ps, ack, asked)?;
    let history = asked.history.as_deref().map(|path| session.absolute(path));
    let recorder = Arc::new(Recorder::new(begin.clone(), history.as_deref())?);
    let crowd = Arc::new(Crowd {
        recorder: Arc::clone(&recorder),
        servers: addresses,
        phones: asked.clients,
        rate: asked.rate,
        seed: asked.seed,
        over: AtomicBool::new(false),
    });
    let plan = plan_of(asked, &begin);
    let conductor = Conductor { client: &client, recorder: &recorder, begin: &begin, pid: ps.pid, enough: &ENOUGH };
    breaking::end_on_signal();
    let begun = Instant::now();
    let mut screen = Screen { out: &mut session.out, recorder: &recorder, asked, shown_at: None };
    thread::scope(|scope| {
        let talking = scope.spawn(|| phones::talk(&crowd));
        let performed = conductor.perform(&plan, asked.lasts, |progress| screen.show(progress));
        crowd.over.store(true, Relaxed);
        // Also after trouble: nothing may stay broken that we broke.
        let healed = conductor.heal();
        let talked = talking.join().unwrap_or_else(|_| Err(Failure::new(Kind::Failed, "the clients panicked")));
        performed.and(healed).and(talked)
    })?;
    let lasted = begun.elapsed();
    screen.settling();
    conductor.settle(asked.settle)?;
    recorder.mark(|t| Record::Tables { t });
    phones::read_tables(&crowd)?;
    screen.end();
    drop(crowd);
    let recorder =
        Arc::into_inner(recorder).ok_or_else(|| Failure::new(Kind::Failed, "the history is still in use"))?;
    Ok(Performance { begin, verdict: recorder.close()?, lasted: Some(lasted) })
}

/// The herd as the history begins with it, and where its servers are.
fn whole_herd(
    ps: &Ps,
    ack: Option<(Ack, usize)>,
    asked: &Asked,
) -> Result<(Begin, Vec<(String, SocketAddr)>), Failure> {
    let no = |why: String| Failure::new(Kind::CheckFailed, why);
    breaking::whole(ps)?;
    if ps.servers.len() > history::SERVERS_MAX {
        return Err(no(format!("a herd of more than {} servers is not judged", history::SERVERS_MAX)));
    }
    let mut addresses = Vec::new();
    for server in &ps.servers {
        let address = server.addr.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback());
        let address = address.ok_or_else(|| {
            no(format!(
                "{} listens on {}; chaos is for loopback only",
                escape::text(&server.name),
                escape::text(&server.addr)
            ))
        })?;
        addresses.push((server.name.clone(), address));
    }
    let (ack, heard) = ack.map_or_else(|| ack_of(ps), Ok)?;
    let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let begin = Begin {
        schema: SCHEMA.into(),
        seed: asked.seed,
        herd: ps.herd.clone(),
        servers: ps.servers.iter().map(|server| server.name.clone()).collect(),
        links: ps.links.iter().map(|link| [link.from.clone(), link.to.clone()]).collect(),
        ack: match ack {
            // What is stored has been heard by a neighbour, too.
            Ack::Heard | Ack::Stored => history::Ack::Heard,
            Ack::Sent => history::Ack::Sent,
        },
        heard,
        answer_ms_max: ms(limits::CHAOS_ANSWER_MAX),
        settle_ms_max: ms(asked.settle),
        spread_ms_max: ms(limits::CHAOS_SPREAD_MAX),
        confirm_ms_max: ms(limits::CONFIRM_MAX),
        rss_kb_max: conductor::rss_kb(ps.pid).unwrap_or(0)
            + limits::CHAOS_RSS_KB_MAX
            + asked.lines.saturating_mul(limits::CHAOS_LINE_BYTES) / 1024,
    };
    Ok((begin, addresses))
}

/// What the herd's answers promise, as `ack` and `heard` of its herd.toml say. One that cannot be read is the default's.
///
/// # Errors
///
/// `usage`: its places are Google's, and thousands of questions would be asked and billed for nothing.
fn ack_of(ps: &Ps) -> Result<(Ack, usize), Failure> {
    let Ok((config, _)) = config::load(Path::new(&ps.config)) else { return Ok((Ack::default(), 1)) };
    if matches!(config.places.provider, Provider::Google(_)) {
        let why = "this herd asks Google for its places, which would be asked thousands of times";
        return Err(Failure::new(Kind::Usage, why).hint("herdctl chaos --own"));
    }
    Ok((config.ack, config.heard))
}

fn plan_of(asked: &Asked, begin: &Begin) -> Vec<(Millis, plan::Act)> {
    let index = |name: &String| begin.servers.iter().position(|server| server == name);
    let terms = Terms {
        servers: begin.servers.len(),
        links: begin.links.iter().filter_map(|[one, other]| index(one).zip(index(other))).collect(),
        faults: asked.faults.clone(),
        lasts: u64::try_from(asked.lasts.as_millis()).unwrap_or(u64::MAX),
    };
    plan::draw(&terms, &mut Rng::new(asked.seed))
}

fn tell(performance: &Performance, history: Option<&Path>, session: &mut Session) -> Done {
    let Performance { begin, verdict, lasted } = performance;
    if session.out.json {
        session.out.document(&report::Document {
            schema: "herd.chaos/1",
            seed: begin.seed,
            herd: &begin.herd,
            servers: &begin.servers,
            lasted_ms: lasted.map(|lasted| u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX)),
            history,
            verdict,
        })?;
    } else {
        let text = report::text(begin, verdict, *lasted, session.out.pen());
        session.out.answer(&text)?;
    }
    Ok(if verdict.held { Exit::Fine } else { Exit::No })
}

/// One line on a terminal that says how it stands, written over as it goes.
struct Screen<'a> {
    out: &'a mut Output,
    recorder: &'a Recorder,
    asked: &'a Asked,
    shown_at: Option<Instant>,
}

impl Screen<'_> {
    fn show(&mut self, progress: &Progress) {
        const EVERY: Duration = Duration::from_millis(250);
        if !self.out.messages_are_seen() || self.shown_at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.shown_at = Some(Instant::now());
        let verdict = self.recorder.so_far();
        let line = format!(
            "{} of {}: {} answered, {} broken; {}",
            human::age(u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX)),
            human::limit(self.asked.lasts),
            human::thousands(verdict.counts.answered),
            human::thousands(verdict.broken()),
            escape::text(&progress.last),
        );
        self.write_over(&line);
    }

    fn settling(&mut self) {
        self.write_over("healed; waiting until the servers agree");
    }

    fn end(&mut self) {
        self.write_over("");
        if self.out.messages_are_seen() {
            self.out.ask("\r");
        }
    }

    fn write_over(&mut self, line: &str) {
        if self.out.messages_are_seen() {
            self.out.ask(&format!("\r{line:<79.79}"));
        }
    }
}
