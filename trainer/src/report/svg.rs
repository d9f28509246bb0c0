//! Just enough SVG to draw on.

use std::fmt::{Display, Write as _};

/// The look of every drawing: the field's usual sober black on white, with one hue a meaning.
const STYLE: &str = "\
text{font:13px system-ui,'Segoe UI','DejaVu Sans',Helvetica,sans-serif;fill:#1f2937}\
.title{font-size:17px;font-weight:600}\
.note{fill:#6b7280;font-size:12px}\
.tick{fill:#4b5563;font-size:12px}\
.middle{text-anchor:middle}.end{text-anchor:end}\
.grid{stroke:#e5e7eb;stroke-width:1}\
.axis{stroke:#9ca3af;stroke-width:1}\
.curve{fill:none;stroke:#1d4ed8;stroke-width:2;stroke-linejoin:round}\
.band{fill:#1d4ed8;fill-opacity:.13}\
.guide{stroke:#6b7280;stroke-width:1;stroke-dasharray:4 4}\
.same{fill:#0f766e;fill-opacity:.3;stroke:#0f766e;stroke-width:1.5;stroke-linejoin:round}\
.different{fill:#d97706;fill-opacity:.3;stroke:#b45309;stroke-width:1.5;stroke-linejoin:round}\
.threshold{stroke:#b91c1c;stroke-width:2}\
.mark{fill:#fff;stroke:#1d4ed8;stroke-width:2}\
.mark-threshold{fill:#b91c1c;stroke:#fff;stroke-width:1.5}\
.panel{fill:#fff;fill-opacity:.9;stroke:#e5e7eb}\
.wrong{fill:none;stroke:#b91c1c;stroke-width:2}\
.right{fill:none;stroke:#d1d5db;stroke-width:1}\
.error{fill:#b91c1c}";

/// A place on the drawing, in its own units: x to the right, y downwards.
pub(super) type Place = (f64, f64);

/// A drawing in the making.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// An empty drawing on white. `title` is what a reader hears of it that doesn't see it.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self { text: String::new() };
        svg.push(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n\
             <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
            escape(title)
        ));
        svg
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): Place, (x2, y2): Place) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// An open line through the places.
    pub(super) fn path(&mut self, class: &str, places: &[Place]) {
        let path = outline(places);
        self.push(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// An area with the places as its corners.
    pub(super) fn area(&mut self, class: &str, corners: &[Place]) {
        let path = outline(corners);
        self.push(format_args!("<path class=\"{class}\" d=\"{path}Z\"/>"));
    }

    pub(super) fn rectangle(&mut self, class: &str, (x, y): Place, width: f64, height: f64) {
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"2\"/>"
        ));
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): Place, radius: f64) {
        self.push(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>"
        ));
    }

    /// A line of text that begins at the place, or ends or is centred there by its class.
    pub(super) fn text(&mut self, class: &str, (x, y): Place, text: &str) {
        let text = escape(text);
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
    }

    /// A centred line of text that reads upwards.
    pub(super) fn upright_text(&mut self, class: &str, (x, y): Place, text: &str) {
        let text = escape(text);
        self.push(format_args!(
            "<text class=\"middle {class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\">\
             {text}</text>"
        ));
    }

    /// A picture that fits into a square with this corner, its proportions kept.
    pub(super) fn picture(&mut self, (x, y): Place, side: f64, data_uri: &str) {
        self.push(format_args!(
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" \
             href=\"{data_uri}\"/>"
        ));
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn push(&mut self, element: impl Display) {
        writeln!(self.text, "{element}").expect("a String takes all");
    }
}

/// Text as it may stand in an element or between quotes, whatever somebody named a file.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no place for the rest of the control characters.
            it if it.is_control() => escaped.push('\u{fffd}'),
            it => escaped.push(it),
        }
    }
    escaped
}

/// Path commands through the places; those that lie within a quarter of a unit are left out.
fn outline(places: &[Place]) -> String {
    let mut path = String::new();
    let mut drawn: Option<Place> = None;
    for (at, &(x, y)) in places.iter().enumerate() {
        let near = drawn.is_some_and(|(a, b)| (x - a).abs() < 0.25 && (y - b).abs() < 0.25);
        if near && at + 1 < places.len() {
            continue;
        }
        let command = if drawn.is_none() { 'M' } else { 'L' };
        write!(path, "{command}{x:.1} {y:.1}").expect("a String takes all");
        drawn = Some((x, y));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_text() {
        let mut svg = Svg::new(10.0, 10.0, "a \"title\" & more");
        svg.text("note", (1.0, 2.0), "</text><script>\u{7}");
        let text = svg.finish();
        assert!(text.contains("&lt;/text&gt;&lt;script&gt;\u{fffd}</text>"), "{text}");
        assert!(text.contains("<title>a &quot;title&quot; &amp; more</title>"), "{text}");
    }

    #[test]
    fn a_line_leaves_out_what_can_not_be_seen_but_never_its_end() {
        let places = [(0.0, 0.0), (0.1, 0.1), (5.0, 0.0), (5.1, 0.1)];
        assert_eq!(outline(&places), "M0.0 0.0L5.0 0.0L5.1 0.1");
    }
}
