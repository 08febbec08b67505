//! A load on a cluster of NATS, by the client library of the bus: published at one server, heard at all of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::load::{Load, time};

/// The servers learn from each other who listens; so often it is asked whether they have.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Keeps as many updates in flight as the load does in all. An update is one until the subscribers of all servers have
/// it; returns how long it took until the last had the last, after a tenth that does not count.
pub fn run(load: Load, updates: u64, to: SocketAddr, others: &[String], clock: u64) -> Duration {
    let servers: Vec<String> = [to.to_string()].into_iter().chain(others.iter().cloned()).collect();
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
        let mut cluster = Cluster::join(&servers).await;
        cluster.tell(load, updates / 10, clock).await;
        cluster.tell(load, updates, clock + updates).await
    })
}

struct Cluster {
    clients: Vec<async_nats::Client>,
    subscribers: Vec<async_nats::Subscriber>,
}

impl Cluster {
    async fn join(servers: &[String]) -> Self {
        let (mut clients, mut subscribers, mut readies) = (Vec::new(), Vec::new(), Vec::new());
        for server in servers {
            let client = async_nats::connect(server).await.expect("a NATS server");
            subscribers.push(client.subscribe("herd").await.expect("a subject"));
            readies.push(client.subscribe("ready").await.expect("a subject"));
            clients.push(client);
        }
        // Who listens is told in order: where the second is heard, so is the first.
        for ready in &mut readies {
            while timeout(ASK_EVERY, ready.next()).await.is_err() {
                clients[0].publish("ready", "".into()).await.expect("a server");
            }
        }
        Self { clients, subscribers }
    }

    async fn tell(&mut self, load: Load, updates: u64, clock: u64) -> Duration {
        let (start, in_flight) = (Instant::now(), (load.connections * load.depth) as u64);
        for turn in 0..updates + in_flight {
            if turn >= in_flight {
                for subscriber in &mut self.subscribers {
                    subscriber.next().await.expect("an update");
                }
            }
            if turn < updates {
                let client = turn % load.clients as u64;
                let line = format!("IAMAT client-{client:09} +34.068930-118.445127 {}", time(clock + turn));
                self.clients[0].publish("herd", line.into()).await.expect("a server");
            }
        }
        start.elapsed()
    }
}
