//! A model for Python.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use serde::Serialize;
use siamese_core::causes;
use siamese_core::changes::Rectangle;
use siamese_core::judgement::{ChangeJudge, Criterion, Judge, JudgedPair, JudgedScene};
use siamese_core::model::{
    Choice, Description, EmbeddedImage, Input, LoadError, Model as _, ModelError, Source,
};
use siamese_core::score::Threshold;

use crate::changes::Comparing;
use crate::errors::{Failure, exceptions, invalid};
use crate::image::{ImageError, Upload};
use crate::parallel::in_parallel;
use crate::sessions::Sessions;

/// A loaded model.
#[pyclass(frozen, module = "siamese._native")]
pub(crate) struct Model {
    sessions: Sessions,
    description: Arc<Description>,
}

#[pymethods]
impl Model {
    /// Reads a model's files and opens its sessions. `threads` is one for each core if it is `None`.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, threads: Option<NonZeroUsize>) -> PyResult<Self> {
        let open = || {
            let threads =
                threads.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
            let sessions = Sessions::open(&Source::read(&path)?, threads)?;
            let description = sessions.lease().description().clone();
            Ok(Self { sessions, description })
        };
        py.detach(open).map_err(|error: LoadError| exceptions::LoadError::new_err(causes(&error)))
    }

    /// The card, as `GET /model` of the server returns it, as JSON.
    fn card(&self) -> PyResult<String> {
        json(&*self.description)
    }

    /// The number of coordinates of an embedding.
    #[getter]
    fn width(&self) -> usize {
        self.description.width
    }

    /// `[channels, height, width]` of an input.
    #[getter]
    fn shape(&self) -> [usize; 3] {
        self.description.card.preprocessing.shape()
    }

    /// The number of threads that work on images.
    #[getter]
    fn threads(&self) -> usize {
        self.sessions.threads()
    }

    /// Embeds images. Returns the `f32` numbers of all embeddings, and for each image the reason why it has none: its numbers
    /// are then NaN.
    fn embed<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Upload>,
        faces: &str,
    ) -> PyResult<(Bound<'py, PyByteArray>, Vec<Option<String>>)> {
        let choice: Choice = faces.parse().map_err(invalid)?;
        let embedded = py.detach(|| self.embedded(&images, choice)).map_err(Failure::Run)?;
        let width = self.description.width;
        let missing = vec![f32::NAN; width];
        let rows = embedded.iter().map(|image| match image {
            Ok(image) => image.embedding.coordinates(),
            Err(_) => &missing,
        });
        let numbers = numbers(py, embedded.len() * width, rows.flatten())?;
        let reasons = embedded.iter().map(|image| image.as_ref().err().map(|error| causes(error)));
        Ok((numbers, reasons.collect()))
    }

    /// The `f32` numbers of the model's input for an image.
    fn preprocess<'py>(
        &self,
        py: Python<'py>,
        image: Upload,
        faces: &str,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let choice: Choice = faces.parse().map_err(invalid)?;
        let input = py
            .detach(|| image.input(&self.description, choice))
            .map_err(|error| Failure::Image(0, error))?;
        let values = input.pixels.values();
        numbers(py, values.len(), values.iter())
    }

    /// Compares two images. Returns what `POST /compare` of the server does, without the model, as JSON.
    fn compare(
        &self,
        py: Python<'_>,
        a: Upload,
        b: Upload,
        threshold: Option<f64>,
        fmr: Option<f64>,
        faces: &str,
    ) -> PyResult<String> {
        let choice: Choice = faces.parse().map_err(invalid)?;
        let criterion = criterion(threshold, fmr)?;
        let judge = Judge::new(criterion, None, &self.description.card).map_err(invalid)?;
        let judged = py.detach(|| {
            let embedded = self.embedded(&[a, b], choice)?.into_iter().enumerate();
            let embedded = embedded
                .map(|(index, image)| image.map_err(|error| Failure::Image(index, error)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok::<_, Failure>(JudgedPair::of(&judge, [&embedded[0], &embedded[1]], ["a", "b"]))
        });
        json(&judged?)
    }

    /// Compares two images place by place. Returns what `POST /changes` of the server does, without the model, as JSON, and
    /// the `f32` distances of all cells, row by row.
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn changes<'py>(
        &self,
        py: Python<'py>,
        before: Upload,
        after: Upload,
        threshold: Option<f64>,
        fmr: Option<f64>,
        align: &str,
        cell: Option<f64>,
        ignored: Vec<Rectangle>,
    ) -> PyResult<(String, Bound<'py, PyByteArray>)> {
        if self.description.preprocessor.aligns() {
            let why = "a model that aligns faces finds no changes";
            return Err(exceptions::ChangesError::new_err(why));
        }
        let comparing = Comparing::new(align, cell, ignored)?;
        let criterion = criterion(threshold, fmr)?;
        let judge = ChangeJudge::new(criterion, &self.description.card).map_err(invalid)?;
        let (scene, compared) = py.detach(|| {
            let compared =
                comparing.compare(&self.description, &self.sessions, &[before, after])?;
            let regions = compared.regions(judge.threshold());
            Ok::<_, Failure>((JudgedScene::of(&judge, &compared, regions), compared))
        })?;
        let distances = compared.distances.values();
        Ok((json(&scene)?, numbers(py, distances.len(), distances.iter())?))
    }
}

