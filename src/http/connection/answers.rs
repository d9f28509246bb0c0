//! Answers until their clients have taken them: what waits to be written is held, and so it has limits.
//!
//! An answer's bytes count from when it is made until the transport has them, wherever they are buffered meanwhile: each
//! piece of it bears its share of the room. What is taken is seen by the piece, so that neither pings nor other answers
//! of a connection pass for it.
//!
//! Half of the room is for connections that have nothing to take, each for one answer: so those who take nothing leave
//! some for who does, however many answers each of them asks for. Where a quarter is taken, connections that have taken
//! nothing for longest are ended.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout};

use super::life::{Life, SPARED};
use crate::engine::admission::{ANSWERS_OF_CONNECTION, Gate, Held};
use crate::http::metrics::Ended;

/// What is written at once, in bytes: as much as a frame of HTTP/2 has.
const PIECE: usize = 16 << 10;

/// How long an answer waits for room, while connections that take nothing are ended for it: longer than those are spared.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked for such connections.
const LOOK: Duration = Duration::from_millis(100);

/// All answers that are not taken.
pub(crate) struct Answers {
    room: Gate,
    next: AtomicU64,
    debtors: Mutex<Debtors>,
}

/// The connections that have something to take.
#[derive(Default)]
struct Debtors {
    /// By their place in memory, with the number of their answers.
    lives: HashMap<usize, (Arc<Life>, usize)>,
    looked: Option<Instant>,
}

/// An answer, until all of its pieces are taken or are for nobody any more.
struct Answer {
    answers: Arc<Answers>,
    life: Option<Arc<Life>>,
    number: u64,
}

/// What is left of an answer's body; it comes in pieces.
struct Rest {
    bytes: Bytes,
    room: Held,
    answer: Arc<Answer>,
}

/// Some of an answer. Its room is free again when whoever writes it lets go of it.
struct Piece {
    bytes: Bytes,
    answer: Arc<Answer>,
    _room: Held,
}

impl Answers {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Gate::of_bytes(bytes),
            next: AtomicU64::new(0),
            debtors: Mutex::default(),
        })
    }

    /// How many bytes wait to be taken, in whole units.
    pub(crate) fn bytes(&self) -> usize {
        self.room.taken()
    }

    /// What connections that have something to take already may have more of.
    fn shared(&self) -> usize {
        (self.room.most() / 2).saturating_sub(self.room.taken())
    }

    /// Whether a connection owes so much that it is to take some of it first.
    pub(crate) fn owes_too_much(&self, owed: usize) -> bool {
        0 < owed && ANSWERS_OF_CONNECTION.min(self.shared()) <= owed
    }

    /// Room for so many bytes. A connection that owes nothing waits for it where there is none, with one answer at a time.
    /// What is larger than all of it is let in alone.
    pub(crate) async fn admit(&self, bytes: usize, life: Option<&Life>) -> Option<Held> {
        self.relieve();
        let owed = life.map_or(0, Life::untaken_bytes);
        if 0 < owed && self.shared() < owed + bytes {
            return None;
        }
        if let Some(room) = self.room.try_enter(bytes) {
            return Some(room);
        }
        let _turn = match life {
            Some(_) if 0 < owed => return None,
            Some(life) => Some(life.wait_turn()?),
            None => None,
        };
        let until = Instant::now() + PATIENCE;
        loop {
            match timeout(LOOK, self.room.enter(bytes)).await {
                Ok(room) => return Some(room),
                Err(_) if until < Instant::now() => return None,
                Err(_) => self.relieve(),
            }
        }
    }

    /// Where more than a quarter is taken, ends connections that have taken nothing for longest, for an eighth.
    pub(crate) fn relieve(&self) {
        if self.room.taken() <= self.room.most() / 4 {
            return;
        }
        // Who finds it locked need not look as well.
        let Ok(mut debtors) = self.debtors.try_lock() else { return };
        let now = Instant::now();
        if debtors.looked.is_some_and(|looked| now < looked + LOOK) {
            return;
        }
        debtors.looked = Some(now);
        let stalled = debtors.lives.values().filter_map(|(life, _)| {
            let since = life.stalled_since()?;
            (SPARED <= now.saturating_duration_since(since)).then_some((since, life))
        });
        let mut stalled: Vec<_> = stalled.collect();
        stalled.sort_unstable_by_key(|(since, _)| *since);
        let mut freed = 0;
        for (_, life) in stalled {
            if self.room.most() / 8 <= freed {
                return;
            }
            freed += life.untaken_bytes();
            life.end(Ended::AnswersFull);
        }
    }

    fn debtors(&self) -> MutexGuard<'_, Debtors> {
        self.debtors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No room at all: what a refusal is let out with, whatever there is.
    pub(crate) fn no_room(&self) -> Held {
        self.room.try_enter(0).expect("nothing can be had")
    }

    /// The body of an answer, counted until it is taken.
    pub(crate) fn count(
        self: &Arc<Self>,
        bytes: Bytes,
        room: Held,
        life: Option<Arc<Life>>,
    ) -> Body {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(life) = &life {
            life.owes(number, bytes.len());
            let mut debtors = self.debtors();
            debtors.lives.entry(place(life)).or_insert_with(|| (life.clone(), 0)).1 += 1;
        }
        let answer = Arc::new(Answer { answers: self.clone(), life, number });
        Body::new(Rest { bytes, room, answer })
    }
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.bytes.len().min(PIECE);
        let bytes = self.bytes.split_to(length);
        let room =
            if self.bytes.is_empty() { self.room.take() } else { self.room.split_bytes(length) };
        let piece = Piece { bytes, answer: self.answer.clone(), _room: room };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(life) = &self.answer.life {
            life.took(self.answer.number, self.bytes.len(), false);
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(life) = self.answer.life.as_ref().filter(|_| !self.bytes.is_empty()) {
            life.took(self.answer.number, self.bytes.len(), false);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(life) = &self.life {
            life.took(self.number, 0, true);
            if let Entry::Occupied(mut debtor) = self.answers.debtors().lives.entry(place(life)) {
                debtor.get_mut().1 -= 1;
                if debtor.get().1 == 0 {
                    debtor.remove();
                }
            }
        }
    }
}

