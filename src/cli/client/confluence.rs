//! The events of all processes of a herd as one stream. Each process counts for itself, so there is no one true order:
//! what each tells keeps its own, and between them goes the time, of clocks that may differ. Of each process no more is
//! held than comes at once.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout_at;

use super::Piece;
use super::tributary::{News, Told, Tributary};
use crate::herd::api::{Failure, Kind};

/// So long an event waits for earlier ones of others.
const HOLD: Duration = Duration::from_millis(200);
/// So many pieces of one process wait to be taken.
const PIECES_MAX: usize = 2;

/// The streams, merged.
pub struct Confluence<'a> {
    runtime: &'a Runtime,
    branches: Vec<Branch>,
}

/// What has come from one process.
struct Branch {
    news: Receiver<News>,
    /// In its own order.
    held: VecDeque<Told>,
    /// The latest time that it has told: what it tells after that stays after that, wherever its clock goes.
    latest: String,
    standing: Standing,
}

enum Standing {
    /// It has not answered yet.
    Asked,
    Flows,
    Away(Failure),
}

impl<'a> Confluence<'a> {
    /// Begins to read all, each on a thread of its own, and waits until each has answered or has not in its time.
    ///
    /// # Errors
    ///
    /// `failed`: the system gives no thread.
    pub fn begin(runtime: &'a Runtime, tributaries: Vec<Tributary>) -> Result<Self, Failure> {
        let branches = tributaries.into_iter().map(Branch::begin).collect::<Result<_, _>>()?;
        let mut all = Self { runtime, branches };
        let is_asked = |branch: &Branch| matches!(branch.standing, Standing::Asked);
        while all.branches.iter().any(is_asked) {
            runtime.block_on(poll_fn(|cx| all.poll_news(cx, is_asked)));
        }
        Ok(all)
    }

    /// Why each cannot be asked, if none can.
    pub fn trouble(&self) -> Option<Vec<&Failure>> {
        self.branches.iter().map(Branch::trouble).collect()
    }

    /// Waits for lines, at most so long. It ends when no process runs any more.
    pub fn next(&mut self, patience: Option<Duration>) -> Piece {
        let until = patience.map(|patience| Instant::now() + patience);
        loop {
            let lines = self.ripe(Instant::now());
            if !lines.is_empty() {
                return Piece::Lines(lines);
            }
            if self.has_ended() {
                return Piece::End;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Piece::Nothing;
            }
            self.wait(until);
        }
    }

    /// Waits until something has come, or an event has waited long enough, or the time is over.
    fn wait(&mut self, until: Option<Instant>) {
        // Before the first goes none of the others, however long they have waited.
        let ripens = self.first().map(|branch| branch.held[0].arrived + HOLD);
        let wake = until.into_iter().chain(ripens).min();
        let runtime = self.runtime;
        let news = poll_fn(|cx| self.poll_news(cx, |branch| branch.held.is_empty()));
        runtime.block_on(async {
            match wake {
                Some(wake) => timeout_at(wake.into(), news).await.unwrap_or(()),
                None => news.await,
            }
        });
    }

