//! From uploads to the input of one model.

use super::card::{Align, Card};
use super::faces::{Aligned, Aligner, Choice, Face, Hint, InvalidDetector};
use crate::preprocessing::{
    DecodeError, Decoded, Decoding, Detail, Limits, Photograph, Pixels, Planes, Preprocessing,
    Reduction, guard,
};

/// The preprocessing of one model, with the face detector that its card requires.
#[derive(Debug)]
pub struct Preprocessor {
    preprocessing: Preprocessing,
    reduction: Reduction,
    aligner: Option<Aligner>,
}

/// Why an upload must be decoded again, with more detail. That happens twice at most: once to find a face, and once to read
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Finer(Hint);

/// The result of a preprocessing.
#[derive(Debug)]
pub enum Finished {
    /// Planes of the model's input, and the face on them if the model aligns faces.
    Planes(Planes, Option<Face>),
    /// The upload must be decoded again.
    Finer(Finer),
}

impl Preprocessor {
    /// Opens the sessions of the face detector, if faces are aligned. The [reduction](Reduction) is the default one.
    pub fn new(
        preprocessing: Preprocessing,
        align: Option<Align>,
    ) -> Result<Self, InvalidDetector> {
        let aligner = align.map(|align| Aligner::new(align.points, align.detector)).transpose()?;
        Ok(Self { preprocessing, reduction: Reduction::default(), aligner })
    }

    /// The preprocessing that a card describes.
    pub fn of(card: &Card) -> Result<Self, InvalidDetector> {
        let preprocessor = Self::new(card.preprocessing.clone(), card.align.clone())?;
        Ok(Self {
            reduction: card.reduction.map(Reduction::from).unwrap_or_default(),
            ..preprocessor
        })
    }

    /// Whether it aligns faces.
    pub fn aligns(&self) -> bool {
        self.aligner.is_some()
    }

    /// How an upload is decoded: at first, or with more detail. [`finish`](Self::finish) takes the result.
    pub fn decoding(&self, finer: Option<Finer>) -> Decoding {
        match (&self.aligner, finer) {
            (None, _) => Decoding::Planes(self.preprocessing.clone(), self.reduction),
            (Some(_), None) => Decoding::Photograph(Detail::Coarse),
            (Some(_), Some(Finer(hint))) => Decoding::Photograph(hint.detail()),
        }
    }

    /// Turns a decoded upload into planes of the model's input. Finds the chosen face, if the model aligns faces. `finer`
    /// is the one that the upload was decoded with.
    pub fn finish(
        &self,
        decoded: Decoded,
        choice: Choice,
        finer: Option<Finer>,
    ) -> Result<Finished, DecodeError> {
        match (decoded, &self.aligner) {
            (Decoded::Planes(planes), _) => Ok(Finished::Planes(planes, None)),
            (Decoded::Photograph(photograph), Some(aligner)) => {
                let hint = finer.map(|Finer(hint)| hint);
                let align = || aligner.align(&photograph, choice, hint, &self.preprocessing);
                Ok(match guard(align)? {
                    Aligned::Face(planes, face) => Finished::Planes(planes, Some(face)),
                    Aligned::Finer(hint) => Finished::Finer(Finer(hint)),
                })
            }
            (Decoded::Photograph(_), None) => Err(DecodeError::FaceNotFound),
        }
    }

    /// All faces of a photograph: the one that an alignment of the same upload has chosen, then the others, the largest
    /// first. `None` if the model does not align faces.
    pub fn detect(
        &self,
        photograph: &Photograph,
        first: Option<Face>,
    ) -> Option<Result<Vec<Face>, DecodeError>> {
        self.aligner.as_ref().map(|aligner| guard(|| aligner.detect(photograph, first)))
    }

    /// Turns an upload into planes of the model's input, and finds the chosen face.
    pub fn planes(
        &self,
        upload: &[u8],
        limits: &Limits,
        choice: Choice,
    ) -> Result<(Planes, Option<Face>), DecodeError> {
        let mut finer = None;
        loop {
            let decoded = self.decoding(finer).decode(upload, limits)?;
            match self.finish(decoded, choice, finer)? {
                Finished::Planes(planes, face) => return Ok((planes, face)),
                Finished::Finer(next) => finer = Some(next),
            }
        }
    }

    /// Turns an upload into the model's input. Of several faces, the largest counts.
    pub fn preprocess(&self, upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
        let (planes, _) = self.planes(upload, limits, Choice::default())?;
        Ok(self.preprocessing.pixels(&planes))
    }
}
