//! The pace of a request's body: a client may send slowly, but it may not hold a request by sending nothing, or
//! next to nothing.
//!
//! Only time in which the server wanted bytes and none were there counts against the client: a slow disk of ours is
//! never its fault. Two limits end a body: one pause that is too long, and a mean rate that is too low once the
//! grace is used up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::limits::{BODY_GRACE, BODY_RATE, BODY_STALL};
use crate::metrics::Metrics;

/// How slowly a request's body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPace {
    /// The longest pause between two pieces.
    pub stall: Duration,
    /// Bytes per second on average, below which the waiting must end within the grace; at least 1.
    pub rate: u64,
    /// How long a body may be waited for altogether before the rate counts.
    pub grace: Duration,
}

impl Default for BodyPace {
    fn default() -> Self {
        Self { stall: BODY_STALL, rate: BODY_RATE, grace: BODY_GRACE }
    }
}

impl BodyPace {
    /// How long may be waited in all for a body of which `received` bytes are here.
    fn allowance(&self, received: u64) -> Duration {
        let seconds = received / self.rate.max(1);
        self.grace.saturating_add(Duration::from_secs(seconds))
    }
}

/// The client sends too slowly; the rest of the body is not waited for.
#[derive(Debug, thiserror::Error)]
#[error("the request's body came too slowly")]
pub(crate) struct TooSlow;

/// A request body that ends with [`TooSlow`] when the client passes a limit.
pub(crate) struct PacedBody<B> {
    body: B,
    pace: BodyPace,
    metrics: Arc<Metrics>,
    received: u64,
    /// The waiting that is over.
    waited: Duration,
    /// The waiting that goes on, since when, and the alarm that ends it; the alarm is kept for the next one.
    waiting: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> PacedBody<B> {
    pub(crate) fn new(body: B, pace: BodyPace, metrics: Arc<Metrics>) -> Self {
        Self { body, pace, metrics, received: 0, waited: Duration::ZERO, waiting: None, alarm: None }
    }

    fn piece_came(&mut self, bytes: u64) {
        self.received += bytes;
        if let Some(since) = self.waiting.take() {
            self.waited += since.elapsed();
        }
    }

    /// Resolves when the waiting has lasted too long.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = if let (Some(_), Some(alarm)) = (self.waiting, &mut self.alarm) {
            alarm
        } else {
            let now = Instant::now();
            let left = self.pace.allowance(self.received).saturating_sub(self.waited);
            let deadline = now + self.pace.stall.min(left);
            self.waiting = Some(now);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            alarm.as_mut().reset(deadline);
            alarm
        };
        alarm.as_mut().poll(cx)
    }
}

impl<B> http_body::Body for PacedBody<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(piece) => {
                let bytes = piece.as_ref().and_then(|piece| piece.as_ref().ok()?.data_ref());
                self.piece_came(bytes.map_or(0, |bytes| bytes.len() as u64));
                Poll::Ready(piece.map(|piece| piece.map_err(Into::into)))
            }
            Poll::Pending => {
                std::task::ready!(self.poll_alarm(cx));
                self.metrics.cut_connection("slow_body");
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    const PACE: BodyPace =
        BodyPace { stall: Duration::from_secs(10), rate: 100, grace: Duration::from_secs(30) };

    /// `pieces` of `size` bytes, each after a pause.
    async fn outcome(pieces: u32, size: usize, pause: Duration) -> Result<usize, ()> {
        let body = stream::unfold(0, move |sent| async move {
            tokio::time::sleep(pause).await;
            (sent < pieces).then(|| (Ok::<_, axum::Error>(Bytes::from(vec![b'x'; size])), sent + 1))
        });
        let body = PacedBody::new(Body::from_stream(body), PACE, Arc::default());
        body.collect().await.map(|body| body.to_bytes().len()).map_err(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_body_may_take_for_ever() {
        assert_eq!(outcome(500, 1_000, Duration::from_secs(9)).await, Ok(500_000));
    }

    #[tokio::test(start_paused = true)]
    async fn one_long_pause_ends_it() {
        assert_eq!(outcome(1, 1_000_000, Duration::from_secs(11)).await, Err(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_is_ended_though_it_never_pauses_for_long() {
        let begun = Instant::now();
        assert_eq!(outcome(1_000, 1, Duration::from_secs(2)).await, Err(()));
        assert!(begun.elapsed() <= Duration::from_secs(32), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_slow_itself_blames_nobody() {
        let body = Body::from_stream(stream::iter((0..100).map(|_| Ok::<_, axum::Error>(Bytes::from("x")))));
        let mut body = PacedBody::new(body, PACE, Arc::default());
        let mut pieces = 0;
        while let Some(piece) = body.frame().await {
            piece.unwrap();
            pieces += 1;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(pieces, 100);
    }
}
