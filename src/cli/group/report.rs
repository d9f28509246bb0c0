//! A page with the images of all groups.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::found::{Found, FoundGroup, Member};
use crate::cli::images::page::{END, add_figure, escaped, start};

/// The most images that the page shows of a group, and of all groups. The others are named: a page of all would be too
/// large for a browser.
const MOST_IMAGES: [usize; 2] = [12, 300];

/// The page. `show` returns a PNG of each file that it can read.
pub(super) fn page(found: &Found, show: impl Fn(&[PathBuf]) -> Vec<Option<Vec<u8>>>) -> String {
    let mut page = start("Groups of images");
    for line in found.summary() {
        let _ = writeln!(page, "<p>{line}</p>");
    }
    let mut left = MOST_IMAGES[1];
    for group in &found.groups {
        let shown = add_group(&mut page, group, left.min(MOST_IMAGES[0]), &show);
        left -= shown;
    }
    page + END
}

/// Adds a group, and returns the number of images that it shows.
fn add_group(
    page: &mut String,
    group: &FoundGroup,
    most: usize,
    show: impl Fn(&[PathBuf]) -> Vec<Option<Vec<u8>>>,
) -> usize {
    let (mut shown, mut named): (Vec<&Member>, Vec<&Member>) = (Vec::new(), Vec::new());
    for member in &group.images {
        // A duplicate looks like the first one.
        let is_shown = member.duplicate_of.is_none() && shown.len() < most;
        if is_shown { &mut shown } else { &mut named }.push(member);
    }
    let paths: Vec<PathBuf> = shown.iter().map(|member| member.path.to_path()).collect();
    let _ =
        writeln!(page, "<section><h2>{}</h2><div class=\"views small\">", escaped(&group.title()));
    for (member, image) in shown.iter().zip(show(&paths)) {
        if let Some(image) = image {
            add_figure(page, &image, "", &member.text());
        } else {
            let _ = writeln!(page, "<p>{}</p>", escaped(&member.text()));
        }
    }
    page.push_str("</div>\n");
    if !named.is_empty() {
        page.push_str("<ul>\n");
        for member in named {
            let _ = writeln!(page, "<li>{}</li>", escaped(&member.text()));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</section>\n");
    shown.len()
}
