//! The way to a neighbour's socket: an IP address, or a host name that is looked up anew at each dial, for what stands
//! behind a name moves, as a pod of Kubernetes does at each start.
//!
//! The system looks a name up on a thread that nobody can stop. So a lookup that is slow is not begun a second time: it
//! is waited for again at the next dial, and there is never more than one.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::config::Address;
use crate::limits;

/// Where a neighbour is dialled.
pub(super) struct Way {
    address: Address,
    /// The lookup that had no answer when it was last waited for.
    looking: Cell<Option<Lookup>>,
    /// How often it was dialled: with several addresses behind a name, each has its turn.
    tries: Cell<usize>,
}

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>>>>;

impl Way {
    pub(super) fn to(address: Address) -> Self {
        Self { address, looking: Cell::default(), tries: Cell::default() }
    }

    /// A connection, within [`limits::DIAL_MAX`]; the lookup of a name has as long again.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::TimedOut`] if it says nothing in time.
    pub(super) async fn dial(&self) -> io::Result<TcpStream> {
        let address = match &self.address {
            Address::Ip(address) => *address,
            Address::Name { host, port } => self.look_up(host, *port).await?,
        };
        timeout(limits::DIAL_MAX, TcpStream::connect(address)).await.map_err(|_| too_slow("it does not answer"))?
    }

    /// How long to wait before dialling again, given how long one would wait for an IP address.
    pub(super) fn rest(&self, backoff: Duration) -> Duration {
        if self.address.ip().is_some() { backoff } else { backoff.max(limits::NAME_REST) }
    }

    async fn look_up(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        let mut looking = self.looking.take().unwrap_or_else(|| begin(host.to_owned(), port));
        let Ok(found) = timeout(limits::DIAL_MAX, &mut looking).await else {
            self.looking.set(Some(looking));
            return Err(too_slow(&format!("{host}: the lookup of this name takes long")));
        };
        let found = found.map_err(|why| io::Error::new(why.kind(), format!("{host}: {why}")))?;
        let nth = self.tries.replace(self.tries.get().wrapping_add(1)).checked_rem(found.len());
        nth.map(|nth| found[nth]).ok_or_else(|| io::Error::other(format!("{host}: this name has no address")))
    }
}

fn begin(host: String, port: u16) -> Lookup {
    Box::pin(async move { lookup_host((host, port)).await.map(Iterator::collect) })
}

fn too_slow(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_and_each_of_its_addresses_has_its_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let way = Way::to(Address::Name { host: "localhost".into(), port: at.port() });
        // Where it is ::1 too, that one refuses.
        let reached = [way.dial().await, way.dial().await];
        assert!(reached.iter().flatten().any(|stream| stream.peer_addr().unwrap() == at));

        way.looking
            .set(Some(Box::pin(async { Ok(vec!["127.0.0.2:1".parse().unwrap(), "127.0.0.3:1".parse().unwrap()]) })));
        let first = way.look_up("two", 1).await.unwrap();
        way.looking
            .set(Some(Box::pin(async { Ok(vec!["127.0.0.2:1".parse().unwrap(), "127.0.0.3:1".parse().unwrap()]) })));
        assert_ne!(first, way.look_up("two", 1).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_without_an_answer_is_not_begun_again() {
        let way = Way::to(Address::Name { host: "slow.example".into(), port: 1 });
        way.looking.set(Some(Box::pin(pending())));
        for _ in 0..3 {
            let why = way.dial().await.unwrap_err();
            assert_eq!(why.to_string(), "slow.example: the lookup of this name takes long");
        }
        assert!(way.looking.take().is_some());
    }

    #[tokio::test]
    async fn a_name_that_is_nobodys_is_named() {
        let way = Way::to(Address::Name { host: "nobody.invalid".into(), port: 1 });
        assert!(way.dial().await.unwrap_err().to_string().starts_with("nobody.invalid: "));
        assert!(way.rest(Duration::ZERO) > Duration::ZERO);
    }
}
