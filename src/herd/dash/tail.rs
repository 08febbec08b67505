//! The end of a log, for the page.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::super::api::{Failure, Kind};
use super::super::panics::printable;
use crate::config::Config;
use crate::limits::DASH_LOG_BYTES_MAX;

/// The supervisor's own log goes by this name.
const HERD: &str = "herd";

/// What `GET /v1/log` may be asked.
#[derive(Debug, Deserialize)]
pub struct LogQuery {
    /// A server as `herd.toml` spells it, or `herd`.
    server: String,
}

/// The last records of one log, as they stand in the file.
#[expect(
    clippy::disallowed_methods,
    reason = "awaited here, and of no server: the supervisor must not wait for a disk"
)]
pub async fn log(config: Arc<Config>, query: Result<Query<LogQuery>, QueryRejection>) -> Result<Response, Failure> {
    let Query(LogQuery { server }) = query.map_err(|why| Failure::new(Kind::Usage, printable(&why.body_text())))?;
    // Only names of servers become parts of a path.
    if server != HERD && !config.servers.iter().any(|known| known.name == server) {
        return Err(Failure::new(Kind::UnknownName, format!("no server named \"{}\"", printable(&server))));
    }
    let path = config.log.directory.join(format!("{server}.log"));
    let read = tokio::task::spawn_blocking(move || end_of(&path)).await;
    let text = read.unwrap_or_else(|bug| Err(io::Error::other(bug)));
    let text = text.map_err(|why| Failure::new(Kind::Failed, format!("cannot read the log of {server}: {why}")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The last whole lines of a file.
fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(DASH_LOG_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(DASH_LOG_BYTES_MAX).read_to_end(&mut text)?;
    let cut = text.iter().position(|&byte| byte == b'\n').filter(|_| start > 0);
    text.drain(..cut.map_or(0, |end| end + 1));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of_text(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        String::from_utf8(end_of(file.path()).unwrap()).unwrap()
    }

    #[test]
    fn a_short_log_is_shown_whole_and_a_long_one_from_a_whole_line_on() {
        assert_eq!(end_of_text("one\ntwo\n"), "one\ntwo\n");
        let long = "a line of a log\n".repeat(10_000);
        let end = end_of_text(&long);
        assert!(end.starts_with("a line") && long.ends_with(&end));
        assert!((DASH_LOG_BYTES_MAX - 16..=DASH_LOG_BYTES_MAX).contains(&(end.len() as u64)));
    }
}
