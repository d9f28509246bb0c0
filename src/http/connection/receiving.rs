//! Request bodies that are still arriving. Slow bodies have their own limit, and so take no slot of requests in
//! progress.
//!
//! If no slot is free, the connection with the most arriving bodies loses the oldest of them. So a client with one or a
//! few bodies is not locked out by a client with many. If all connections have equally few, the oldest body of all
//! ends: a client that sends a byte now and then must not keep its slot forever.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::state::{ConnectionState, SPARED};
use crate::engine::admission::{BODIES_OF_CONNECTION, Limit};

/// All bodies that are still arriving.
pub(crate) struct Receiving {
    most: usize,
    bodies: Mutex<Bodies>,
}

/// The bodies, in the order in which they began.
#[derive(Default)]
struct Bodies {
    arriving: BTreeMap<u64, Arriving>,
    next: u64,
}

struct Arriving {
    since: Instant,
    state: Option<Arc<ConnectionState>>,
    end: oneshot::Sender<Cut>,
}

/// A body that holds a slot until it is complete.
struct LimitedBody {
    body: Body,
    /// The slot, and the signal that ends the body; `None` once it is complete.
    slot: Option<(Slot, oneshot::Receiver<Cut>)>,
}

struct Slot {
    receiving: Arc<Receiving>,
    number: u64,
}

/// The error of a body that was ended because another needed its slot.
#[derive(Clone, Copy, Debug, Error)]
#[error("the body arrived too slowly while others waited")]
pub(crate) struct Cut {
    /// How long it had been arriving.
    pub(crate) after: Duration,
}

