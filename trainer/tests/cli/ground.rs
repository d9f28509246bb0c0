//! A temporary folder for tests, and a model with known distances.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use image::GrayImage;
use siamese_core::model::{Card, OnnxModel, Options, rewrite};
use tempfile::TempDir;

use crate::waits::process::output;

/// A model whose embedding is the mean grey of an image; its margin is 20.
pub(crate) const BRIGHTNESS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/brightness.onnx");

/// A time limit above that of any run, on a busy machine and without optimisation.
const LONGEST: Duration = Duration::from_mins(5);

/// A folder that is deleted after the test.
pub(crate) struct Ground(TempDir);

/// The result of a run of the program.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    /// Makes a folder with uniform grey images in `data`: for each identity, the greys of its images.
    pub(crate) fn of(identities: &[(&str, &[u8])]) -> Self {
        let ground = Self::new();
        for (name, greys) in identities {
            let folder = ground.at("data").join(name);
            fs::create_dir_all(&folder).expect("a folder");
            for (number, grey) in greys.iter().enumerate() {
                let image = GrayImage::from_pixel(4, 4, image::Luma([*grey]));
                image.save(folder.join(format!("{number}.png"))).expect("an image");
            }
        }
        ground
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the brightness model with a changed card.
    pub(crate) fn model_with(&self, change: impl FnOnce(&mut Card)) -> PathBuf {
        let model = OnnxModel::load(BRIGHTNESS.as_ref(), &Options::default()).expect("the model");
        let mut card = model.card().clone();
        change(&mut card);
        let onnx = fs::read(BRIGHTNESS).expect("a file");
        let path = self.at("changed.onnx");
        fs::write(&path, rewrite(&onnx, &card.to_metadata()).expect("ONNX")).expect("a file");
        path
    }

    /// Runs the program in this folder on its `data`, with the brightness model.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        self.run_on(BRIGHTNESS.as_ref(), command, arguments)
    }

    /// Runs the program in this folder on its `data`, with a given model.
    pub(crate) fn run_on(&self, model: &Path, command: &str, arguments: &[&str]) -> Outcome {
        let fixed = [
            command.as_ref(),
            "--data".as_ref(),
            "data".as_ref(),
            "--model".as_ref(),
            model.as_os_str(),
        ];
        self.program(fixed.into_iter().chain(arguments.iter().map(OsStr::new)))
    }

    /// Runs the program in this folder.
    pub(crate) fn program<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Outcome {
        self.program_in(self.0.path(), arguments)
    }

    /// Runs the program in another folder.
    pub(crate) fn program_in<'a>(
        &self,
        folder: &Path,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> Outcome {
        Outcome::of(self.command().current_dir(folder).args(arguments))
    }

    /// Runs the program in this folder where no other program is found.
    pub(crate) fn program_without_python(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command().args(arguments).env("PATH", self.at("no-programs")))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
        command.current_dir(&self.0).env_remove("SOURCE_DATE_EPOCH");
        command.env("XDG_CACHE_HOME", self.at("cache"));
        command
    }
}

impl Outcome {
    /// Runs a program to its end.
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = output(LONGEST, command);
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
        Self { code: output.status.code(), stdout, stderr }
    }

    /// Checks that the program succeeded, and returns its output.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Checks that the program failed with exit code 2 and a one-line error, and returns the error.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        assert_eq!(self.code, Some(2), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        self.stderr
    }
}
