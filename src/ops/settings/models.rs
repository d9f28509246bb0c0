//! `[[models]]`: the models to serve, and their names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use siamese_core::score::Threshold;
use thiserror::Error;

use super::model::{DEFAULT_MODEL, places};
use super::{Settings, SettingsError};

/// A model to serve: its name, its file, and its threshold. On the command line it is `NAME=FILE`, or `FILE` alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedModel {
    /// Its name in paths and metrics.
    pub name: ModelName,
    /// Its ONNX file.
    pub file: PathBuf,
    /// A threshold that replaces the one of its card.
    #[serde(default)]
    pub threshold: Option<Threshold>,
}

/// The name of a model in paths and metrics: 1 to 64 letters, digits and `-._`, of which the first is a letter or a digit.
/// Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ModelName(Arc<str>);

/// A text that cannot name a model.
#[derive(Clone, Debug, Error)]
#[error(
    "\"{0}\" cannot name a model; a name has 1 to 64 letters, digits and -._, and begins with a letter or a digit"
)]
pub struct InvalidName(String);

impl ModelName {
    /// The most characters of a name.
    const LONGEST: usize = 64;

    /// The name of a model from a file, by the file's name. Characters that no name has become `-`.
    fn of_file(file: &Path) -> Self {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let allowed = |char: char| if is_allowed(char) { char } else { '-' };
        let name: String = stem.chars().map(allowed).take(Self::LONGEST).collect();
        name.parse().unwrap_or_else(|_| Self("model".into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._".contains(char)
}

impl FromStr for ModelName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if begins && text.len() <= Self::LONGEST && text.chars().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName(text.chars().take(Self::LONGEST).collect()))
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NamedModel {
    /// The model of a file, named after the file.
    pub fn of_file(file: PathBuf) -> Self {
        Self { name: ModelName::of_file(&file), file, threshold: None }
    }
}

impl FromStr for NamedModel {
    type Err = InvalidName;

    /// A text before a `=` is a name, unless it has a `/`: such a text is a path.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('=') {
            Some((name, file)) if !name.contains('/') => {
                Ok(Self { name: name.parse()?, file: file.into(), threshold: None })
            }
            _ => Ok(Self::of_file(text.into())),
        }
    }
}

impl Settings {
    /// The models to serve. The first one serves requests that name no model.
    ///
    /// They are the models of `[[models]]`, or the one of `model.file`, or all that are in the folder of the default model.
    /// `model.threshold` is that of the first one, unless it states its own.
    ///
    /// # Errors
    ///
    /// If the default model is missing, or if two models have one name.
    pub fn served(&self) -> Result<Vec<NamedModel>, SettingsError> {
        let mut models = match (&*self.models, &self.model.file) {
            ([], Some(file)) => vec![NamedModel::of_file(file.clone())],
            ([], None) => shipped()?,
            (models, _) => models.to_vec(),
        };
        for (index, NamedModel { name, .. }) in models.iter().enumerate() {
            if models[..index].iter().any(|other| other.name == *name) {
                return Err(SettingsError::SameName(name.clone()));
            }
        }
        let first = &mut models[0].threshold;
        *first = first.or(self.model.threshold);
        Ok(models)
    }

    /// Whether they name a model. Else those that come with the program are served.
    pub fn name_models(&self) -> bool {
        !self.models.is_empty() || self.model.file.is_some()
    }

    /// Keeps only the first model, or the one that comes with the program under the path `shipped` if the settings name
    /// none: for commands that need one model.
    ///
    /// # Errors
    ///
    /// If it is missing.
    pub fn keep_one(&mut self, shipped: &str) -> Result<(), SettingsError> {
        if !self.name_models() {
            self.model.file = Some(find(shipped).ok_or(SettingsError::NoModel(shipped.into()))?);
        }
        self.models.truncate(1);
        Ok(())
    }
}

/// Where a model that comes with the program is.
fn find(shipped: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    places(program.as_deref(), shipped).find(|path| path.is_file())
}

/// The default model, and the others beside it in the order of their names.
fn shipped() -> Result<Vec<NamedModel>, SettingsError> {
    let first = find(DEFAULT_MODEL).ok_or_else(|| SettingsError::NoModel(DEFAULT_MODEL.into()))?;
    let folder = first.parent().unwrap_or(Path::new(""));
    let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let is_other = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "onnx") && *path != first && path.is_file()
    };
    let mut others: Vec<PathBuf> = files.filter(is_other).collect();
    others.sort();
    Ok(std::iter::once(first).chain(others).map(NamedModel::of_file).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_on_the_command_line_has_a_name_or_that_of_its_file() {
        for (text, name, file) in [
            ("faces=models/other.onnx", "faces", "models/other.onnx"),
            ("models/things.onnx", "things", "models/things.onnx"),
            ("./a=b.onnx", "a-b", "./a=b.onnx"),
            ("my model (1).onnx", "my-model--1-", "my model (1).onnx"),
            ("x=", "x", ""),
            (".onnx", "model", ".onnx"),
        ] {
            let model: NamedModel = text.parse().expect(text);
            assert_eq!((model.name.as_str(), model.file), (name, PathBuf::from(file)), "{text}");
        }
        for text in ["=x.onnx", "two words=x.onnx", "-x=y", &format!("{}=y", "n".repeat(65))] {
            let refused = text.parse::<NamedModel>().expect_err(text).to_string();
            assert!(refused.contains("cannot name a model"), "{refused}");
        }
    }

    #[test]
    fn the_models_beside_the_default_model_are_served_after_it() {
        let models = shipped().expect("the repository has models");
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names[0], "faces");
        assert!(names.contains(&"things") && names[1..].is_sorted(), "{names:?}");
    }
}
