//! Carries out the plan: gives the orders when they are due, looks at the herd in between, heals it, and waits until it
//! agrees. One thing at a time, so that no order falls into the middle of a look.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::super::breaking;
use super::recorder::Recorder;
use crate::cli::client::Client;
use crate::herd::api::{Failure, FaultOrder, HealOrder, Kind, Order, Ps, State, Wrong};
use crate::judge::history::{Begin, Deed, Record, Seen};
use crate::judge::plan::{Act, Harm, Millis};
use crate::limits;

pub struct Conductor<'a> {
    pub client: &'a Client,
    pub recorder: &'a Arc<Recorder>,
    pub begin: &'a Begin,
    pub pid: u32,
    /// Somebody wants it to end early.
    pub enough: &'static AtomicBool,
}

/// How it stands, for whoever watches.
pub struct Progress {
    pub elapsed: Duration,
    /// The last thing that was done.
    pub last: String,
}

impl Conductor<'_> {
    /// Does what is planned until `lasts` is over or it is enough.
    pub fn perform(
        &self,
        plan: &[(Millis, Act)],
        lasts: Duration,
        mut watch: impl FnMut(&Progress),
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut acts = plan.iter().peekable();
        let mut progress = Progress { elapsed: Duration::ZERO, last: String::new() };
        let mut look_at = begun;
        while begun.elapsed() < lasts && !self.enough.load(Relaxed) {
            if let Some(trouble) = self.recorder.trouble() {
                return Err(trouble);
            }
            let due = acts.peek().map_or(lasts, |(at, _)| Duration::from_millis(*at).min(lasts));
            if begun.elapsed() >= due {
                if let Some((_, act)) = acts.next() {
                    progress.last = self.act(act)?;
                }
            } else if Instant::now() >= look_at {
                self.look()?;
                look_at = Instant::now() + limits::CHAOS_LOOK_EVERY;
                progress.elapsed = begun.elapsed();
                watch(&progress);
            } else {
                thread::sleep(
                    look_at.saturating_duration_since(Instant::now()).min(due.saturating_sub(begun.elapsed())),
                );
            }
        }
        Ok(())
    }

    /// Puts right all that an order can put right.
    pub fn heal(&self) -> Result<(), Failure> {
        let ps = self.client.ps()?;
        let [paused, down] = breaking::fallen(&ps);
        if !paused.is_empty() {
            self.give(Deed::Resume, paused, Order::default())?;
        }
        if !down.is_empty() {
            self.give(Deed::Start, down, Order::default())?;
        }
        self.record(Deed::Heal, Vec::new(), self.begin.links.clone(), "all".into(), || {
            let order = HealOrder { servers: Vec::new(), all: true };
            self.client.heal(&order).map(drop)
        })?;
        self.recorder.mark(|t| Record::Healed { t });
        Ok(())
    }

    /// Waits until the herd agrees and is quiet, or has had its time.
    pub fn settle(&self, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        let mut before = None;
        while Instant::now() < deadline {
            let ps = self.look()?;
            let now = agreement(&ps);
            if now.is_some() && now == before {
                self.recorder.mark(|t| Record::Converged { t });
                return Ok(());
            }
            before = now;
            thread::sleep(limits::CHAOS_SETTLE_LOOK_EVERY);
        }
        Ok(())
    }

    fn act(&self, act: &Act) -> Result<String, Failure> {
        let (deed, servers) = match act {
            Act::Kill(servers) => (Deed::Kill, &servers[..]),
            Act::CutPower(server) => (Deed::Kill, std::slice::from_ref(server)),
            Act::Start(servers) => (Deed::Start, &servers[..]),
            Act::Stop(server) => (Deed::Stop, std::slice::from_ref(server)),
            Act::Restart(server) => (Deed::Restart, std::slice::from_ref(server)),
            Act::Pause(server) => (Deed::Pause, std::slice::from_ref(server)),
            Act::Resume(server) => (Deed::Resume, std::slice::from_ref(server)),
            Act::Hurt(links, harm) => return self.hurt(links, *harm),
            Act::Heal(links) => return self.heal_links(links),
        };
        let names: Vec<String> = servers.iter().map(|&server| self.begin.servers[server].clone()).collect();
        let said = format!("{} {}", route(deed), names.join(" "));
        let order = Order { hard: deed == Deed::Restart, power: matches!(act, Act::CutPower(_)), ..Order::default() };
        self.give(deed, names, order)?;
        Ok(said)
    }

    fn hurt(&self, links: &[usize], harm: Harm) -> Result<String, Failure> {
        let ends = self.ends(links);
        let said = format!("{} {}", words(harm), on(&ends));
        self.record(Deed::Hurt, Vec::new(), ends.clone(), said.clone(), || {
            ends.iter().try_for_each(|[from, to]| {
                let (from, to) = (from.clone(), to.clone());
                let order = FaultOrder {
                    from,
                    to,
                    one_way: false,
                    wrong: wrong(harm),
                    for_ms: None,
                    seed: Some(self.begin.seed),
                };
                self.client.set_fault(&order).map(drop)
            })
        })?;
        Ok(said)
    }

    fn heal_links(&self, links: &[usize]) -> Result<String, Failure> {
        let ends = self.ends(links);
        let said = format!("heal {}", on(&ends));
        self.record(Deed::Heal, Vec::new(), ends.clone(), said.clone(), || {
            ends.iter().try_for_each(|ends| {
                let order = HealOrder { servers: ends.to_vec(), all: false };
                self.client.heal(&order).map(drop)
            })
        })?;
        Ok(said)
    }

    fn ends(&self, links: &[usize]) -> Vec<[String; 2]> {
        links.iter().map(|&link| self.begin.links[link].clone()).collect()
    }

    /// Gives an order to servers.
    fn give(&self, deed: Deed, servers: Vec<String>, order: Order) -> Result<(), Failure> {
        let what = if order.power { "power cut".to_owned() } else { String::new() };
        let order = Order { servers: servers.clone(), ..order };
        self.record(deed, servers, Vec::new(), what, || self.client.order(route(deed), &order).map(drop))
    }

    /// Does something, and records what came of it. An order that the herd does not carry out is the judge's business; a
    /// herd that is gone is ours.
    fn record(
        &self,
        deed: Deed,
        servers: Vec<String>,
        links: Vec<[String; 2]>,
        what: String,
        obey: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let number = self.recorder.order(deed, servers, links, what);
        let outcome = obey();
        self.recorder.done(number, outcome.as_ref().err().map(|failure| failure.message.clone()));
        match outcome {
            Err(failure) if failure.error == Kind::NotRunning => Err(failure),
            _ => Ok(()),
        }
    }

    fn look(&self) -> Result<Ps, Failure> {
        let since = self.recorder.now();
        let ps = self.client.ps()?;
        let seen = |name: &String| {
            let server = ps.servers.iter().find(|server| server.name == *name);
            server.map_or_else(
                || Seen { running: false, state: "gone".into(), unconfirmed: 0 },
                |server| Seen {
                    running: server.state == State::Running,
                    state: server.state.to_string(),
                    unconfirmed: server.unconfirmed,
                },
            )
        };
        let up = |[from, to]: &[String; 2]| ps.links.iter().any(|link| link.from == *from && link.to == *to && link.up);
        let (servers, links) = (&self.begin.servers, &self.begin.links);
        self.recorder.sample(
            since,
            rss_kb(self.pid),
            servers.iter().map(seen).collect(),
            links.iter().map(up).collect(),
        );
        Ok(ps)
    }
}

