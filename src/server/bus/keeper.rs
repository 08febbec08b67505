//! The thread that speaks with the bus: joins it, tells and reads until something is wrong, waits, joins again.
//!
//! The NATS client starts tasks of its own on the runtime it is used in, and nobody can await them. So it gets a
//! runtime of its own, on a thread of its own, that ends with the server; nothing of a server is ever on it. What
//! crosses over are batches and news, both through bounded channels: a bus that is slow makes the bridge lag, and costs
//! one number.

use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::batch::Batch;
use super::mark::Mark;
use super::nats;
use super::piece::Reading;
use super::trouble::Trouble;
use super::{News, key};
use crate::config::Config;
use crate::limits;

/// The keeper's thread.
pub(crate) struct Keeper(JoinHandle<()>);

impl Keeper {
    pub(super) fn spawn(
        address: Address,
        name: &str,
        batches: mpsc::Receiver<Batch>,
        news: mpsc::Sender<News>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let keeping = move || {
            let mut keeping = Keeping { address, batches, news, mark: Mark::default(), session: 0 };
            runtime.block_on(keeping.keep());
            runtime.shutdown_background();
        };
        thread::Builder::new().name(format!("{name}.bus")).spawn(keeping).map(Self)
    }

    /// Waits until the connection is closed. The server's end of the bus has gone before.
    pub(crate) fn join(self) {
        // A panic has been printed, and costs the bridge and nothing else.
        let _ = self.0.join();
    }
}

/// Which bucket of which bus, for whom.
pub(super) struct Address {
    pub(super) url: String,
    pub(super) creds_file: Option<PathBuf>,
    pub(super) bucket: String,
    pub(super) replicas: usize,
    /// How the connection is called where the bus lists its clients.
    pub(super) client: String,
    pub(super) reading: Reading,
}

impl Address {
    /// The bus of a server; nothing if it is no bridge.
    pub(super) fn of(config: &Config, index: usize) -> Option<Self> {
        let bus = config.bus.as_ref().filter(|bus| bus.servers.contains(&index))?;
        let herd = key::token(config.herd.as_bytes());
        Some(Self {
            url: bus.url.clone(),
            creds_file: bus.creds_file.clone(),
            bucket: bus.bucket.clone(),
            replicas: bus.replicas,
            client: format!("herdctl {herd} {}", key::token(config.servers[index].name.as_bytes())),
            reading: Reading {
                prefix: format!("$KV.{}.", bus.bucket),
                herd,
                report_bytes_max: config.limits.line_bytes_max + limits::HELLO_BYTES_MAX,
            },
        })
    }
}

pub(super) struct Keeping {
    pub(super) address: Address,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) mark: Mark,
    /// Counts the times that the bus has been joined.
    pub(super) session: u64,
}

/// Why a bridge is not on the bus any more.
pub(super) enum End {
    Trouble(Trouble),
    /// The server has gone.
    Gone,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Keeping {
    /// Until the server has gone.
    async fn keep(&mut self) {
        let mut failures = 0;
        loop {
            let (server, before) = (self.news.clone(), self.session);
            let end = tokio::select! {
                end = nats::bridge(self) => end,
                () = server.closed() => return,
            };
            let End::Trouble(trouble) = end else { return };
            failures = if self.session > before { 0 } else { failures + 1 };
            let waiting = async {
                if server.send(News::Trouble(trouble)).await.is_ok() {
                    sleep(pause(failures)).await;
                }
            };
            tokio::select! {
                () = waiting => {}
                () = server.closed() => return,
            }
        }
    }
}

/// How long to wait before the bus is joined again after `failures` in a row.
fn pause(failures: u32) -> Duration {
    limits::BUS_RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(limits::BUS_RETRY_MAX)
}

/// Says something to the server.
pub(super) async fn say(news: &mpsc::Sender<News>, what: News) -> Result<(), End> {
    news.send(what).await.map_err(|_| End::Gone)
}
