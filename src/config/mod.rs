//! `herd.toml` to [`Config`], whole and proven.
//!
//! Nothing downstream checks again: names are unique and one word each, links run between servers that
//! exist, addresses are distinct, every limit is in its range. What is wrong is reported all at once, each
//! mistake with its line, a caret and what would be right. Knows nothing of tokio or of the rest of the crate.

mod ack;
pub mod address;
mod bus;
mod control;
pub(crate) mod fields;
mod find;
mod graph;
mod metrics;
pub(crate) mod mistakes;
mod names;
pub(crate) mod notes;
mod places;
mod prove;
mod render;
mod template;
mod tls;
pub mod topology;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use address::Address;
pub use control::Control;
pub use find::find;
pub use mistakes::{Mistake, Mistakes, Severity, harmless};
pub use names::closest;
pub use render::counted;
pub use template::Shape;
pub use tls::Tls;

use crate::limits::HERD_FILE_BYTES_MAX;

/// The herd.toml of the default herd, commented: what `herdctl init` writes.
pub const TEMPLATE: &str = include_str!("../../herd.toml");

/// Reads the herd.toml at `path` and proves it.
///
/// # Errors
///
/// All its mistakes at once, also that it is missing, unreadable, not UTF-8 or longer than
/// [`HERD_FILE_BYTES_MAX`]. With `Ok` come the warnings, if there are any.
pub fn load(path: &Path) -> Result<(Config, Mistakes), Mistakes> {
    let bytes = read(path).map_err(|why| Mistakes::unreadable(path, &why))?;
    if bytes.len() > HERD_FILE_BYTES_MAX {
        return Err(Mistakes::too_long(path));
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse(&text, path),
        Err(why) => Err(Mistakes::not_utf8(path, why.as_bytes(), why.utf8_error().valid_up_to())),
    }
}

/// Proves `text` as the herd.toml at `path`, which is named in mistakes and is where relative paths start;
/// nothing is read from it.
///
/// # Errors
///
/// All its mistakes at once. With `Ok` come the warnings, if there are any.
pub fn parse(text: &str, path: &Path) -> Result<(Config, Mistakes), Mistakes> {
    prove::prove(text, path)
}

/// One byte more than is allowed, so that a longer file is noticed and `/dev/zero` ends.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(HERD_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A proven `herd.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file this came from, absolute.
    pub path: PathBuf,
    /// The herd's name: one word; part of every neighbour's proof.
    pub herd: String,
    /// The servers, in the order of the file. At least one.
    pub servers: Vec<Server>,
    /// The links, in the order of the file.
    pub links: Vec<Link>,
    /// When an `IAMAT` is answered.
    pub ack: Ack,
    /// So many neighbours must have heard it then; all that are linked, if those are fewer. At least 1.
    pub heard: usize,
    /// How an update goes round.
    pub flooding: Flooding,
    /// The file that holds the herd's secret; `None`: made at random at each `up`.
    pub secret_file: Option<PathBuf>,
    /// By which certificates neighbours know each other; `None`: by the secret alone.
    pub tls: Option<Tls>,
    /// What commands show at the control addresses of servers.
    pub control: Control,
    /// Where and what the servers log.
    pub log: Log,
    /// Where the servers keep what they know; `None`: in memory alone.
    pub archive: Option<Archive>,
    /// What joins this herd with others; `None`: nothing.
    pub bus: Option<Bus>,
    /// What `WHATSAT` answers from.
    pub places: Places,
    /// Where the metrics are served beside the control socket.
    pub metrics: Metrics,
    /// What a server takes at most.
    pub limits: Limits,
}

/// One server of the herd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// One word, unique without regard to case.
    pub name: String,
    /// Where clients and neighbours reach it. Port 0 takes any free port when the herd comes up.
    pub address: Address,
    /// Where the process that runs it listens; the same, unless another is named.
    pub listen: SocketAddr,
    /// Where the process that serves it alone serves the metrics; none: as [`Config::metrics`] says.
    pub metrics: Option<SocketAddr>,
    /// Where commands on other hosts reach the process that serves it alone.
    pub control: Option<Address>,
}

impl Server {
    /// A server that is reached where it listens.
    #[must_use]
    pub fn at(name: &str, address: SocketAddr) -> Self {
        Self { name: name.into(), address: address.into(), listen: address, metrics: None, control: None }
    }

    /// Where the process that serves it alone listens for commands of other hosts: at its control address, or, where
    /// that is a name, with that port where it listens itself.
    #[must_use]
    pub fn control_listen(&self) -> Option<SocketAddr> {
        self.control.as_ref().map(|control| match control {
            Address::Ip(address) => *address,
            Address::Name { port, .. } => SocketAddr::new(self.listen.ip(), *port),
        })
    }

    /// The same server, elsewhere.
    pub fn move_to(&mut self, address: SocketAddr) {
        (self.address, self.listen) = (address.into(), address);
    }
}

/// A link between two servers, as indexes into [`Config::servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// The one that stands first in the file.
    pub dialer: usize,
    /// The other.
    pub listener: usize,
}

/// When the answer to an `IAMAT` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ack {
    /// After as many neighbours as [`Config::heard`] says have said that the report is in their atlas.
    #[default]
    Heard,
    /// After the report has been handed to the sockets of all live links.
    Sent,
    /// After that of [`Ack::Heard`], and when the report is on the disk too; there is an archive.
    Stored,
}