/// What all servers know, if they are all there, all linked, and know the same.
fn agreement(ps: &Ps) -> Option<(String, Vec<u64>)> {
    let (summary, first) = (&ps.summary, ps.servers.first()?);
    let whole = summary.running == summary.servers && summary.links_up == summary.links && summary.converged;
    let equal = ps.servers.iter().all(|server| server.digest == first.digest && server.knows == first.knows);
    (whole && equal).then(|| (first.digest.clone(), ps.servers.iter().map(|server| server.edition).collect()))
}

fn route(deed: Deed) -> &'static str {
    match deed {
        Deed::Kill => "kill",
        Deed::Stop => "stop",
        Deed::Start => "start",
        Deed::Restart => "restart",
        Deed::Pause => "pause",
        Deed::Resume => "resume",
        Deed::Hurt => "fault",
        Deed::Heal => "heal",
    }
}

/// `Bona-Clark, Clark-Jaquez`
fn on(links: &[[String; 2]]) -> String {
    let links: Vec<_> = links.iter().map(|ends| ends.join("-")).collect();
    links.join(", ")
}

fn words(harm: Harm) -> String {
    match harm {
        Harm::Cut { silent: true } => "cut silently".into(),
        Harm::Cut { silent: false } => "cut".into(),
        Harm::Delay { ms, jitter_ms } => format!("delay {ms} ± {jitter_ms} ms"),
        Harm::Loss { percent } => format!("loss {percent}%"),
        Harm::Dup { percent } => format!("dup {percent}%"),
        Harm::Reorder { percent } => format!("reorder {percent}%"),
        Harm::Throttle { bytes_per_second } => format!("throttle {bytes_per_second} B/s"),
    }
}

fn wrong(harm: Harm) -> Wrong {
    match harm {
        Harm::Cut { silent } => Wrong::Cut { silent },
        Harm::Delay { ms, jitter_ms } => Wrong::Delay { delay_ms: ms, jitter_ms },
        Harm::Loss { percent } => Wrong::Loss { percent: percent.into() },
        Harm::Dup { percent } => Wrong::Dup { percent: percent.into() },
        Harm::Reorder { percent } => Wrong::Reorder { percent: percent.into() },
        Harm::Throttle { bytes_per_second } => Wrong::Throttle { bytes_per_second },
    }
}

/// What the kernel says of a process's memory.
pub fn rss_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/status"))).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
