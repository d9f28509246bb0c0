//! Bodies that have not come whole: they have limits of their own, so that slow ones take no place of work.
//!
//! Where there is no room for another, the connection that has most of them loses its longest: so who has but one, or
//! few, is kept out by nobody who has many, whatever they send. Where all have as few, the one that has been coming for
//! longest ends: a place is worth little to who sends a byte now and then.

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

use super::life::{Life, SPARED};
use crate::engine::admission::{BODIES_OF_CONNECTION, Limit};

/// All bodies that have not come whole.
pub(crate) struct Receiving {
    most: usize,
    bodies: Mutex<Bodies>,
}

/// In the order in which they began.
#[derive(Default)]
struct Bodies {
    coming: BTreeMap<u64, Coming>,
    next: u64,
}

struct Coming {
    since: Instant,
    life: Option<Arc<Life>>,
    end: oneshot::Sender<Cut>,
}

/// A body that is read from a client, and has a place until it is whole.
struct Received {
    body: Body,
    /// Its place, and where it is told to end; `None` once it is whole.
    place: Option<(Place, oneshot::Receiver<Cut>)>,
}

struct Place {
    receiving: Arc<Receiving>,
    number: u64,
}

/// Why a body that was coming was not read on: another took its place.
#[derive(Clone, Copy, Debug, Error)]
#[error("the body took too long while others waited")]
pub(crate) struct Cut {
    /// How long it had been coming.
    pub(crate) after: Duration,
}

impl Receiving {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, bodies: Mutex::default() })
    }

    /// How many there are.
    pub(crate) fn bodies(&self) -> usize {
        self.lock().coming.len()
    }

    /// Lets a body come; tells what another was ended for, if one was. `None` where there is no room, and all others have
    /// only just begun.
    pub(crate) fn begin(
        self: &Arc<Self>,
        body: Body,
        life: Option<Arc<Life>>,
    ) -> Option<(Body, Option<Limit>)> {
        let mut bodies = self.lock();
        let of_one = life.as_ref().map_or(0, |life| life.bodies.load(Ordering::Relaxed));
        let mut ended = None;
        // Of a connection's own, as many may come at once as come at once: no more than it has streams.
        if BODIES_OF_CONNECTION <= of_one && bodies.end_longest(life.as_ref()) {
            ended = Some(Limit::Connection);
        }
        if self.most <= bodies.coming.len() {
            if !bodies.end_of_heaviest(of_one) && !bodies.end_longest(None) {
                return None;
            }
            ended = Some(Limit::Receiving);
        }
        if let Some(life) = &life {
            life.bodies.fetch_add(1, Ordering::Relaxed);
        }
        let number = bodies.next;
        bodies.next += 1;
        let (end, told) = oneshot::channel();
        bodies.coming.insert(number, Coming { since: Instant::now(), life, end });
        drop(bodies);
        let place = Place { receiving: self.clone(), number };
        Some((Body::new(Received { body, place: Some((place, told)) }), ended))
    }

    /// Ends the one that has been coming for longest; false where all have only just begun.
    pub(crate) fn end_longest(&self) -> bool {
        self.lock().end_longest(None)
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bodies {
    /// Ends the longest of the connection that has most, where that is more than another would have with one more.
    fn end_of_heaviest(&mut self, others: usize) -> bool {
        let load = |coming: &Coming| {
            coming.life.as_ref().map_or(1, |life| life.bodies.load(Ordering::Relaxed))
        };
        // The first of the largest, in the order in which they began.
        let heaviest = self.coming.iter().rev().max_by_key(|(_, coming)| load(coming));
        match heaviest.map(|(number, coming)| (*number, load(coming))) {
            Some((number, load)) if others + 1 < load => self.end(number),
            _ => false,
        }
    }

    /// Ends the one of them all, or of one connection, that has been coming for longest.
    fn end_longest(&mut self, of: Option<&Arc<Life>>) -> bool {
        let is_of = |coming: &Coming| match (of, &coming.life) {
            (None, _) => true,
            (Some(of), Some(life)) => Arc::ptr_eq(of, life),
            (Some(_), None) => false,
        };
        let longest = self.coming.iter().find(|(_, coming)| is_of(coming));
        let longest = longest.filter(|(_, coming)| SPARED <= coming.since.elapsed());
        longest.map(|(number, _)| *number).is_some_and(|number| self.end(number))
    }

    fn end(&mut self, number: u64) -> bool {
        let Some(coming) = self.coming.remove(&number) else { return false };
        coming.leave();
        let _ = coming.end.send(Cut { after: coming.since.elapsed() });
        true
    }
}

impl Coming {
    fn leave(&self) {
        if let Some(life) = &self.life {
            life.bodies.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(coming) = self.receiving.lock().coming.remove(&self.number) {
            coming.leave();
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some((_, told)) = &mut self.place
            && let Poll::Ready(cut) = Pin::new(told).poll(context)
        {
            self.place = None;
            if let Ok(cut) = cut {
                return Poll::Ready(Some(Err(cut.into())));
            }
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.place = None;
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
    use crate::http::connection::life::Traffic;

    fn endless() -> Body {
        Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>())
    }

    async fn is_cut(body: &mut Body) -> bool {
        let Some(Err(err)) = body.frame().await else { return false };
        err.into_inner().is::<Cut>()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_been_coming_for_longest_makes_room() {
        let receiving = Receiving::new(2);
        let (mut first, _) = receiving.begin(endless(), None).expect("room");
        let (_second, _) = receiving.begin(endless(), None).expect("room");
        assert!(receiving.begin(endless(), None).is_none(), "both have only just begun");
        advance(SPARED).await;

        let (_third, ended) = receiving.begin(endless(), None).expect("room");

        assert_eq!((ended, receiving.bodies()), (Some(Limit::Receiving), 2));
        assert!(is_cut(&mut first).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_so_many_and_its_own_make_room() {
        let receiving = Receiving::new(1000);
        let [ours, other] = [(); 2].map(|()| Life::new(Arc::new(Traffic::default())));
        let (_theirs, _) = receiving.begin(endless(), Some(other)).expect("room");
        let begin = || receiving.begin(endless(), Some(ours.clone())).expect("room");
        let mut bodies: Vec<_> = (0..BODIES_OF_CONNECTION + 8).map(|_| begin()).collect();
        assert!(bodies.iter().all(|(_, ended)| ended.is_none()), "they come at once");
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
    async fn who_has_many_makes_room_for_who_has_few() {
        let receiving = Receiving::new(5);
        let [many, few] = [(); 2].map(|()| Life::new(Arc::new(Traffic::default())));
        let begin = |life: &Arc<Life>| receiving.begin(endless(), Some(life.clone()));
        let (_few, _) = begin(&few).expect("room");
        let mut bodies: Vec<_> = (0..4).map(|_| begin(&many).expect("room").0).collect();
        assert!(begin(&many).is_none(), "it has most itself, and all have only just begun");

        let (_second, ended) = begin(&few).expect("room");

        assert_eq!(ended, Some(Limit::Receiving));
        assert!(is_cut(&mut bodies[0]).await);
        assert!(begin(&few).is_none(), "they would only change places");
    }

    #[tokio::test]
    async fn a_body_that_is_whole_has_no_place() {
        let receiving = Receiving::new(1);
        let (mut body, _) = receiving.begin(Body::from("x"), None).expect("room");
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        assert_eq!(receiving.bodies(), 0);
    }
}