    /// Takes what has come from any of those that are `wanted`.
    fn poll_news(&mut self, cx: &mut Context<'_>, wanted: impl Fn(&Branch) -> bool) -> Poll<()> {
        let mut has_come = false;
        for branch in self.branches.iter_mut().filter(|branch| wanted(branch)) {
            if let Poll::Ready(news) = branch.news.poll_recv(cx) {
                branch.take(news);
                has_come = true;
            }
        }
        if has_come { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The lines that nothing earlier can come before, or has in the time that they waited.
    fn ripe(&mut self, now: Instant) -> Vec<u8> {
        let mut lines = Vec::new();
        loop {
            self.branches.iter_mut().for_each(Branch::refill);
            let is_whole = self.branches.iter().all(|branch| !branch.held.is_empty() || !branch.flows());
            let is_ripe = |told: &mut Told| is_whole || told.arrived + HOLD <= now;
            let Some(next) = self.first().and_then(|branch| branch.held.pop_front_if(is_ripe)) else {
                return lines;
            };
            lines.extend_from_slice(&next.line);
        }
    }

    /// Whose event is the earliest of all that are held.
    fn first(&mut self) -> Option<&mut Branch> {
        let heads = self.branches.iter_mut().filter(|branch| !branch.held.is_empty());
        heads.min_by(|one, other| one.held[0].at.cmp(&other.held[0].at))
    }

    fn has_ended(&self) -> bool {
        let is_gone = |failure: &&Failure| failure.error == Kind::NotRunning;
        self.trouble().is_some_and(|trouble| trouble.iter().all(is_gone))
    }
}

impl Branch {
    fn begin(tributary: Tributary) -> Result<Self, Failure> {
        let (to, news) = channel(PIECES_MAX);
        let name = format!("events of {}", tributary.server);
        let thread = thread::Builder::new().name(name).spawn(move || tributary.flow(&to));
        thread.map_err(|why| Failure::new(Kind::Failed, format!("the system gives no thread: {why}")))?;
        Ok(Self { news, held: VecDeque::new(), latest: String::new(), standing: Standing::Asked })
    }

    fn flows(&self) -> bool {
        matches!(self.standing, Standing::Flows)
    }

    fn trouble(&self) -> Option<&Failure> {
        match &self.standing {
            Standing::Away(failure) => Some(failure),
            _ => None,
        }
    }

    /// Takes what has come since, if all before it has been given out.
    fn refill(&mut self) {
        while self.held.is_empty() {
            match self.news.try_recv() {
                Ok(news) => self.take(Some(news)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.take(None),
            }
        }
    }

    /// Nothing comes any more only from a thread that has panicked.
    fn take(&mut self, news: Option<News>) {
        let bug = || News::Away(Failure::new(Kind::NotRunning, "a thread of this command has panicked"), None);
        let (standing, told) = match news.unwrap_or_else(bug) {
            News::Told(told) => (Standing::Flows, told),
            News::Away(failure, gap) => (Standing::Away(failure), gap.into_iter().collect()),
        };
        self.standing = standing;
        for told in told {
            self.latest = std::mem::take(&mut self.latest).max(told.at);
            self.held.push_back(Told { at: self.latest.clone(), ..told });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::Sender;

    use super::*;

    /// Branches, and where their news come from.
    fn branches<const N: usize>() -> (Vec<Branch>, [Sender<News>; N]) {
        let mut branches = Vec::new();
        let to = std::array::from_fn(|_| {
            let (to, news) = channel(PIECES_MAX);
            branches.push(Branch { news, held: VecDeque::new(), latest: String::new(), standing: Standing::Asked });
            to
        });
        (branches, to)
    }

    fn tell(to: &Sender<News>, arrived: Instant, events: &[&str]) {
        // The time, and what it is.
        let told = |event: &&str| Told { at: event[..2].into(), line: format!("{event}\n").into_bytes(), arrived };
        assert!(to.try_send(News::Told(events.iter().map(told).collect())).is_ok());
    }

    fn away(to: &Sender<News>, error: Kind) {
        assert!(to.try_send(News::Away(Failure::new(error, "away"), None)).is_ok());
    }

    fn text(lines: Vec<u8>) -> String {
        String::from_utf8(lines).unwrap().replace('\n', " ")
    }

    #[test]
    fn each_keeps_its_own_order_and_between_them_goes_the_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (branches, [one, other]) = branches();
        let mut all = Confluence { runtime: &runtime, branches };
        let now = Instant::now();
        // The clock of the first goes back.
        tell(&one, now, &["10 a", "30 b", "20 c"]);
        tell(&other, now, &["15 x", "25 y", "40 z"]);
        assert_eq!(text(all.ripe(now)), "10 a 15 x 25 y 30 b 20 c ");
        // Of the first something earlier may still come, …
        assert_eq!(text(all.ripe(now)), "");
        tell(&one, now, &["39 d"]);
        assert_eq!(text(all.ripe(now)), "39 d ");
        // … but it is not waited for any longer than that.
        assert_eq!(text(all.ripe(now + HOLD)), "40 z ");
    }

    #[test]
    fn an_earlier_event_that_comes_late_is_waited_for_by_the_others_without_haste() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (branches, [one, other, silent]) = branches();
        let mut all = Confluence { runtime: &runtime, branches };
        let now = Instant::now();
        tell(&silent, now, &[]);
        tell(&one, now.checked_sub(HOLD).unwrap(), &["20 a"]);
        tell(&other, now, &["10 x"]);
        assert_eq!(text(all.ripe(now)), "");
        all.wait(None);
        assert!(now.elapsed() >= HOLD);
        assert_eq!(text(all.ripe(Instant::now())), "10 x 20 a ");
    }

    #[test]
    fn who_is_away_is_not_waited_for_and_the_end_is_when_none_runs() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (branches, [one, other]) = branches();
        let mut all = Confluence { runtime: &runtime, branches };
        let now = Instant::now();
        tell(&one, now, &["10 a"]);
        away(&other, Kind::NotRunning);
        assert_eq!(text(all.ripe(now)), "10 a ");
        assert_eq!(all.next(Some(Duration::ZERO)), Piece::Nothing);
        // It may run and be out of reach.
        away(&one, Kind::Timeout);
        assert_eq!(all.next(Some(Duration::from_millis(1))), Piece::Nothing);
        away(&one, Kind::NotRunning);
        assert_eq!(all.next(None), Piece::End);
    }
}
