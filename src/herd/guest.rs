//! A connection to the supervisor: it has a place, and it ends when it has been silent for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use crate::limits;

/// A connection with its place, closed when it has been silent for too long.
pub struct Guest<S> {
    stream: S,
    silence: Pin<Box<Sleep>>,
    /// Something was heard that has not been answered. What then comes in drops earns no more time.
    owes: bool,
    _place: OwnedSemaphorePermit,
}

impl<S> Guest<S> {
    pub fn new(stream: S, place: OwnedSemaphorePermit) -> Self {
        Self { stream, silence: Box::pin(sleep(limits::CONTROL_SILENCE_MAX)), owes: false, _place: place }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            if !std::mem::replace(&mut self.owes, true) {
                self.silence.as_mut().reset(Instant::now() + limits::CONTROL_SILENCE_MAX);
            }
            return Poll::Ready(read);
        }
        self.silence.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        // Who takes what it is told need not say anything.
        if let Poll::Ready(Ok(_)) = written {
            self.owes = false;
            self.silence.as_mut().reset(Instant::now() + limits::CONTROL_SILENCE_MAX);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