impl Model {
    /// Embeds images on all threads, each with its own result.
    fn embedded(
        &self,
        images: &[Upload],
        choice: Choice,
    ) -> Result<Vec<Result<EmbeddedImage, ImageError>>, ModelError> {
        let portions: Vec<&[Upload]> = images.chunks(self.sessions.portion(images.len())).collect();
        let embedded =
            in_parallel(self.sessions.threads(), &portions, |images| self.portion(images, choice));
        Ok(embedded.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Decodes some images and runs them together.
    fn portion(
        &self,
        images: &[Upload],
        choice: Choice,
    ) -> Result<Vec<Result<EmbeddedImage, ImageError>>, ModelError> {
        let mut pixels = Vec::with_capacity(images.len());
        let inputs = images.iter().map(|image| {
            let Input { pixels: of_image, face, statistics } =
                image.input(&self.description, choice)?;
            pixels.push(of_image);
            Ok((face, statistics))
        });
        let inputs: Vec<Result<_, ImageError>> = inputs.collect();
        let mut outputs = self.sessions.lease().embed(&pixels)?.into_iter();
        let familiarity = self.description.card.familiarity.as_ref();
        let embedded = inputs.into_iter().map(|input| {
            let (face, statistics) = input?;
            let embedding = outputs.next().expect("the model returns a result for each image")?;
            let familiarity = familiarity
                .zip(statistics)
                .and_then(|(described, statistics)| described.of(&embedding, &statistics));
            Ok(EmbeddedImage { embedding, face, familiarity })
        });
        Ok(embedded.collect())
    }
}

fn criterion(threshold: Option<f64>, fmr: Option<f64>) -> PyResult<Criterion> {
    match (threshold, fmr) {
        (None, None) => Ok(Criterion::InForce),
        (Some(threshold), None) => {
            Threshold::try_from(threshold).map(Criterion::Threshold).map_err(invalid)
        }
        (None, Some(fmr)) => Ok(Criterion::Fmr(fmr)),
        (Some(_), Some(_)) => Err(PyValueError::new_err("threshold and fmr exclude each other")),
    }
}

fn json(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(invalid)
}

/// Numbers in the byte order of the machine.
fn numbers<'py, 'a>(
    py: Python<'py>,
    count: usize,
    numbers: impl Iterator<Item = &'a f32>,
) -> PyResult<Bound<'py, PyByteArray>> {
    PyByteArray::new_with(py, count * size_of::<f32>(), |bytes| {
        for (bytes, number) in bytes.chunks_exact_mut(size_of::<f32>()).zip(numbers) {
            bytes.copy_from_slice(&number.to_ne_bytes());
        }
        Ok(())
    })
}
