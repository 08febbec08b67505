//! A subscription as the body of an HTTP answer: what has been, then what happens, as it happens.
//!
//! With nothing to say for a while it says an empty line, so that both ends find out when the other has gone.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::chronicle::Subscription;
use crate::limits;

/// Ends when the herd goes.
pub struct Ticker {
    events: Subscription,
    silence: Pin<Box<Sleep>>,
}

impl Ticker {
    pub fn new(events: Subscription) -> Self {
        Self { events, silence: Box::pin(sleep(limits::EVENTS_SILENCE_MAX)) }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(piece) = self.events.before.pop_front() {
            return Poll::Ready(Some(piece));
        }
        if let Poll::Ready(piece) = self.events.live.poll_recv(cx) {
            return Poll::Ready(piece);
        }
        self.silence.as_mut().poll(cx).map(|()| Some(Bytes::from_static(b"\n")))
    }
}

impl HttpBody for Ticker {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_piece(cx).map(|piece| {
            self.silence.as_mut().reset(Instant::now() + limits::EVENTS_SILENCE_MAX);
            piece.map(|piece| Ok(Frame::data(piece)))
        })
    }
}
