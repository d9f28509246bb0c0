//! Requests as the bytes that go over the wire, made before anything is timed.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/compare`, a form of two images.
    Compare,
    /// `/embed`, an image as it is.
    Embed,
}

/// One request, head and body.
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where eight bytes stand that are new each time it is sent.
    stamp: Option<usize>,
}

impl Route {
    pub(crate) const ALL: [Self; 2] = [Self::Compare, Self::Embed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Embed => "embed",
        }
    }

    /// Images of one request.
    pub(crate) fn images(self) -> u32 {
        match self {
            Self::Compare => 2,
            Self::Embed => 1,
        }
    }

    /// As many requests as there are uploads.
    pub(crate) fn requests(self, uploads: &[Vec<u8>]) -> Vec<Request> {
        let after = uploads.iter().cycle().skip(1);
        match self {
            Self::Compare => uploads.iter().zip(after).map(|(a, b)| compare(a, b)).collect(),
            Self::Embed => uploads.iter().map(|it| post("/embed", "image/jpeg", it)).collect(),
        }
    }
}

impl Request {
    /// A comparison of one image, always the same, with another that is new each time: a JPEG's readers
    /// stop at its end, so that what follows makes other bytes and the same image.
    pub(crate) fn of_a_stream(a: &[u8], b: &[u8]) -> Self {
        const STAMP: &[u8; 8] = b"________";
        let mut request = compare(a, &[b, STAMP].concat());
        let stamp = request.bytes.windows(STAMP.len()).rposition(|it| it == STAMP);
        request.stamp = stamp;
        request
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the bytes to send; `scratch` holds them where they are new.
    pub(crate) fn bytes<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let Some(stamp) = self.stamp else { return &self.bytes };
        scratch.clear();
        scratch.extend_from_slice(&self.bytes);
        let count = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        scratch[stamp..stamp + count.len()].copy_from_slice(&count);
        scratch
    }
}

fn compare(a: &[u8], b: &[u8]) -> Request {
    const BOUNDARY: &str = "between-the-parts";
    let part = |name| {
        format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n"
        )
    };
    let (first, second, end) = (part("a"), part("b"), format!("\r\n--{BOUNDARY}--\r\n"));
    let body = [first.as_bytes(), a, b"\r\n", second.as_bytes(), b, end.as_bytes()].concat();
    post("/compare", &format!("multipart/form-data; boundary={BOUNDARY}"), &body)
}

fn post(path: &str, media: &str, body: &[u8]) -> Request {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Request { bytes: [head.as_bytes(), body].concat(), stamp: None }
}
