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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Semaphore;

    use super::*;

    fn guest() -> (Guest<DuplexStream>, DuplexStream) {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (near, far) = duplex(64);
        (Guest::new(near, place), far)
    }

    /// Says a byte each time so much has passed; for how long it is listened to.
    async fn listened_to(every: Duration, answers: bool) -> Duration {
        let (mut guest, mut far) = guest();
        let begun = Instant::now();
        while begun.elapsed() < 10 * limits::CONTROL_SILENCE_MAX {
            far.write_all(b"x").await.unwrap();
            if guest.read_u8().await.is_err() {
                break;
            }
            if answers {
                guest.write_all(b"y").await.unwrap();
                far.read_u8().await.unwrap();
            }
            if tokio::time::timeout(every, guest.read_u8()).await.is_ok() {
                break;
            }
        }
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_or_never_comes_to_the_end_is_let_go() {
        let (mut guest, _far) = guest();
        let begun = Instant::now();
        assert!(guest.read_u8().await.is_err());
        assert_eq!(begun.elapsed().as_secs(), limits::CONTROL_SILENCE_MAX.as_secs());
        let drip = limits::CONTROL_SILENCE_MAX / 3;
        assert!(listened_to(drip, false).await <= limits::CONTROL_SILENCE_MAX + drip);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_answered_may_stay() {
        let talk = limits::CONTROL_SILENCE_MAX / 3;
        assert!(listened_to(talk, true).await >= 10 * limits::CONTROL_SILENCE_MAX);
    }
}
