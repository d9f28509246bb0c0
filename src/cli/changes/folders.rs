//! Two folders, compared file by file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use siamese_core::file::shown;

use crate::cli::Failure;
use crate::cli::images::files::files;
use crate::engine::judgement::{ChangeJudge, ChangeVerdict};
use crate::engine::pipeline::Compared;

/// The results for all names of files in two folders.
#[derive(Serialize)]
pub(super) struct Outcomes {
    threshold: f64,
    files: Vec<OfName>,
}

/// The result for one name.
#[derive(Serialize)]
pub(super) struct OfName {
    /// The path in both folders.
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) result: FileResult,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(super) enum FileResult {
    Unchanged {
        greatest: f64,
    },
    Changed {
        greatest: f64,
        regions: usize,
        #[serde(skip)]
        views: Option<Box<Views>>,
    },
    /// Only the second folder has it.
    Added,
    /// Only the first folder has it.
    Removed,
    Failed {
        error: String,
    },
}

/// The pictures of a changed file.
pub(super) struct Views {
    pub(super) before: PathBuf,
    pub(super) after: PathBuf,
    /// A PNG.
    pub(super) heat_map: Vec<u8>,
}

impl Outcomes {
    /// Compares the files of two folders by their paths in these. Changes are drawn only on demand, because drawings take
    /// memory.
    pub(super) fn of(
        [before, after]: [&Path; 2],
        judge: &ChangeJudge,
        is_drawn: bool,
        compare: impl Fn(&Path, &Path) -> Result<Result<Compared, String>, Failure>,
    ) -> Result<Self, Failure> {
        let mut names: BTreeMap<PathBuf, [Option<PathBuf>; 2]> = BTreeMap::new();
        for (index, folder) in [before, after].into_iter().enumerate() {
            for path in files(&[folder.to_owned()])? {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                names.entry(name).or_default()[index] = Some(path);
            }
        }
        let mut found = Vec::with_capacity(names.len());
        for (name, paths) in names {
            let result = match paths {
                [Some(before), Some(after)] => match compare(&before, &after)? {
                    Ok(compared) => {
                        FileResult::of(&compared, judge, is_drawn.then_some([before, after]))
                    }
                    Err(error) => FileResult::Failed { error },
                },
                [None, _] => FileResult::Added,
                [_, None] => FileResult::Removed,
            };
            found.push(OfName { name: shown(&name), result });
        }
        Ok(Self { threshold: judge.threshold().get(), files: found })
    }

    pub(super) fn files(&self) -> &[OfName] {
        &self.files
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The number of files that could not be compared.
    pub(super) fn failed(&self) -> usize {
        self.count(|result| matches!(result, FileResult::Failed { .. }))
    }

    /// Whether a file is changed, added or removed.
    pub(super) fn is_changed(&self) -> bool {
        0 < self.len() - self.failed() - self.unchanged()
    }

    pub(super) fn unchanged(&self) -> usize {
        self.count(|result| matches!(result, FileResult::Unchanged { .. }))
    }

    fn count(&self, is_counted: impl Fn(&FileResult) -> bool) -> usize {
        self.files.iter().filter(|file| is_counted(&file.result)).count()
    }

    /// A line for each file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for OfName { name, result } in &self.files {
            let _ = match result {
                FileResult::Unchanged { greatest } => {
                    writeln!(text, "unchanged  {greatest:.4}  {name}")
                }
                FileResult::Changed { greatest, regions, .. } => {
                    writeln!(text, "changed    {greatest:.4}  {name}  (regions: {regions})")
                }
                FileResult::Added => writeln!(text, "added              {name}"),
                FileResult::Removed => writeln!(text, "removed            {name}"),
                FileResult::Failed { error } => {
                    writeln!(text, "failed             {name}: {error}")
                }
            };
        }
        text
    }
}

impl FileResult {
    fn of(compared: &Compared, judge: &ChangeJudge, paths: Option<[PathBuf; 2]>) -> Self {
        let greatest = compared.distances.greatest();
        match judge.verdict(greatest) {
            ChangeVerdict::Unchanged => Self::Unchanged { greatest },
            ChangeVerdict::Changed => {
                let threshold = judge.threshold();
                let views = paths.map(|[before, after]| {
                    Box::new(Views { before, after, heat_map: compared.heat_map(threshold) })
                });
                Self::Changed { greatest, regions: compared.regions(threshold).len(), views }
            }
        }
    }
}
