//! Embeddings of pictures that were seen before, by the digest of their bytes.
//!
//! One cache serves one tower, so that the tower's digest need not be part of a key. It is exact: a key is
//! the SHA-256 of an upload, and what stands under it is what the tower gave for those very bytes.

use quick_cache::sync::{Cache as Entries, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Weighter};
use sha2::{Digest, Sha256};
use siamese_core::score::Embedding;

/// Names an upload by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

/// Embeddings within a budget of memory.
pub struct Cache {
    entries: Entries<Key, Embedding, Bytes>,
}

/// What a cache has for a key.
pub enum Found<'a> {
    /// The embedding.
    Known(Embedding),
    /// Nothing yet: whoever holds the claim makes it, and all who ask meanwhile wait for it.
    Claimed(Claim<'a>),
}

/// The right, and the duty, to make an embedding. Dropped unfulfilled, it passes to one who waits.
pub struct Claim<'a>(
    PlaceholderGuard<
        'a,
        Key,
        Embedding,
        Bytes,
        DefaultHashBuilder,
        DefaultLifecycle<Key, Embedding>,
    >,
);

/// Weighs an entry in bytes.
#[derive(Clone)]
struct Bytes;

impl Key {
    /// The key of an upload.
    pub fn of(upload: &[u8]) -> Self {
        Self(Sha256::digest(upload).into())
    }
}

impl Cache {
    /// A cache that keeps to about so many bytes.
    pub fn new(budget: u64) -> Self {
        /// An embedding of 64 coordinates, its key, and what the table keeps beside them.
        const USUAL: u64 = 512;
        let usual = usize::try_from(budget / USUAL).unwrap_or(usize::MAX).max(16);
        Self { entries: Entries::with_weighter(usual, budget, Bytes) }
    }

    /// Looks a key up; waits while somebody else makes its embedding.
    ///
    /// Who claims several keys must ask for them in ascending order: two that wait for each other's claims
    /// would wait for ever.
    pub async fn look(&self, key: Key) -> Found<'_> {
        match self.entries.get_value_or_guard_async(&key).await {
            Ok(embedding) => Found::Known(embedding),
            Err(guard) => Found::Claimed(Claim(guard)),
        }
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

impl Claim<'_> {
    /// Gives the embedding to all who wait for it, and to all who ask later.
    pub fn fulfil(self, embedding: Embedding) {
        // Where the cache was emptied meanwhile, there is nobody to give it to.
        let _ = self.0.insert(embedding);
    }
}

impl Weighter<Key, Embedding> for Bytes {
    fn weight(&self, _: &Key, embedding: &Embedding) -> u64 {
        /// The key, the table's own words, and the allocation's.
        const BESIDE: usize = 32 + 64 + 16;
        (BESIDE + size_of_val(embedding.coordinates())) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(value: f32) -> Embedding {
        Embedding::new([value]).expect("a point")
    }

    #[tokio::test]
    async fn what_was_made_once_is_known() {
        let cache = Cache::new(1 << 16);
        let Found::Claimed(claim) = cache.look(Key::of(b"a")).await else { panic!("known") };
        claim.fulfil(embedding(1.0));
        let Found::Known(known) = cache.look(Key::of(b"a")).await else { panic!("unknown") };
        assert_eq!(known, embedding(1.0));
        assert!(matches!(cache.look(Key::of(b"b")).await, Found::Claimed(_)));
    }

    #[tokio::test]
    async fn many_who_ask_at_once_wait_for_one() {
        let cache = Cache::new(1 << 16);
        let Found::Claimed(claim) = cache.look(Key::of(b"a")).await else { panic!("known") };
        let all = futures_util::future::join_all((0..10).map(|_| cache.look(Key::of(b"a"))));
        let fulfilled = async { claim.fulfil(embedding(1.0)) };
        let (all, ()) = futures_util::future::join(all, fulfilled).await;
        assert!(all.iter().all(|it| matches!(it, Found::Known(_))));
    }

    #[tokio::test]
    async fn an_unfulfilled_claim_passes_on() {
        let cache = Cache::new(1 << 16);
        let first = cache.look(Key::of(b"a")).await;
        let second = cache.look(Key::of(b"a"));
        let dropped = async { drop(first) };
        let (second, ()) = futures_util::future::join(second, dropped).await;
        assert!(matches!(second, Found::Claimed(_)));
    }

    #[tokio::test]
    async fn the_budget_is_kept() {
        let cache = Cache::new(1 << 14);
        for at in 0..1000_u16 {
            let Found::Claimed(claim) = cache.look(Key::of(&at.to_le_bytes())).await else {
                panic!()
            };
            claim.fulfil(embedding(f32::from(at)));
        }
        assert!((1..=1 << 14).contains(&cache.bytes()), "{}", cache.bytes());
    }
}
