//! A herd whose servers are processes of their own: each is asked, all at the same time and each within the deadline, and
//! what they say is put together. An order goes to the processes that it is about; what some did and others could not is
//! said.

use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::confluence::Confluence;
use super::merge::{self, Said};
use super::stream::Marks;
use super::tributary::Tributary;
use super::{Client, Target};
use crate::cli::{breaking, names};
use crate::config::{Config, Server};
use crate::herd::api::{
    Change, ClientStatus, Down, EventsQuery, Failure, FaultChange, FaultOrder, ForgetOrder, Forgotten, HealOrder, Kind,
    Knows, Links, Order, PartitionOrder, Ps, Whereis, WhereisOrder,
};
use crate::limits;

/// The processes of a herd, in the order of herd.toml.
pub struct Herdwide {
    config: Config,
    processes: Vec<Client>,
}

/// What is to become of the links.
pub enum Wish<'a> {
    Fault(&'a FaultOrder),
    Partition(&'a PartitionOrder),
    Heal(&'a HealOrder),
}

impl Herdwide {
    pub fn new(config: Config, targets: &[Target], deadline: Duration) -> Result<Self, Failure> {
        let processes = targets.iter().map(|target| Client::new(target.clone(), deadline)).collect::<Result<_, _>>()?;
        Ok(Self { config, processes })
    }

    pub fn set_deadline(&mut self, deadline: Duration) {
        self.processes.iter_mut().for_each(|process| process.deadline = deadline);
    }

    pub fn ps(&self) -> Result<Ps, Failure> {
        Ok(merge::ps(&self.config, &self.some(self.ask(Client::ps))?))
    }

    pub fn links(&self) -> Result<Links, Failure> {
        let ps = self.ps()?;
        Ok(Links { schema: "herd.links/1".into(), links: ps.links, faults: ps.faults })
    }

    pub fn whereis(&self, order: &WhereisOrder) -> Whereis {
        merge::whereis(&self.config, self.ask(|process| process.whereis(order)))
    }

    /// Takes a client out of every process that can be asked, again while one still knows it: another may have told it
    /// just then.
    pub fn forget(&self, order: &ForgetOrder) -> Result<Forgotten, Failure> {
        let mut forgotten = self.some(self.ask(|process| process.forget(order)))?;
        for _ in 1..limits::FORGET_ROUNDS_MAX {
            let known = self.whereis(&WhereisOrder { client: Some(order.client.clone()), all: false });
            let knows = |client: &ClientStatus| client.servers.iter().any(|one| one.knows != Knows::Nothing);
            if !known.clients.iter().any(knows) {
                break;
            }
            forgotten.extend(self.ask(|process| process.forget(order)));
        }
        Ok(merge::forgotten(&self.config, order, forgotten))
    }

    /// Ends every process that runs. Who is not there has nothing to end.
    pub fn down(&self, timeout: Duration, force: bool) -> Result<Down, Failure> {
        let is_gone = |said: &Result<Down, Failure>| said.as_ref().is_err_and(|why| why.error == Kind::NotRunning);
        let said = self.some(self.ask(|process| process.down(timeout, force)))?;
        let (meant, said) = (0..).zip(said).filter(|(_, said)| !is_gone(said)).unzip::<usize, _, Vec<_>, _>();
        Ok(merge::down(&self.config, self.all_or_why(&meant, said)?))
    }

    /// What was said, unless there is no herd: not one process runs.
    fn some<T>(&self, said: Said<T>) -> Result<Said<T>, Failure> {
        let is_gone = |said: &Result<T, Failure>| said.as_ref().is_err_and(|why| why.error == Kind::NotRunning);
        if said.iter().all(is_gone) { Err(self.not_running()) } else { Ok(said) }
    }

    /// Each server's process is given its part of the order.
    pub fn order(&self, verb: &str, order: &Order) -> Result<Change, Failure> {
        if order.random {
            let why = "each server is a process of its own: name the one that is meant";
            return Err(Failure::new(Kind::Usage, why));
        }
        let meant: Vec<usize> = match order.all {
            true => (0..self.processes.len()).collect(),
            false => order.servers.iter().map(|typed| self.named(typed)).collect::<Result<_, _>>()?,
        };
        let said = self.ask_these(&meant, |nth, process| {
            let servers = vec![self.config.servers[nth].name.clone()];
            process.order(verb, &Order { servers, all: false, ..order.clone() })
        });
        let changes = self.all_or_why(&meant, said)?;
        Ok(Change {
            schema: "herd.change/1".into(),
            changed: changes.iter().any(|change| change.changed),
            results: changes.into_iter().flat_map(|change| change.results).collect(),
            seed: None,
            for_ms: order.for_ms,
            summary: self.ps()?.summary,
        })
    }

    /// Both ends of a link are told, for each acts on what it hears; of a partition, all are.
    pub fn wish(&self, wish: &Wish<'_>) -> Result<FaultChange, Failure> {
        let before = self.ps()?.faults;
        // By the same chance in every process.
        let seed = |chosen: Option<u64>| Some(breaking::seed(chosen));
        let (meant, said) = match wish {
            Wish::Fault(order) => {
                let meant = vec![self.named(&order.from)?, self.named(&order.to)?];
                let order = FaultOrder { seed: seed(order.seed), ..(*order).clone() };
                let said = self.ask_these(&meant, |_, process| process.fault("fault", &order));
                (meant, said)
            }
            Wish::Partition(order) => {
                let seed = if order.random { seed(order.seed) } else { order.seed };
                let order = PartitionOrder { seed, ..(*order).clone() };
                self.told(|process| process.fault("partition", &order))
            }
            Wish::Heal(order) => self.told(|process| process.fault("heal", order)),
        };
        let changes = self.all_or_why(&meant, said)?;
        let ps = self.ps()?;
        let is_in = |faults: &[_], fault| faults.contains(fault);
        let set: Vec<_> = ps.faults.iter().filter(|fault| !is_in(&before, fault)).cloned().collect();
        let is_left = |id| ps.faults.iter().any(|left| left.id == id);
        Ok(FaultChange {
            schema: "herd.fault/1".into(),
            changed: changes.iter().any(|change| change.changed),
            healed: before.iter().filter(|fault| !is_left(fault.id)).cloned().collect(),
            set,
            islands: merge::uncut_islands(&self.config, &ps),
            seed: changes.iter().find_map(|change| change.seed),
            summary: ps.summary,
        })
    }

    /// The metrics of those that can be asked, one page after the other: each has its own server in it.
    pub fn metrics(&self) -> Result<String, Failure> {
        let said = self.some(self.ask(Client::metrics))?;
        Ok(said.into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }

    /// What happens in all processes, merged.
    pub fn events<'a>(
        &self,
        runtime: &'a Runtime,
        marks: &Marks,
        query: &EventsQuery,
    ) -> Result<Confluence<'a>, Failure> {
        if query.since.as_ref().is_some_and(|since| since.bytes().all(|byte| byte.is_ascii_digit())) {
            let why = "each server is a process of its own and numbers its own events: say since which time";
            return Err(Failure::new(Kind::Usage, why).hint("--since 5m, 15:04 or RFC 3339"));
        }
        let tributary = |process: &Client, server: &Server| {
            let client = Client::new(process.target.clone(), process.deadline)?;
            let last = marks.get(&Some(server.name.clone())).cloned();
            Ok(Tributary { server: server.name.clone(), client, query: query.clone(), last })
        };
        let tributaries = self.processes.iter().zip(&self.config.servers);
        let tributaries = tributaries.map(|(process, server)| tributary(process, server)).collect::<Result<_, _>>()?;
        let merged = Confluence::begin(runtime, tributaries)?;
        let Some(trouble) = merged.trouble() else { return Ok(merged) };
        let said: Said<()> = self.some(trouble.into_iter().cloned().map(Err).collect())?;
        let all: Vec<usize> = (0..self.processes.len()).collect();
        self.all_or_why(&all, said).map(|_| merged)
    }

    fn not_running(&self) -> Failure {
        let message = format!("no herd is running for {}", self.config.path.display());
        Failure::new(Kind::NotRunning, message).hint("herdctl up, or herdctl serve SERVER for each")
    }

    fn told<T: Send>(&self, tell: impl Fn(&Client) -> Result<T, Failure> + Sync) -> (Vec<usize>, Said<T>) {
        ((0..self.processes.len()).collect(), self.ask(tell))
    }

    fn named(&self, typed: &str) -> Result<usize, Failure> {
        let known: Vec<&str> = self.config.servers.iter().map(|server| server.name.as_str()).collect();
        names::pick(typed, &known, &self.config.path.display().to_string())
    }

    fn ask<T: Send>(&self, question: impl Fn(&Client) -> Result<T, Failure> + Sync) -> Said<T> {
        let all: Vec<usize> = (0..self.processes.len()).collect();
        self.ask_these(&all, |_, process| question(process))
    }

    /// All at the same time; each has its own deadline.
    fn ask_these<T: Send>(
        &self,
        meant: &[usize],
        question: impl Fn(usize, &Client) -> Result<T, Failure> + Sync,
    ) -> Said<T> {
        let question = &question;
        thread::scope(|scope| {
            let of_process = |nth: usize, why| of_process(self.name(nth), &self.processes[nth].target, why);
            let ask = move |nth: usize| question(nth, &self.processes[nth]).map_err(|why| of_process(nth, why));
            let asked = |&nth: &usize| scope.spawn(move || ask(nth));
            let asked: Vec<_> = meant.iter().map(asked).collect();
            let bug = |_| Err(Failure::new(Kind::Failed, "a thread of this command has panicked"));
            asked.into_iter().map(|answer| answer.join().unwrap_or_else(bug)).collect()
        })
    }

    fn name(&self, nth: usize) -> &str {
        &self.config.servers[nth].name
    }

    /// What all did; or why some did not, and who did.
    fn all_or_why<T>(&self, meant: &[usize], said: Said<T>) -> Result<Vec<T>, Failure> {
        let (mut done, mut by, mut first, mut why) = (Vec::new(), Vec::new(), None, Vec::new());
        for (&nth, said) in meant.iter().zip(said) {
            match said {
                Ok(change) => {
                    done.push(change);
                    by.push(self.name(nth));
                }
                Err(failure) => {
                    why.push(format!("{}: {}", self.name(nth), failure.message));
                    first = first.or(Some(failure));
                }
            }
        }
        let Some(first) = first else { return Ok(done) };
        let done = if by.is_empty() { String::new() } else { format!("; done: {}", by.join(" ")) };
        Err(Failure { message: why.join("; ") + &done, ..first })
    }
}

/// That there is no process is a server's trouble here, and not the herd's.
pub fn of_process(server: &str, target: &Target, why: Failure) -> Failure {
    if why.error != Kind::NotRunning || target.remote.is_some() {
        return why;
    }
    Failure::new(Kind::NotRunning, "its process does not run").hint(format!("herdctl serve {server}"))
}
