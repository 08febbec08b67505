//! What the herd may ask a server about its table, beside what the vitals show: who knows what, and to forget a client.
//!
//! A question carries the way back for its answer, so that nothing is shared. A server that is paused or hangs
//! answers nothing; whoever asks has a deadline.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::warn;

use super::state::Server;
use crate::protocol::atlas::Atlas;
use crate::protocol::line::Report;

/// One question, and where its answer goes. Whoever asked may have gone: then the answer is dropped.
#[derive(Debug)]
pub enum Question {
    /// The names of the clients that moved last, at most so many.
    Newest { most: usize, to: oneshot::Sender<Vec<Vec<u8>>> },
    /// What is known of each of these clients, in their order.
    Whereis { clients: Arc<[Vec<u8>]>, to: oneshot::Sender<Vec<Option<Known>>> },
    /// Take this client's report out of the atlas; what it was.
    Forget { client: Vec<u8>, to: oneshot::Sender<Option<Known>> },
}

/// The newest report that a server has of a client. Ordered as the protocol orders reports: by time, then by bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// POSIX seconds and nanoseconds.
    at: (u64, u32),
    /// The `AT` line, without its LF.
    line: Vec<u8>,
}

impl Known {
    /// The server that heard it from the client.
    #[must_use]
    pub fn said_to(&self) -> String {
        self.field(1)
    }

    #[must_use]
    pub fn location(&self) -> String {
        self.field(4)
    }

    /// When the client was there, as it said it.
    #[must_use]
    pub fn time(&self) -> String {
        self.field(5)
    }

    /// A field of the line: words between single spaces, all of ASCII but the client's name.
    fn field(&self, nth: usize) -> String {
        let field = self.line.split(|&byte| byte == b' ').nth(nth).unwrap_or_default();
        String::from_utf8_lossy(field).into_owned()
    }
}

/// Answers at once, from the atlas.
pub(super) fn answer(server: &Server, question: Question) {
    match question {
        Question::Newest { most, to } => {
            let _ = to.send(newest(server.node.borrow().atlas(), most));
        }
        Question::Whereis { clients, to } => {
            let node = server.node.borrow();
            let _ = to.send(clients.iter().map(|client| known(node.atlas(), client)).collect());
        }
        Question::Forget { client, to } => {
            let forgotten = known(server.node.borrow().atlas(), &client);
            if server.forget(&client) {
                warn!("forgot client {} by order of the operator", client.escape_ascii());
            }
            let _ = to.send(forgotten);
        }
    }
}

fn known(atlas: &Atlas, client: &[u8]) -> Option<Known> {
    let (report, _) = atlas.newest(client)?;
    Some(Known { at: (report.at().seconds(), report.at().nanos()), line: report.line().to_vec() })
}

/// Looks back further and further, for the last changes may all be of one client.
fn newest(atlas: &Atlas, most: usize) -> Vec<Vec<u8>> {
    let mut back = most.max(1) as u64;
    loop {
        let start = atlas.edition().saturating_sub(back);
        let changes: Vec<_> = atlas.after(start).collect();
        if changes.len() >= most || start == 0 {
            let reports = changes.iter().rev().take(most).filter_map(|entry| Report::parse(entry.line));
            return reports.map(|report| report.client().to_vec()).collect();
        }
        back = back.saturating_mul(2);
    }
}