/// What tells connections apart as long as they live.
fn place(life: &Arc<Life>) -> usize {
    Arc::as_ptr(life).addr()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::http::connection::life::Traffic;

    async fn counted(answers: &Arc<Answers>, bytes: usize, life: Option<Arc<Life>>) -> Body {
        let room = answers.admit(bytes, life.as_deref()).await.expect("room");
        answers.count(vec![1; bytes].into(), room, life)
    }

    #[tokio::test]
    async fn bytes_count_until_the_last_hand_lets_go_of_them() {
        let answers = Answers::new(1 << 20);
        let life = Life::new(Arc::new(Traffic::default()));
        let mut body = counted(&answers, 40_000, Some(life.clone())).await;
        assert_eq!((answers.bytes(), life.untaken_bytes()), (40 << 10, 40_000));
        assert_eq!(body.size_hint().exact(), Some(40_000));

        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.expect("in memory").into_data().expect("data"));
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
        drop(body);
        assert_eq!((answers.bytes(), life.untaken_bytes()), (40 << 10, 40_000));

        let slice = pieces[0].slice(5..6);
        pieces.clear();
        assert_eq!((answers.bytes(), life.untaken_bytes()), (16 << 10, 16_384));
        assert!(life.stalled_since().is_some());
        drop(slice);
        assert_eq!((answers.bytes(), life.untaken_bytes()), (0, 0));
        assert_eq!(life.stalled_since(), None);
        assert!(answers.debtors().lives.is_empty());
    }

    #[tokio::test]
    async fn an_answer_for_nobody_counts_no_more() {
        let answers = Answers::new(1 << 20);
        let life = Life::new(Arc::new(Traffic::default()));
        drop(counted(&answers, 5000, Some(life.clone())).await);
        assert_eq!((answers.bytes(), life.untaken_bytes(), life.stalled_since()), (0, 0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_taken_nothing_for_longest_makes_room() {
        let answers = Answers::new(100 << 10);
        let [first, second, third] = [(); 3].map(|()| Life::new(Arc::new(Traffic::default())));
        let body = counted(&answers, 60 << 10, Some(first.clone())).await;
        tokio::time::advance(SPARED).await;
        let _other = counted(&answers, 30 << 10, Some(second)).await;

        let (room, why) = tokio::join!(answers.admit(50 << 10, Some(&third)), async {
            let why = first.told().await;
            drop(body);
            why
        });

        assert!(room.is_some());
        assert_eq!(why, Ended::AnswersFull);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_take_what_they_are_owed_the_next_is_refused() {
        let answers = Answers::new(100 << 10);
        let _all = answers.admit(1 << 30, None).await.expect("the largest, alone");
        assert!(answers.admit(1, None).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_owes_leaves_room_for_who_owes_nothing() {
        let answers = Answers::new(1 << 20);
        let mut held = Vec::new();
        for _ in 0..50 {
            let life = Life::new(Arc::new(Traffic::default()));
            for _ in 0..100 {
                if let Some(room) = answers.admit(4 << 10, Some(&life)).await {
                    held.push(answers.count(vec![1; 4 << 10].into(), room, Some(life.clone())));
                }
            }
        }
        let honest = Life::new(Arc::new(Traffic::default()));
        assert!(answers.admit(4 << 10, Some(&honest)).await.is_some());
    }
}
