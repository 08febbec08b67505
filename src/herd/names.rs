//! Which servers an order means. All names are looked up before anything is done; case does not matter.

use super::api::{Failure, Kind, Order};
use super::panics::printable;
use super::secret;
use crate::config::{self, Config};

/// The servers that `order` names, each once, in the order of `herd.toml`.
///
/// # Errors
///
/// [`Kind::UnknownName`] with a suggestion, [`Kind::Usage`] if it names none or both some and all.
pub fn chosen(config: &Config, order: &Order) -> Result<Vec<usize>, Failure> {
    match (order.all, order.servers.is_empty()) {
        (true, true) => return Ok((0..config.servers.len()).collect()),
        (true, false) => return Err(Failure::new(Kind::Usage, "either server names or all, not both")),
        (false, true) => return Err(Failure::new(Kind::Usage, "which server?").hint(servers(config))),
        (false, false) => {}
    }
    let mut indexes = order.servers.iter().map(|typed| named(config, typed)).collect::<Result<Vec<_>, _>>()?;
    indexes.sort_unstable();
    indexes.dedup();
    Ok(indexes)
}

/// That the order names no server, for one is chosen by chance.
///
/// # Errors
///
/// [`Kind::Usage`] if it does.
pub fn none(order: &Order) -> Result<(), Failure> {
    match order.all || !order.servers.is_empty() {
        true => Err(Failure::new(Kind::Usage, "either server names, or all, or one by chance")),
        false => Ok(()),
    }
}

/// That one server of this herd can run in a process of its own: others must be able to find and to know it.
///
/// # Errors
///
/// [`Kind::BadConfig`] if the secret would be new at each start, or a port would be any free one.
pub fn can_be_served(config: &Config, served: usize) -> Result<(), Failure> {
    if config.neighbours(served).next().is_some() {
        secret::can_be_shared(config)?;
    }
    let path = config.path.display();
    let mut needed = std::iter::once(served).chain(config.neighbours(served)).map(|server| &config.servers[server]);
    match needed.find(|server| server.address.port() == 0) {
        None => Ok(()),
        Some(server) => {
            let message =
                format!("port 0 of {} in {path} is any free port, and its neighbours could not know", server.name);
            Err(Failure::new(Kind::BadConfig, message).hint("give it a port"))
        }
    }
}

/// Two servers that share a link, in the order in which they were named.
///
/// # Errors
///
/// [`Kind::UnknownName`] with the neighbours that there are.
pub fn link(config: &Config, from: &str, to: &str) -> Result<[usize; 2], Failure> {
    let (from, to) = (named(config, from)?, named(config, to)?);
    if config.neighbours(from).any(|neighbour| neighbour == to) {
        return Ok([from, to]);
    }
    let name = |server: usize| config.servers[server].name.as_str();
    let known: Vec<&str> = config.neighbours(from).map(name).collect();
    let message = format!("{} and {} are not neighbours in {}", name(from), name(to), config.path.display());
    Err(Failure::new(Kind::UnknownName, message).hint(match known.is_empty() {
        true => format!("{} has no neighbours", name(from)),
        false => format!("{} talks with: {}", name(from), known.join(", ")),
    }))
}

/// The server of that name, in any case.
///
/// # Errors
///
/// [`Kind::UnknownName`] with a suggestion.
pub fn named(config: &Config, typed: &str) -> Result<usize, Failure> {
    config.server_named(typed).ok_or_else(|| {
        let (shown, path) = (printable(typed), config.path.display());
        let mut failure =
            Failure::new(Kind::UnknownName, format!("no server named \"{shown}\" in {path}")).hint(servers(config));
        let names = config.servers.iter().map(|server| server.name.as_str());
        failure.did_you_mean.extend(config::closest(typed, names).map(Into::into));
        failure
    })
}

fn servers(config: &Config) -> String {
    let names: Vec<_> = config.servers.iter().map(|server| server.name.as_str()).collect();
    format!("servers: {}", names.join(" "))
}
