//! Which servers an order means. All names are looked up before anything is done; case does not matter.

use super::api::{Failure, Kind, Order};
use crate::config::Config;

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

fn named(config: &Config, typed: &str) -> Result<usize, Failure> {
    config.servers.iter().position(|server| server.name.eq_ignore_ascii_case(typed)).ok_or_else(|| {
        let shown = super::panics::printable(typed);
        let path = config.path.display();
        let mut failure =
            Failure::new(Kind::UnknownName, format!("no server named \"{shown}\" in {path}")).hint(servers(config));
        failure.did_you_mean.extend(closest(config, typed));
        failure
    })
}

fn servers(config: &Config) -> String {
    let names: Vec<_> = config.servers.iter().map(|server| server.name.as_str()).collect();
    format!("servers: {}", names.join(" "))
}

/// The name that was probably meant.
fn closest(config: &Config, typed: &str) -> Option<String> {
    const ALIKE_MIN: f64 = 0.7;
    let typed = typed.to_lowercase();
    config
        .servers
        .iter()
        .map(|server| (strsim::jaro_winkler(&typed, &server.name.to_lowercase()), &server.name))
        .filter(|(alike, _)| *alike > ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}
