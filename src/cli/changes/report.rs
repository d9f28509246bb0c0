//! A page with the differences of two folders.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use siamese_core::score::Threshold;

use super::folders::{FileResult, OfName, Outcomes, Views};
use crate::cli::images::read;

/// The page is one file: it contains its images.
const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What has changed</title><style>
:root { color-scheme: light dark; --line: #d0d4dc; --quiet: #5a6372; --bad: #b3162c; --good: #1a6b3c }
@media (prefers-color-scheme: dark) { :root { --line: #3a4150; --quiet: #a2abba; --bad: #ff7d8a; --good: #6fd09a } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem }
section { border-top: 1px solid var(--line); padding: 1rem 0 } h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere }
p { margin: .25rem 0; color: var(--quiet) } .bad { color: var(--bad) } .good { color: var(--good) }
.views { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); margin-top: .5rem }
figure { margin: 0 } img { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px }
figcaption { color: var(--quiet); font-size: .9rem } ul { columns: 20rem; padding-left: 1.2rem; overflow-wrap: anywhere }
</style></head><body>
"#;

/// The page: changed files first, with their images, then those that could not be compared, then the others.
pub(super) fn page(outcomes: &Outcomes, threshold: Threshold) -> String {
    let mut page = HEAD.to_owned();
    let (all, unchanged) = (outcomes.len(), outcomes.unchanged());
    let class = if unchanged == all { "good" } else { "bad" };
    let threshold = threshold.get();
    let _ = writeln!(
        page,
        "<h1>What has changed</h1>\n<p><strong class=\"{class}\">{} of {all} files</strong> differ or could not be compared. \
         A cell is changed if its distance is greater than {threshold:.4}.</p>",
        all - unchanged
    );
    for file in outcomes.files() {
        if let FileResult::Changed { greatest, regions, views: Some(views) } = &file.result {
            changed(&mut page, file, *greatest, *regions, views);
        }
    }
    for OfName { name, result } in outcomes.files() {
        let why = match result {
            FileResult::Added => "Only the second folder has this file.",
            FileResult::Removed => "Only the first folder has this file.",
            FileResult::Failed { error } => error,
            FileResult::Changed { .. } | FileResult::Unchanged { .. } => continue,
        };
        let (name, why) = (escaped(name), escaped(why));
        let _ = writeln!(page, "<section><h2>{name}</h2><p class=\"bad\">{why}</p></section>");
    }
    if 0 < unchanged {
        page.push_str("<section><h2>Unchanged</h2><ul>\n");
        for OfName { name, result } in outcomes.files() {
            if let FileResult::Unchanged { greatest } = result {
                let _ = writeln!(page, "<li>{} ({greatest:.4})</li>", escaped(name));
            }
        }
        page.push_str("</ul></section>\n");
    }
    page + "</body></html>\n"
}

fn changed(page: &mut String, file: &OfName, greatest: f64, regions: usize, views: &Views) {
    let name = escaped(&file.name);
    let _ = writeln!(
        page,
        "<section><h2>{name}</h2><p>Regions: {regions}; greatest distance {greatest:.4}</p><div class=\"views\">"
    );
    let bytes = |path| read(path).unwrap_or_default();
    let images = [
        ("Before", bytes(&views.before)),
        ("After", bytes(&views.after)),
        ("Changed", views.heat_map.clone()),
    ];
    for (caption, image) in images {
        let media = media(&image);
        let image = BASE64_STANDARD.encode(image);
        let _ = writeln!(
            page,
            "<figure><img alt=\"{caption}: {name}\" src=\"data:{media};base64,{image}\"><figcaption>{caption}</figcaption></figure>"
        );
    }
    page.push_str("</div></section>\n");
}

/// The media type by the first bytes: a browser shows no image without one.
fn media(image: &[u8]) -> &'static str {
    match image {
        [0x89, b'P', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_text() {
        assert_eq!(escaped(r#"<a href="&">"#), "&lt;a href=&quot;&amp;&quot;&gt;");
    }
}
