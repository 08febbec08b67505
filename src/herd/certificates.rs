//! That the servers that shall run here have certificates their neighbours will take: found out before any runs.

use super::api::{Failure, Kind};
use crate::config::Config;
use crate::tls::Tls;

/// Loads the files of these servers, or of all if there is none among them; each server loads its own once more.
///
/// # Errors
///
/// [`Kind::BadConfig`]: the first that cannot be used.
pub fn prove(config: &Config, servers: &[usize]) -> Result<(), Failure> {
    let Some(files) = &config.tls else { return Ok(()) };
    let is_meant = |index: &usize| servers.is_empty() || servers.contains(index);
    for index in (0..config.servers.len()).filter(is_meant) {
        Tls::load(files, &config.servers[index].name).map_err(|flaw| {
            let failure = Failure::new(Kind::BadConfig, format!("[tls] {flaw}"));
            match flaw.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
    }
    Ok(())
}
