//! How a run went: `history.jsonl` in its folder, one JSON object a line.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::RunFolder;

const FILE: &str = "history.jsonl";

/// One line of a run's history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// After which step.
    pub step: u32,
    /// The mean main loss since the entry before.
    pub loss: f64,
    /// The loss of having learned nothing, where the loss has such a floor.
    pub floor: Option<f64>,
    /// The EER in [0, 1], where it was measured at this step.
    pub eer: Option<f64>,
    /// How long the run has taken, in seconds, without the time between a stop and a resumption.
    pub seconds: f64,
}

/// A run's history: what is there already, and what is added.
#[derive(Debug)]
pub struct History {
    file: File,
    entries: Vec<Entry>,
    start: Instant,
    before: f64,
}

impl History {
    /// The history of a run that stands at `step`; what is told of later steps is dropped, as they
    /// are done again.
    ///
    /// # Errors
    ///
    /// If the folder can't be read or written.
    pub fn open(folder: &RunFolder, step: u32) -> anyhow::Result<Self> {
        let path = folder.path().join(FILE);
        let mut entries = read(folder.path());
        entries.retain(|it| it.step <= step);
        let mut text = Vec::new();
        for entry in &entries {
            put(&mut text, entry)?;
        }
        folder.replace(FILE, &text)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("{} can't be written", path.display()))?;
        let before = entries.last().map_or(0.0, |it| it.seconds);
        Ok(Self { file, entries, start: Instant::now(), before })
    }

    /// Adds what a step came to.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn add(
        &mut self,
        step: u32,
        loss: f64,
        floor: Option<f64>,
        eer: Option<f64>,
    ) -> anyhow::Result<()> {
        let seconds = self.before + self.start.elapsed().as_secs_f64();
        let entry = Entry { step, loss, floor, eer, seconds };
        let mut line = Vec::new();
        put(&mut line, &entry)?;
        self.file.write_all(&line).context("the run's history can't be written")?;
        self.entries.push(entry);
        Ok(())
    }

    /// All entries, in the order of their steps.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// The entries of a run's folder, in the order of their steps; none where there is no history. A
/// line that breaks off, as where a run was killed, is passed over.
pub fn read(run: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(run.join(FILE)).unwrap_or_default();
    text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
}

fn put(text: &mut Vec<u8>, entry: &Entry) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *text, entry)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn steps(history: &History) -> Vec<u32> {
        history.entries().iter().map(|it| it.step).collect()
    }

    #[test]
    fn a_resumed_history_forgets_what_is_done_again_and_its_clock_goes_on() {
        let ground = TempDir::new().expect("a folder");
        let folder = RunFolder::create(ground.path()).expect("a run");
        let mut history = History::open(&folder, 0).expect("a history");
        for step in [2, 4, 6] {
            history.add(step, 0.5, Some(0.36), (step == 4).then_some(0.1)).expect("a line");
        }
        let until = history.entries()[1].seconds;
        drop(history);
        let path = ground.path().join(FILE);
        let torn = fs::read_to_string(&path).expect("lines") + "{\"step\":8,\"lo";
        fs::write(&path, torn).expect("a file");

        let mut history = History::open(&folder, 4).expect("a history");
        assert_eq!(steps(&history), [2, 4]);
        history.add(6, 0.25, None, None).expect("a line");
        assert!(until <= history.entries()[2].seconds);

        let lines = fs::read_to_string(&path).expect("lines");
        assert!(
            lines.starts_with("{\"step\":2,\"loss\":0.5,\"floor\":0.36,\"eer\":null,\"seconds\":")
        );
        assert_eq!(read(ground.path()), history.entries());
        assert_eq!(lines.lines().count(), 3);
    }

    #[test]
    fn a_folder_without_a_history_has_none() {
        let ground = TempDir::new().expect("a folder");
        assert_eq!(read(ground.path()), []);
    }
}
