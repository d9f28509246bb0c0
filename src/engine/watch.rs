//! Detects that a model's files have changed.

use std::time::Duration;

use siamese_core::file::{FileStamps, Limited};

use crate::ops::blocking::on_a_thread;

/// The file checks, with their timeout.
static LOOKS: Limited = Limited::new();

/// Watches the files of a model: the ONNX file, the sidecar and the weight files.
///
/// The files are checked at intervals. This works on every file system; changed symbolic links and network file
/// systems give no notification.
pub struct Watch {
    seen: FileStamps,
    before: FileStamps,
    /// The time limit of a check.
    limit: Duration,
    /// Whether the last check exceeded the limit.
    hangs: bool,
}

impl Watch {
    /// Starts with the stamps of the files at their last read.
    pub fn new(read: FileStamps, limit: Duration) -> Self {
        Self { before: read.clone(), seen: read, limit, hangs: false }
    }

    /// Starts again after the files were read. They may be other files than before.
    pub fn begin(&mut self, read: FileStamps) {
        *self = Self { hangs: self.hangs, ..Self::new(read, self.limit) };
    }

    /// Waits until the files have changed and are then the same in two checks. A file that is still being written is
    /// not yet a model.
    pub async fn changed(&mut self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if let Some(now) = self.look().await
                && self.is_another(now)
            {
                return;
            }
        }
    }

    /// The stamps of the files now; `None` if the file system does not respond.
    async fn look(&mut self) -> Option<FileStamps> {
        let (files, limit) = (self.seen.clone(), self.limit);
        let stamps = on_a_thread(move || LOOKS.run(limit, move || files.again())).await.flatten();
        let hung = std::mem::replace(&mut self.hangs, stamps.is_err());
        match &stamps {
            Err(err) if !hung => {
                tracing::error!(%err, "the model's files can't be checked; the current model stays in service");
            }
            Ok(_) if hung => tracing::info!("the model's files can be checked again"),
            _ => {}
        }
        stamps.ok()
    }

    fn is_another(&mut self, now: FileStamps) -> bool {
        let is_another = now == self.before && now != self.seen;
        if is_another {
            self.seen = now.clone();
        }
        self.before = now;
        is_another
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn look(files: &[&Path]) -> FileStamps {
        let mut stamps = FileStamps::default();
        for file in files {
            stamps.note(file, None);
        }
        stamps.again()
    }

    #[test]
    fn a_file_has_changed_once_it_is_completely_written() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let [model, sidecar] = ["model.onnx", "model.toml"].map(|name| folder.path().join(name));
        let files = [model.as_path(), sidecar.as_path()];
        fs::write(&model, "one").expect("written");
        let mut watch = Watch::new(look(&files), Duration::from_secs(1));
        assert!(!watch.is_another(look(&files)), "nothing was written");
        for text in ["one, and", "one, and two"] {
            fs::write(&model, text).expect("written");
            assert!(!watch.is_another(look(&files)), "it is still being written");
        }
        assert!(watch.is_another(look(&files)));
        assert!(!watch.is_another(look(&files)), "it was reported");

        fs::write(&sidecar, "threshold = 1").expect("written");
        assert!(!watch.is_another(look(&files)));
        assert!(watch.is_another(look(&files)));
    }

    #[test]
    fn a_replaced_file_of_the_same_size_and_time_has_changed() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let [model, fresh] = ["model.onnx", "fresh"].map(|name| folder.path().join(name));
        fs::write(&model, "one").expect("written");
        let before = look(&[&model]);
        fs::write(&fresh, "two").expect("written");
        let time = fs::metadata(&model).and_then(|metadata| metadata.modified()).expect("a time");
        let file = fs::File::options().write(true).open(&fresh).expect("a file");
        file.set_modified(time).expect("set");
        fs::rename(&fresh, &model).expect("renamed");
        assert_ne!(look(&[&model]), before);
    }
}
