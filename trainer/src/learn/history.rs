//! The history of a run: `history.jsonl` in the run folder, with one JSON object per line.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::RunFolder;

const FILE: &str = "history.jsonl";

/// One line of a history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of completed steps.
    pub step: u32,
    /// The mean main loss since the previous entry.
    pub loss: f64,
    /// The loss of a network that has learned nothing, if the loss has such a floor.
    pub floor: Option<f64>,
    /// The EER in [0, 1], if it was measured at this step.
    pub eer: Option<f64>,
    /// The duration of the run in seconds, without the time between a stop and a resume.
    pub seconds: f64,
}

/// The history of a run.
#[derive(Debug)]
pub struct History {
    file: File,
    entries: Vec<Entry>,
    start: Instant,
    before: f64,
}

impl History {
    /// Opens the history of a run at `step`. Entries of later steps are removed, because these steps run again.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written.
    pub fn open(folder: &RunFolder, step: u32) -> anyhow::Result<Self> {
        let path = folder.path().join(FILE);
        let mut entries = read(folder.path());
        entries.retain(|entry| entry.step <= step);
        let mut text = Vec::new();
        for entry in &entries {
            put(&mut text, entry)?;
        }
        folder.replace(FILE, &text)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let before = entries.last().map_or(0.0, |entry| entry.seconds);
        Ok(Self { file, entries, start: Instant::now(), before })
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
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
        self.file.write_all(&line).context("the history of the run cannot be written")?;
        self.entries.push(entry);
        Ok(())
    }

    /// Returns all entries, in the order of their steps.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Reads the entries of a run folder, in the order of their steps; none if there is no history. An incomplete line, as a
/// killed run may leave it, is ignored.
pub fn read(run: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(run.join(FILE)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
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
        history.entries().iter().map(|entry| entry.step).collect()
    }

    #[test]
    fn a_resumed_history_drops_later_steps_and_continues_its_clock() {
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
