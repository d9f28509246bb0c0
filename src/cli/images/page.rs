//! Pages with images: one HTML file each, without external resources.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #d0d4dc; --quiet: #5a6372; --bad: #b3162c; --good: #1a6b3c }
@media (prefers-color-scheme: dark) { :root { --line: #3a4150; --quiet: #a2abba; --bad: #ff7d8a; --good: #6fd09a } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem }
section { border-top: 1px solid var(--line); padding: 1rem 0 } h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere }
p { margin: .25rem 0; color: var(--quiet) } .bad { color: var(--bad) } .good { color: var(--good) }
.views { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); margin-top: .5rem }
.small { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)) }
figure { margin: 0 } img { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px }
figcaption { color: var(--quiet); font-size: .9rem; overflow-wrap: anywhere }
ul { columns: 20rem; padding-left: 1.2rem; overflow-wrap: anywhere }
";

/// The start of a page, with its title as a heading.
pub(in crate::cli) fn start(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    )
}

/// The end of a page.
pub(in crate::cli) const END: &str = "</body></html>\n";

/// Adds an image with a caption. All texts are escaped.
pub(in crate::cli) fn add_figure(
    page: &mut String,
    image: &[u8],
    alternative: &str,
    caption: &str,
) {
    let (alternative, caption) = (escaped(alternative), escaped(caption));
    let (media, image) = (media(image), BASE64_STANDARD.encode(image));
    let _ = writeln!(
        page,
        "<figure><img alt=\"{alternative}\" src=\"data:{media};base64,{image}\"><figcaption>{caption}</figcaption></figure>"
    );
}

/// A text as HTML.
pub(in crate::cli) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_text() {
        assert_eq!(escaped(r#"<a href="&">"#), "&lt;a href=&quot;&amp;&quot;&gt;");
    }
}