impl Receiving {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, bodies: Mutex::default() })
    }

    /// How many bodies are arriving.
    pub(crate) fn bodies(&self) -> usize {
        self.lock().arriving.len()
    }

    /// Gives a body a slot. Also returns the limit for which another body was ended, if one was. Returns `None` if no
    /// slot is free and all other bodies began only moments ago.
    pub(crate) fn begin(
        self: &Arc<Self>,
        body: Body,
        state: Option<Arc<ConnectionState>>,
    ) -> Option<(Body, Option<Limit>)> {
        let mut bodies = self.lock();
        let of_one = state.as_ref().map_or(0, |state| state.bodies.load(Ordering::Relaxed));
        let mut ended = None;
        // A connection may begin as many bodies at once as it has streams, so new ones are not ended.
        if BODIES_OF_CONNECTION <= of_one && bodies.end_longest(state.as_ref()) {
            ended = Some(Limit::Connection);
        }
        if self.most <= bodies.arriving.len() {
            if !bodies.end_of_heaviest(of_one) && !bodies.end_longest(None) {
                return None;
            }
            ended = Some(Limit::Receiving);
        }
        if let Some(state) = &state {
            state.bodies.fetch_add(1, Ordering::Relaxed);
        }
        let number = bodies.next;
        bodies.next += 1;
        let (end, end_signal) = oneshot::channel();
        bodies.arriving.insert(number, Arriving { since: Instant::now(), state, end });
        drop(bodies);
        let slot = Slot { receiving: self.clone(), number };
        Some((Body::new(LimitedBody { body, slot: Some((slot, end_signal)) }), ended))
    }

    /// Ends the oldest body. Returns false if all bodies began only moments ago.
    pub(crate) fn end_longest(&self) -> bool {
        self.lock().end_longest(None)
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bodies {
    /// Ends the oldest body of the connection with the most bodies, if it has more than the newcomer would have.
    fn end_of_heaviest(&mut self, others: usize) -> bool {
        let load = |arriving: &Arriving| {
            arriving.state.as_ref().map_or(1, |state| state.bodies.load(Ordering::Relaxed))
        };
        // Reversed, so that the oldest body of the heaviest connection is found.
        let heaviest = self.arriving.iter().rev().max_by_key(|(_, arriving)| load(arriving));
        match heaviest.map(|(number, arriving)| (*number, load(arriving))) {
            Some((number, load)) if others + 1 < load => self.end(number),
            _ => false,
        }
    }

    /// Ends the oldest body, of all connections or of one.
    fn end_longest(&mut self, of: Option<&Arc<ConnectionState>>) -> bool {
        let is_of = |arriving: &Arriving| match (of, &arriving.state) {
            (None, _) => true,
            (Some(of), Some(state)) => Arc::ptr_eq(of, state),
            (Some(_), None) => false,
        };
        let longest = self.arriving.iter().find(|(_, arriving)| is_of(arriving));
        let longest = longest.filter(|(_, arriving)| SPARED <= arriving.since.elapsed());
        longest.map(|(number, _)| *number).is_some_and(|number| self.end(number))
    }

    fn end(&mut self, number: u64) -> bool {
        let Some(arriving) = self.arriving.remove(&number) else { return false };
        arriving.leave();
        let _ = arriving.end.send(Cut { after: arriving.since.elapsed() });
        true
    }
}

impl Arriving {
    fn leave(&self) {
        if let Some(state) = &self.state {
            state.bodies.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(arriving) = self.receiving.lock().arriving.remove(&self.number) {
            arriving.leave();
        }
    }
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some((_, end_signal)) = &mut self.slot
            && let Poll::Ready(cut) = Pin::new(end_signal).poll(context)
        {
            self.slot = None;
            if let Ok(cut) = cut {
                return Poll::Ready(Some(Err(cut.into())));
            }
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.slot = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
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
    use http_body_util::BodyExt;
    use tokio::time::advance;

    use super::*;
    use crate::http::connection::state::Traffic;

    fn endless() -> Body {
        Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>())
    }

    async fn is_cut(body: &mut Body) -> bool {
        let Some(Err(err)) = body.frame().await else { return false };
        err.into_inner().is::<Cut>()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_body_makes_room() {
        let receiving = Receiving::new(2);
        let (mut first, _) = receiving.begin(endless(), None).expect("a free slot");
        let (_second, _) = receiving.begin(endless(), None).expect("a free slot");
        assert!(receiving.begin(endless(), None).is_none(), "both have only just begun");
        advance(SPARED).await;

        let (_third, ended) = receiving.begin(endless(), None).expect("a free slot");

        assert_eq!((ended, receiving.bodies()), (Some(Limit::Receiving), 2));
        assert!(is_cut(&mut first).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_beyond_its_limit_loses_its_own_oldest_body() {
        let receiving = Receiving::new(1000);
        let [ours, other] =
            [(); 2].map(|()| ConnectionState::new(Arc::new(Traffic::default()), None));
        let (_theirs, _) = receiving.begin(endless(), Some(other)).expect("a free slot");
        let begin = || receiving.begin(endless(), Some(ours.clone())).expect("a free slot");
        let mut bodies: Vec<_> = (0..BODIES_OF_CONNECTION + 8).map(|_| begin()).collect();
        assert!(bodies.iter().all(|(_, ended)| ended.is_none()), "all began at once");
        advance(SPARED).await;

        let (_last, ended) = begin();

        assert_eq!(
            (ended, receiving.bodies()),
            (Some(Limit::Connection), BODIES_OF_CONNECTION + 9)
        );
        assert!(is_cut(&mut bodies[0].0).await);
        drop(bodies);
        assert_eq!((receiving.bodies(), ours.bodies.load(Ordering::Relaxed)), (2, 1));
    }

    #[tokio::test]
    async fn a_connection_with_many_bodies_makes_room_for_one_with_few() {
        let receiving = Receiving::new(5);
        let [many, few] =
            [(); 2].map(|()| ConnectionState::new(Arc::new(Traffic::default()), None));
        let begin = |state: &Arc<ConnectionState>| receiving.begin(endless(), Some(state.clone()));
        let (_few, _) = begin(&few).expect("a free slot");
        let mut bodies: Vec<_> = (0..4).map(|_| begin(&many).expect("a free slot").0).collect();
        assert!(begin(&many).is_none(), "it has the most itself, and all have only just begun");

        let (_second, ended) = begin(&few).expect("a free slot");

        assert_eq!(ended, Some(Limit::Receiving));
        assert!(is_cut(&mut bodies[0]).await);
        assert!(begin(&few).is_none(), "ending one would only swap their roles");
    }

    #[tokio::test]
    async fn a_complete_body_has_no_slot() {
        let receiving = Receiving::new(1);
        let (mut body, _) = receiving.begin(Body::from("x"), None).expect("a free slot");
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        assert_eq!(receiving.bodies(), 0);
    }
}
