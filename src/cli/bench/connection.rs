//! One connection of the load: commands out, answers in, each answer matched to its command by their order.
//! Nothing here waits; the loop in `load` does.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use memchr::{memchr, memmem};

use crate::limits;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Iamat,
    Whatsat,
}

/// A command that has not been answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub verb: Verb,
    /// When it should have been said, which is no later than when it was: whoever waits for a slow server in a queue
    /// of his own waits all the same.
    pub due: Instant,
}

pub struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    waiting: VecDeque<Asked>,
    /// When the next command is due, in an open loop.
    pub next_due: Instant,
}

impl Connection {
    /// # Errors
    ///
    /// Those of connecting.
    pub fn open(to: SocketAddr, limit: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (inbox, outbox, waiting) = (Vec::new(), Vec::new(), VecDeque::new());
        Ok(Self { stream, inbox, outbox, waiting, next_due: Instant::now() })
    }

    /// Commands that have not been answered.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Asked> {
        self.waiting.iter()
    }

    /// Where the next command is to be appended; [`asked`](Self::asked) says which it was.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    pub fn asked(&mut self, asked: Asked) {
        self.waiting.push_back(asked);
    }

    pub fn has_more_to_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Writes what the kernel takes.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn write(&mut self) -> io::Result<()> {
        let mut taken = 0;
        while taken < self.outbox.len() {
            match self.stream.write(&self.outbox[taken..]) {
                Ok(more) => taken += more,
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        self.outbox.drain(..taken);
        Ok(())
    }

    /// Reads what has come and gives every whole answer to `answered`.
    ///
    /// # Errors
    ///
    /// The connection is broken or closed, or an answer has no end.
    pub fn read(&mut self, scratch: &mut [u8], mut answered: impl FnMut(Asked, &[u8])) -> io::Result<()> {
        let read = match self.stream.read(scratch) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(why) => return Err(why),
        };
        self.inbox.extend_from_slice(&scratch[..read]);
        let mut start = 0;
        while let Some(&asked) = self.waiting.front()
            && let Some(length) = answer_length(asked.verb, &self.inbox[start..])
        {
            self.waiting.pop_front();
            answered(asked, &self.inbox[start..start + length]);
            start += length;
        }
        self.inbox.drain(..start);
        if self.inbox.len() > limits::BENCH_ANSWER_BYTES_MAX {
            return Err(io::Error::other("an answer has no end"));
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Whether an answer is `? …`.
pub fn is_refusal(answer: &[u8]) -> bool {
    answer.first() == Some(&b'?')
}

/// How long the first answer in `bytes` is, once it is whole.
fn answer_length(verb: Verb, bytes: &[u8]) -> Option<usize> {
    match verb {
        Verb::Whatsat if !is_refusal(bytes) => memmem::find(bytes, b"\n\n").map(|end| end + 2),
        Verb::Iamat | Verb::Whatsat => memchr(b'\n', bytes).map(|end| end + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_command_says() {
        let both = b"AT Clark +0.1 kiwi +1-1 1\n{\n\"results\":[]\n}\n\n";
        assert_eq!(answer_length(Verb::Iamat, both), Some(26));
        assert_eq!(answer_length(Verb::Whatsat, both), Some(both.len()));
        assert_eq!(answer_length(Verb::Whatsat, &both[..both.len() - 1]), None);
        assert_eq!(answer_length(Verb::Whatsat, b"? WHATSAT x 1 1\nAT"), Some(16));
        assert_eq!(answer_length(Verb::Iamat, b"AT Clark"), None);
    }
}
