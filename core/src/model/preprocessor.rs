//! From uploads to the input of one model.

use super::card::{Align, Card};
use super::faces::{Aligner, Choice, Face, InvalidDetector};
use crate::preprocessing::{
    DecodeError, Decoded, Decoding, Detail, Limits, Photograph, Pixels, Planes, Preprocessing,
    guard,
};

/// The preprocessing of one model, with the face detector that its card requires.
#[derive(Debug)]
pub struct Preprocessor {
    preprocessing: Preprocessing,
    aligner: Option<Aligner>,
}

impl Preprocessor {
    /// Opens the sessions of the face detector, if faces are aligned.
    pub fn new(
        preprocessing: Preprocessing,
        align: Option<Align>,
    ) -> Result<Self, InvalidDetector> {
        let aligner = align.map(|align| Aligner::new(align.points, align.detector)).transpose()?;
        Ok(Self { preprocessing, aligner })
    }

    /// The preprocessing that a card describes.
    pub fn of(card: &Card) -> Result<Self, InvalidDetector> {
        Self::new(card.preprocessing.clone(), card.align.clone())
    }

    /// Whether it aligns faces.
    pub fn aligns(&self) -> bool {
        self.aligner.is_some()
    }

    /// How an upload is decoded with this detail. [`finish`](Self::finish) takes the result.
    pub fn decoding(&self, detail: Detail) -> Decoding {
        match self.aligner {
            None => Decoding::Planes(self.preprocessing.clone()),
            Some(_) => Decoding::Photograph(detail),
        }
    }

    /// Turns a decoded upload into planes of the model's input. Finds the chosen face, if the model aligns faces. `None`
    /// if the upload must be decoded with more detail.
    pub fn finish(
        &self,
        decoded: Decoded,
        choice: Choice,
    ) -> Result<Option<(Planes, Option<Face>)>, DecodeError> {
        match (decoded, &self.aligner) {
            (Decoded::Planes(planes), _) => Ok(Some((planes, None))),
            (Decoded::Photograph(photograph), Some(aligner)) => {
                let align = || aligner.align(&photograph, choice, &self.preprocessing);
                let aligned = guard(align)?;
                Ok(aligned.map(|(planes, face)| (planes, Some(face))))
            }
            (Decoded::Photograph(_), None) => Err(DecodeError::FaceNotFound),
        }
    }

    /// All faces of a photograph, the largest first. `None` if the model does not align faces.
    pub fn detect(&self, photograph: &Photograph) -> Option<Result<Vec<Face>, DecodeError>> {
        self.aligner.as_ref().map(|aligner| guard(|| aligner.detect(photograph)))
    }

    /// Turns an upload into planes of the model's input, and finds the chosen face.
    pub fn planes(
        &self,
        upload: &[u8],
        limits: &Limits,
        choice: Choice,
    ) -> Result<(Planes, Option<Face>), DecodeError> {
        let mut finished = None;
        for detail in [Detail::Coarse, Detail::Fine] {
            if finished.is_none() {
                let decoded = self.decoding(detail).decode(upload, limits)?;
                finished = self.finish(decoded, choice)?;
            }
        }
        finished.ok_or(DecodeError::FaceNotFound)
    }

    /// Turns an upload into the model's input. Of several faces, the largest counts.
    pub fn preprocess(&self, upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
        let (planes, _) = self.planes(upload, limits, Choice::default())?;
        Ok(self.preprocessing.pixels(&planes))
    }
}
