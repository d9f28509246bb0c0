//! Sees when a tower's files are others.

use std::time::Duration;

use siamese_core::file::{Limited, Looked};

use crate::ops::blocking::on_a_thread;

/// The looks at towers' files.
static LOOKS: Limited = Limited::new();

/// The files of a tower: its own, the sidecar that may stand beside it, and those of its weights.
///
/// They are looked at from time to time, which works wherever files are: links that are turned over and network's
/// file systems tell nobody of a change.
pub struct Watch {
    seen: Looked,
    before: Looked,
    /// How long a look may take.
    limit: Duration,
    /// Whether the last look took longer.
    hangs: bool,
}

impl Watch {
    /// Begins with the files as they were read.
    pub fn new(read: Looked, limit: Duration) -> Self {
        Self { before: read.clone(), seen: read, limit, hangs: false }
    }

    /// Begins anew with files as they were read; they need not be those that were watched before.
    pub fn begin(&mut self, read: Looked) {
        *self = Self { hangs: self.hangs, ..Self::new(read, self.limit) };
    }

    /// Waits until the files are others and stay so from one look to the next: what is still being written is no tower
    /// yet.
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

    /// The files as they are now; `None` where they do not answer.
    async fn look(&mut self) -> Option<Looked> {
        let (files, limit) = (self.seen.clone(), self.limit);
        let looked = on_a_thread(move || LOOKS.run(limit, move || files.again())).await.flatten();
        let hung = std::mem::replace(&mut self.hangs, looked.is_err());
        match &looked {
            Err(err) if !hung => {
                tracing::error!(%err, "the tower's files can't be looked at; the tower in service goes on");
            }
            Ok(_) if hung => tracing::info!("the tower's files can be looked at again"),
            _ => {}
        }
        looked.ok()
    }

    fn is_another(&mut self, now: Looked) -> bool {
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

    fn look(files: &[&Path]) -> Looked {
        let mut looked = Looked::default();
        for file in files {
            looked.note(file, None);
        }
        looked.again()
    }

    #[test]
    fn a_file_is_another_once_it_has_been_written() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let [tower, sidecar] = ["tower.onnx", "tower.toml"].map(|name| folder.path().join(name));
        let files = [tower.as_path(), sidecar.as_path()];
        fs::write(&tower, "one").expect("written");
        let mut watch = Watch::new(look(&files), Duration::from_secs(1));
        assert!(!watch.is_another(look(&files)), "nothing was written");
        for text in ["one, and", "one, and two"] {
            fs::write(&tower, text).expect("written");
            assert!(!watch.is_another(look(&files)), "it is still being written");
        }
        assert!(watch.is_another(look(&files)));
        assert!(!watch.is_another(look(&files)), "it was told");

        fs::write(&sidecar, "threshold = 1").expect("written");
        assert!(!watch.is_another(look(&files)));
        assert!(watch.is_another(look(&files)));
    }

    #[test]
    fn a_file_of_the_same_size_and_time_is_another() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let [tower, fresh] = ["tower.onnx", "fresh"].map(|name| folder.path().join(name));
        fs::write(&tower, "one").expect("written");
        let before = look(&[&tower]);
        fs::write(&fresh, "two").expect("written");
        let time = fs::metadata(&tower).and_then(|it| it.modified()).expect("a time");
        let file = fs::File::options().write(true).open(&fresh).expect("a file");
        file.set_modified(time).expect("set");
        fs::rename(&fresh, &tower).expect("renamed");
        assert_ne!(look(&[&tower]), before);
    }
}
