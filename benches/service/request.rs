//! Requests as bytes for the wire, built before the measurement.

use std::sync::atomic::{AtomicU64, Ordering};

/// The route of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/compare` with a form of two images.
    Compare,
    /// `/embed` with an image as the body.
    Embed,
}

/// One request, head and body.
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// The position of eight bytes that change each time the request is sent.
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

    /// The images of one request.
    pub(crate) fn images(self) -> u32 {
        match self {
            Self::Compare => 2,
            Self::Embed => 1,
        }
    }

    /// Builds one request for each upload.
    pub(crate) fn requests(self, uploads: &[Vec<u8>]) -> Vec<Request> {
        let after = uploads.iter().cycle().skip(1);
        match self {
            Self::Compare => uploads.iter().zip(after).map(|(a, b)| compare(a, b)).collect(),
            Self::Embed => {
                uploads.iter().map(|upload| post("/embed", "image/jpeg", upload)).collect()
            }
        }
    }
}

impl Request {
    /// A comparison of a fixed image with one that is new each time. A JPEG decoder stops at the image's end, so other
    /// bytes after it give a new upload of the same image.
    pub(crate) fn of_a_stream(a: &[u8], b: &[u8]) -> Self {
        const STAMP: &[u8; 8] = b"________";
        let mut request = compare(a, &[b, STAMP].concat());
        let stamp = request.bytes.windows(STAMP.len()).rposition(|window| window == STAMP);
        request.stamp = stamp;
        request
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes to send. `scratch` holds them if they change.
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
