//! A folder to work in, and a tower whose distances one can foresee.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use image::GrayImage;
use siamese_core::model::{Card, OnnxTower, Options, rewrite};
use tempfile::TempDir;

use crate::waits::process::output;

/// A tower that embeds a picture as its mean grey; its margin is 20.
pub(crate) const BRIGHTNESS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/brightness.onnx");

/// Longer than any run of the program takes, on a busy machine and without optimisation.
const LONGEST: Duration = Duration::from_mins(5);

/// A folder that is gone after the test.
pub(crate) struct Ground(TempDir);

/// What a run of the program left.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    /// A ground with evenly grey pictures in `data`: for each identity, the greys of its pictures.
    pub(crate) fn of(identities: &[(&str, &[u8])]) -> Self {
        let ground = Self::new();
        for (name, greys) in identities {
            let folder = ground.at("data").join(name);
            fs::create_dir_all(&folder).expect("a folder");
            for (at, grey) in greys.iter().enumerate() {
                let picture = GrayImage::from_pixel(4, 4, image::Luma([*grey]));
                picture.save(folder.join(format!("{at}.png"))).expect("a picture");
            }
        }
        ground
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The tower of foreseen distances with another card, in a file of its own.
    pub(crate) fn tower_with(&self, change: impl FnOnce(&mut Card)) -> PathBuf {
        let tower = OnnxTower::load(BRIGHTNESS.as_ref(), &Options::default()).expect("the tower");
        let mut card = tower.card().clone();
        change(&mut card);
        let onnx = fs::read(BRIGHTNESS).expect("a file");
        let path = self.at("changed.onnx");
        fs::write(&path, rewrite(&onnx, &card.to_metadata()).expect("ONNX")).expect("a file");
        path
    }

    /// Runs the program in this folder on its `data`, with the tower of foreseen distances.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        self.run_on(BRIGHTNESS.as_ref(), command, arguments)
    }

    /// Runs the program in this folder on its `data`, with some tower.
    pub(crate) fn run_on(&self, tower: &Path, command: &str, arguments: &[&str]) -> Outcome {
        let fixed = [
            command.as_ref(),
            "--data".as_ref(),
            "data".as_ref(),
            "--tower".as_ref(),
            tower.as_os_str(),
        ];
        self.program(fixed.into_iter().chain(arguments.iter().map(OsStr::new)))
    }

    /// Runs the program in this folder.
    pub(crate) fn program<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
        command.current_dir(&self.0).args(arguments).env_remove("SOURCE_DATE_EPOCH");
        Outcome::of(&mut command)
    }
}

impl Outcome {
    /// What a program ends with.
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = output(LONGEST, command);
        let [said, complained] =
            [output.stdout, output.stderr].map(|it| String::from_utf8(it).expect("text"));
        Self { code: output.status.code(), said, complained }
    }

    /// What it said, if it ended well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.complained);
        self.said
    }

    /// The one line it complained with, blaming the caller.
    #[track_caller]
    pub(crate) fn refusal(self) -> String {
        assert_eq!(self.code, Some(2), "{}{}", self.said, self.complained);
        assert_eq!(self.complained.trim_end().lines().count(), 1, "{}", self.complained);
        assert_eq!(self.said, "");
        self.complained
    }
}
