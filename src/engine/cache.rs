//! Caches the embeddings of images, by the digest of their bytes.
//!
//! A cache belongs to one model, so the model's digest is not part of the key. The cache is exact: a key is the
//! SHA-256 of an upload, and its entry is the model's embedding of exactly these bytes.

use quick_cache::sync::{Cache as Entries, DefaultLifecycle, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Weighter};
use sha2::{Digest, Sha256};
use siamese_core::model::Choice;

pub use siamese_core::model::EmbeddedImage;

/// The key of an upload: the digest of its bytes, and the choice among its faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32], Choice);

/// Embeddings, up to a limit of memory.
pub struct Cache {
    entries: Entries<Key, EmbeddedImage, Bytes>,
}

/// The result of a lookup.
pub enum Found<'a> {
    /// The embedding is in the cache.
    Known(EmbeddedImage),
    /// No embedding yet: the owner of the claim must compute it, and later lookups wait for it.
    Claimed(Claim<'a>),
}

/// The exclusive right to compute an embedding. If it is dropped unused, it passes to the next waiting lookup.
pub struct Claim<'a>(
    PlaceholderGuard<
        'a,
        Key,
        EmbeddedImage,
        Bytes,
        DefaultHashBuilder,
        DefaultLifecycle<Key, EmbeddedImage>,
    >,
);

/// Weighs an entry in bytes.
#[derive(Clone)]
struct Bytes;

impl Key {
    /// Computes the key of an upload.
    pub fn of(upload: &[u8], choice: Choice) -> Self {
        Self(Sha256::digest(upload).into(), choice)
    }
}

impl Cache {
    /// Creates a cache of about `budget` bytes.
    pub fn new(budget: u64) -> Self {
        /// A typical entry: an embedding of 64 coordinates, its key, and the table's overhead.
        const USUAL: u64 = 512;
        let usual = usize::try_from(budget / USUAL).unwrap_or(usize::MAX).max(16);
        Self { entries: Entries::with_weighter(usual, budget, Bytes) }
    }

    /// Looks a key up. Waits while another lookup's owner computes the embedding.
    ///
    /// A caller that claims several keys must look them up in ascending order. Otherwise two callers could wait for
    /// each other's claims for ever.
    pub async fn look(&self, key: Key) -> Found<'_> {
        match self.entries.get_value_or_guard_async(&key).await {
            Ok(image) => Found::Known(image),
            Err(guard) => Found::Claimed(Claim(guard)),
        }
    }

    /// The bytes in use.
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

impl Claim<'_> {
    /// Stores the embedding, and passes it to all lookups that wait for it.
    pub fn fulfil(self, image: EmbeddedImage) {
        // If the cache was emptied meanwhile, no lookup waits.
        let _ = self.0.insert(image);
    }
}

impl Weighter<Key, EmbeddedImage> for Bytes {
    fn weight(&self, _: &Key, image: &EmbeddedImage) -> u64 {
        /// The key, the table's own fields, and the allocator's overhead.
        const OVERHEAD: usize = size_of::<Key>() + size_of::<EmbeddedImage>() + 64;
        (OVERHEAD + size_of_val(image.embedding.coordinates())) as u64
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    fn key(upload: &[u8]) -> Key {
        Key::of(upload, Choice::default())
    }

    fn embedding(value: f32) -> EmbeddedImage {
        let embedding = Embedding::new([value]).expect("a point");
        EmbeddedImage { embedding, face: None, familiarity: None }
    }

    #[tokio::test]
    async fn a_stored_embedding_is_found() {
        let cache = Cache::new(1 << 16);
        let Found::Claimed(claim) = cache.look(key(b"a")).await else { panic!("known") };
        claim.fulfil(embedding(1.0));
        let Found::Known(known) = cache.look(key(b"a")).await else { panic!("unknown") };
        assert_eq!(known, embedding(1.0));
        assert!(matches!(cache.look(key(b"b")).await, Found::Claimed(_)));
    }

    #[tokio::test]
    async fn concurrent_lookups_wait_for_one_claim() {
        let cache = Cache::new(1 << 16);
        let Found::Claimed(claim) = cache.look(key(b"a")).await else { panic!("known") };
        let all = futures_util::future::join_all((0..10).map(|_| cache.look(key(b"a"))));
        let fulfilled = async { claim.fulfil(embedding(1.0)) };
        let (all, ()) = futures_util::future::join(all, fulfilled).await;
        assert!(all.iter().all(|found| matches!(found, Found::Known(_))));
    }

    #[tokio::test]
    async fn an_unfulfilled_claim_passes_on() {
        let cache = Cache::new(1 << 16);
        let first = cache.look(key(b"a")).await;
        let second = cache.look(key(b"a"));
        let dropped = async { drop(first) };
        let (second, ()) = futures_util::future::join(second, dropped).await;
        assert!(matches!(second, Found::Claimed(_)));
    }

    #[tokio::test]
    async fn the_budget_is_kept() {
        let cache = Cache::new(1 << 14);
        for index in 0..1000_u16 {
            let Found::Claimed(claim) = cache.look(key(&index.to_le_bytes())).await else {
                panic!()
            };
            claim.fulfil(embedding(f32::from(index)));
        }
        assert!((1..=1 << 14).contains(&cache.bytes()), "{}", cache.bytes());
    }
}
