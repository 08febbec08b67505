//! A long answer of the control channel, line by line, for as long as the herd and the reader want.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use memchr::memrchr;
use tokio::time::timeout;

use super::confluence::Confluence;
use super::{Call, Client, Trouble};
use crate::herd::api::{EventsQuery, Failure, LogsQuery, PROTOCOL};
use crate::limits;

/// The run and the number of the last event that was read, of each process; of a herd that is one, of none.
pub type Marks = HashMap<Option<String>, (String, u64)>;

/// Lines as they come.
pub enum Lines<'a> {
    OfOne(Answer<'a>),
    OfProcesses(Confluence<'a>),
}

/// The lines of one answer.
pub struct Answer<'a> {
    client: &'a Client,
    answer: reqwest::Response,
    /// The start of a line whose end has not come.
    rest: Vec<u8>,
    said_at: Instant,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Whole lines, each with its LF.
    Lines(Vec<u8>),
    /// Nothing, in the time that was given.
    Nothing,
    /// The herd has gone, or has ended the answer.
    End,
}

impl Client {
    /// What happens in the herd: `herd.event/1`, a line each.
    ///
    /// # Errors
    ///
    /// As [`ps`](Client::ps), and what the herd says of the query.
    pub fn events(&self, query: &EventsQuery) -> Result<Lines<'_>, Failure> {
        self.events_after(&Marks::default(), query)
    }

    /// The same, of each process after its mark, if it has one.
    ///
    /// # Errors
    ///
    /// As [`events`](Client::events).
    pub fn events_after(&self, marks: &Marks, query: &EventsQuery) -> Result<Lines<'_>, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.events(&self.runtime, marks, query).map(Lines::OfProcesses);
        }
        let mut query = query.clone();
        if let Some((run, seq)) = marks.get(&None) {
            (query.run, query.since) = (Some(run.clone()), Some(seq.to_string()));
        }
        self.lines(&format!("/v1/events?{}", spelled(&query))).map(Lines::OfOne)
    }

    /// What a process has logged and logs, as [`LogsQuery`] says.
    ///
    /// # Errors
    ///
    /// As [`events`](Client::events).
    pub fn logs(&self, query: &LogsQuery) -> Result<Lines<'_>, Failure> {
        let mut parts = vec![format!("follow={}", query.follow), format!("heartbeats={}", query.heartbeats)];
        parts.extend(query.since.as_ref().map(|since| format!("since={}", percent(since))));
        parts.extend(query.lines.map(|lines| format!("lines={lines}")));
        self.lines(&format!("/v1/logs?{}", parts.join("&"))).map(Lines::OfOne)
    }

    fn lines(&self, path: &str) -> Result<Answer<'_>, Failure> {
        self.is_one_process()?;
        self.refuse_foreign()?;
        let call = Call::get(path);
        let opening = async {
            let answer = self.request(&call).send().await.map_err(Trouble::Http)?;
            if answer.status().is_success() { Ok(Ok(answer)) } else { Self::read(answer).await.map(Err) }
        };
        let opened = self.runtime.block_on(async { timeout(self.deadline, opening).await });
        let opened = opened.map_err(|_| self.no_answer(self.deadline))?.map_err(|trouble| self.explain(&trouble))?;
        let answer = match opened {
            Ok(answer) => answer,
            Err(refusal) => return Err(self.refusal(&refusal)),
        };
        let protocol = answer.headers().get("herd-protocol").and_then(|text| text.to_str().ok()?.parse().ok());
        if protocol != Some(PROTOCOL) {
            return Err(self.garbage("its answer is not of our protocol"));
        }
        Ok(Answer { client: self, answer, rest: Vec::new(), said_at: Instant::now() })
    }
}

impl Lines<'_> {
    /// Waits for lines, at most so long; for ever without a limit, or rather until the herd must be called hung.
    ///
    /// # Errors
    ///
    /// `timeout`: the supervisor has said nothing for far too long. `failed`: what came is no line.
    pub fn next(&mut self, patience: Option<Duration>) -> Result<Piece, Failure> {
        match self {
            Self::OfOne(answer) => answer.next(patience),
            Self::OfProcesses(merged) => Ok(merged.next(patience)),
        }
    }
}

impl Answer<'_> {
    fn next(&mut self, patience: Option<Duration>) -> Result<Piece, Failure> {
        let hung_at = self.said_at + 3 * limits::EVENTS_SILENCE_MAX;
        let until = patience.map_or(hung_at, |patience| hung_at.min(Instant::now() + patience));
        loop {
            let chunk = self
                .client
                .runtime
                .block_on(async { tokio::time::timeout_at(until.into(), self.answer.chunk()).await });
            match chunk {
                Err(_) if Instant::now() >= hung_at => return Err(self.client.no_answer(self.said_at.elapsed())),
                Err(_) => return Ok(Piece::Nothing),
                // However it ended, there is no more: a killed supervisor says no goodbye.
                Ok(Ok(None) | Err(_)) => return Ok(Piece::End),
                Ok(Ok(Some(chunk))) => {
                    self.said_at = Instant::now();
                    self.rest.extend_from_slice(&chunk);
                }
            }
            if let Some(end) = memrchr(b'\n', &self.rest) {
                let rest = self.rest.split_off(end + 1);
                return Ok(Piece::Lines(std::mem::replace(&mut self.rest, rest)));
            }
            if self.rest.len() > super::DOCUMENT_BYTES_MAX {
                return Err(self.client.garbage("its line has no end"));
            }
        }
    }
}

/// A query as it stands in a URL.
fn spelled(query: &EventsQuery) -> String {
    let mut parts = vec![format!("flood={}", query.flood), format!("kinds={}", percent(&query.kinds))];
    parts.extend(query.since.as_ref().map(|since| format!("since={}", percent(since))));
    parts.extend(query.client.as_ref().map(|client| format!("client={}", percent(client))));
    parts.extend(query.run.as_ref().map(|run| format!("run={}", percent(run))));
    parts.join("&")
}

/// `text` with all but letters, digits and `-._,` as `%NN`.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._,".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_the_url() {
        let query = EventsQuery {
            since: Some("2026-11-22T15:04:05+02:00".into()),
            run: None,
            kinds: "link,a&b".into(),
            flood: true,
            client: Some("k wi".into()),
        };
        assert_eq!(
            spelled(&query),
            "flood=true&kinds=link,a%26b&since=2026-11-22T15%3A04%3A05%2B02%3A00&client=k%20wi"
        );
    }
}