/// How an update goes round the herd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flooding {
    /// Over every link, at once.
    #[default]
    Plain,
    /// At once over those links that bring news; over the others within [`HOLD_REST`](crate::limits::HOLD_REST).
    Tree,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One `<Server>.log` a server goes here; absolute.
    pub directory: PathBuf,
    /// Which lines of the protocol are logged.
    pub traffic: Traffic,
    /// What happens when the disk is slower than the traffic.
    pub when_behind: WhenBehind,
    /// A file that reaches this many bytes is rotated.
    pub file_bytes_max: u64,
    /// How many files a server keeps, the one being written included. At least 1.
    pub files_max: u32,
}

/// Which lines of the protocol are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// Every line in and out, of clients and neighbours.
    #[default]
    All,
    /// Clients' lines only.
    Clients,
    /// None; connections, links and trouble are still logged.
    Off,
}

/// What a server does when its log cannot be written as fast as it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenBehind {
    /// It waits for the disk: nothing is left out.
    #[default]
    Wait,
    /// It goes on, and counts and says what was left out.
    Count,
}

/// `[archive]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// One `<Server>.redb` a server is here; absolute.
    pub directory: PathBuf,
}

/// `[bus]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus {
    /// `nats` or `tls`, a host and perhaps a port; no name, no password.
    pub url: String,
    /// The file that holds what the bus asks for, absolute; `None`: the environment does, or nothing is asked for.
    pub creds_file: Option<PathBuf>,
    /// The servers that tell and hear the bus, as indexes into [`Config::servers`]. At least one.
    pub servers: Vec<usize>,
    /// The key-value bucket that all herds share.
    pub bucket: String,
    /// On how many servers of the bus the bucket is kept, if it has to be made.
    pub replicas: usize,
}

/// `[places]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    pub provider: Provider,
}

/// Where places come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Provider {
    /// GeoNames localities, packed into the program.
    #[default]
    Embedded,
    /// Google Places, over the network, with a key.
    Google(Google),
    /// A file of the user's own.
    File(PlacesFile),
}

/// How Google Places is asked. The key itself is no part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Google {
    /// The file that holds the key, absolute; `None`: the environment does.
    pub key_file: Option<PathBuf>,
    pub api: GoogleApi,
    pub fields: FieldMask,
    pub fallback: Fallback,
    pub proxy: Proxy,
    /// Asked instead of Google: an origin without a path, `https`, or `http` on this machine.
    pub url: Option<String>,
}

/// Which of Google's two interfaces is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GoogleApi {
    /// Places API (New).
    #[default]
    New,
    /// Places API (Legacy), for keys that only have that.
    Legacy,
    /// New; if the key is not allowed for it, Legacy.
    Auto,
}

/// Which fields of a place New is asked for; it bills a request by the dearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldMask {
    /// Those billed as Nearby Search Pro.
    #[default]
    Basic,
    /// Also photos, ratings, prices and opening hours, billed as Enterprise.
    Full,
}

/// What is answered when the provider fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// Google's envelope of a failure.
    #[default]
    None,
    /// The embedded places, and a word that says so.
    Embedded,
}

/// Whether the proxies named in the environment are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proxy {
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured.
    #[default]
    System,
    None,
}

/// A file of places, and whom to credit for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacesFile {
    /// Absolute.
    pub path: PathBuf,
    /// Stands in `html_attributions` of every answer that holds places.
    pub attribution: Option<String>,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// An address for Prometheus; on this machine, unless `access` says otherwise.
    pub listen: Option<SocketAddr>,
    pub access: Access,
}

/// Who may reach the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// This machine.
    #[default]
    Local,
    /// Whoever can reach the address: there is no password.
    Network,
}

/// `[limits]`: each with its unit last in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest line of a client, without its line ending.
    pub line_bytes_max: usize,
    /// Clients connected to one server.
    pub connections_max: usize,
    /// Answers held for a client who does not read; past it the server stops reading from that client.
    pub unread_bytes_max: usize,
    /// A client who has read nothing for so long while answers wait is dropped.
    pub unread_seconds_max: u64,
    /// A client who has said no whole line for so long is dropped; 0: never.
    pub idle_seconds_max: u64,
    /// Place lookups in flight on one server.
    pub lookups_max: usize,
    /// Clients in one server's atlas, after which a *new* client is refused; 0: no limit.
    pub clients_max: u64,
    /// An IAMAT whose time is further ahead of the server's clock is refused; 0: none is.
    pub future_seconds_max: u64,
}

impl Config {
    /// The index of the server with this name, in any case.
    pub fn server_named(&self, name: &str) -> Option<usize> {
        let name = names::folded(name);
        self.servers.iter().position(|server| names::folded(&server.name) == name)
    }

    /// The servers that share a link with this one, in the order of [`Config::links`].
    pub fn neighbours(&self, server: usize) -> impl Iterator<Item = usize> {
        self.links.iter().filter_map(move |link| link.other_end(server))
    }

    /// The folder of herd.toml, absolute: where relative paths start.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

impl Link {
    /// The end that is not `server`; `None` if neither is.
    pub fn other_end(self, server: usize) -> Option<usize> {
        if server == self.dialer {
            Some(self.listener)
        } else if server == self.listener {
            Some(self.dialer)
        } else {
            None
        }
    }
}
