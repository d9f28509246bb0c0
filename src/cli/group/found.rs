//! The groups that were found, as text and as JSON.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use siamese_core::file::shown;
use siamese_core::model::{Description, Signature};
use siamese_core::score::{Distance, Group, Threshold};

use super::false_pairs::FalsePairs;
use crate::cli::images::files::PathInJson;
use crate::engine::judgement::{Judge, Provenance};

/// The groups among some images.
#[derive(Serialize)]
pub(super) struct Found<'a> {
    pub(super) groups: Vec<FoundGroup>,
    /// The images that are in no group.
    alone: Vec<PathInJson>,
    images: usize,
    pairs: u64,
    threshold: Threshold,
    operating_point: Provenance,
    /// Absent if the model has no calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    false_pairs: Option<FalsePairs>,
    model: Signature<'a>,
}

#[derive(Serialize)]
pub(super) struct FoundGroup {
    size: usize,
    /// The largest distance between two images of the group.
    greatest: Distance,
    pub(super) images: Vec<Member>,
}

/// An image of a group.
#[derive(Serialize)]
pub(super) struct Member {
    #[serde(flatten)]
    pub(super) path: PathInJson,
    /// The first image of the group that has the same embedding, as its path is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duplicate_of: Option<String>,
}

impl<'a> Found<'a> {
    pub(super) fn new(
        paths: &[PathBuf],
        groups: &[Group],
        judge: &Judge,
        model: &'a Description,
    ) -> Self {
        let threshold = judge.threshold();
        let images = paths.len();
        let count = images as u64;
        let pairs = count * count.saturating_sub(1) / 2;
        let mut is_alone = vec![true; images];
        groups.iter().flat_map(|group| group.members.iter().flatten()).for_each(|&index| {
            is_alone[index] = false;
        });
        let alone = paths.iter().zip(is_alone).filter(|(_, is_alone)| *is_alone);
        let calibration = model.card.calibration.as_ref();
        Self {
            groups: groups.iter().map(|group| FoundGroup::new(paths, group)).collect(),
            alone: alone.map(|(path, _)| PathInJson::from(path.as_path())).collect(),
            images,
            pairs,
            threshold,
            operating_point: judge.provenance(),
            false_pairs: calibration
                .map(|calibration| FalsePairs::of(calibration, threshold, pairs)),
            model: model.signature(),
        }
    }

    /// What to do if false pairs are likely.
    pub(super) fn warning(&self) -> Option<String> {
        self.false_pairs.as_ref().and_then(FalsePairs::warning)
    }

    /// A paragraph for each group, and the summary.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for group in &self.groups {
            let _ = writeln!(text, "{}:", group.title());
            for member in &group.images {
                let _ = writeln!(text, "  {}", member.text());
            }
            text.push('\n');
        }
        for line in self.summary() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// The numbers, in sentences.
    pub(super) fn summary(&self) -> [String; 2] {
        let (groups, alone, images) = (self.groups.len(), self.alone.len(), self.images);
        let members = self.groups.iter().flat_map(|group| &group.images);
        let duplicates = members.filter(|member| member.duplicate_of.is_some()).count();
        let grouped = images - alone;
        [
            format!(
                "{images} images: {grouped} in {groups} groups, {alone} alone; duplicates: {duplicates}. Threshold {:.4}.",
                self.threshold.get()
            ),
            self.false_pairs.as_ref().map_or_else(
                || {
                    "The model has no calibration, so the number of false pairs is unknown."
                        .to_owned()
                },
                FalsePairs::text,
            ),
        ]
    }
}

impl FoundGroup {
    fn new(paths: &[PathBuf], group: &Group) -> Self {
        let members = |copies: &Vec<usize>| {
            let path = |index: usize| paths[index].as_path();
            let first = path(copies[0]);
            let member = move |(place, path): (usize, &Path)| Member {
                path: path.into(),
                duplicate_of: (0 < place).then(|| shown(first)),
            };
            copies.iter().map(|&index| path(index)).enumerate().map(member).collect::<Vec<_>>()
        };
        let images = group.members.iter().flat_map(members).collect();
        Self { size: group.len(), greatest: group.greatest, images }
    }

    pub(super) fn title(&self) -> String {
        format!("{} images, at most {:.4} apart", self.size, self.greatest.get())
    }
}

impl Member {
    /// The path, and what it is a duplicate of.
    pub(super) fn text(&self) -> String {
        let path = shown(&self.path.to_path());
        match &self.duplicate_of {
            Some(first) => format!("{path} (duplicate of {first})"),
            None => path,
        }
    }
}
