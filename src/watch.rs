//! Sees when a tower's file is another.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A tower's file, and the sidecar that may stand beside it.
///
/// They are looked at from time to time, which works wherever files are: links that are turned over and network's
/// file systems tell nobody of a change.
pub struct Watch {
    files: [PathBuf; 2],
    seen: [Stamp; 2],
}

/// When a file was last written, and its size; `None` where there is none.
type Stamp = Option<(SystemTime, u64)>;

impl Watch {
    /// Begins with the files as they are now.
    pub fn new(tower: &Path) -> Self {
        let files = [tower.to_owned(), tower.with_extension("toml")];
        let seen = stamps(&files);
        Self { files, seen }
    }

    /// Waits until the files are others and stay so from one look to the next: what is still being written is no tower
    /// yet.
    pub async fn changed(&mut self, interval: Duration) {
        let mut before = self.seen;
        loop {
            tokio::time::sleep(interval).await;
            let now = stamps(&self.files);
            if now == before && now != self.seen {
                self.seen = now;
                return;
            }
            before = now;
        }
    }
}

fn stamps(files: &[PathBuf; 2]) -> [Stamp; 2] {
    files.each_ref().map(|file| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_file_is_another_once_it_has_been_written() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let tower = folder.path().join("tower.onnx");
        fs::write(&tower, "one").expect("written");
        let mut watch = Watch::new(&tower);
        {
            let mut changed = pin!(watch.changed(SECOND));
            assert!(changed.as_mut().now_or_never().is_none());
            tokio::time::advance(3 * SECOND).await;
            assert!(changed.as_mut().now_or_never().is_none(), "nothing was written");
            for text in ["one, and", "one, and two"] {
                fs::write(&tower, text).expect("written");
                tokio::time::advance(SECOND).await;
                assert!(changed.as_mut().now_or_never().is_none(), "it is still being written");
            }
            changed.await;
        }
        fs::write(tower.with_extension("toml"), "threshold = 1").expect("written");
        watch.changed(SECOND).await;
        assert!(watch.changed(SECOND).now_or_never().is_none());
    }
}
