//! The sources of one request, in which a picture that comes again is no other.

use std::collections::HashMap;

use bytes::Bytes;

use super::pipeline::Asked;
use crate::http::request::source::Source;

/// Sources, each picture of them once.
#[derive(Default)]
pub(crate) struct Distinct {
    asked: Vec<Asked>,
    /// Where an upload stands among them.
    uploads: HashMap<Bytes, usize>,
}

impl Distinct {
    /// Takes a source, and tells where its outcome will stand. Equal uploads have one outcome, which blames the first.
    pub(crate) fn add(&mut self, asked: Asked) -> usize {
        let at = self.asked.len();
        if let Ok((_, Source::Upload(upload))) = &asked {
            let first = *self.uploads.entry(upload.clone()).or_insert(at);
            if first < at {
                return first;
            }
        }
        self.asked.push(asked);
        at
    }

    pub(crate) fn into_asked(self) -> Vec<Asked> {
        self.asked
    }
}
