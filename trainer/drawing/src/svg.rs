//! A minimal SVG writer.

use std::fmt::{Display, Write as _};

use crate::style::{PALETTE, STYLE};

/// A point on the drawing, in its own units: x to the right, y downwards.
pub type Place = (f64, f64);

/// A drawing under construction.
#[derive(Debug)]
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    text: String,
}

impl Svg {
    /// Starts an empty drawing. Screen readers read `title`.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: escape(title), text: String::new() }
    }

    /// Makes the drawing at least this high.
    pub(super) fn grow_to(&mut self, height: f64) {
        self.height = self.height.max(height);
    }

    /// A line between two places.
    pub fn line(&mut self, class: &str, (x1, y1): Place, (x2, y2): Place) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// An open line through the places.
    pub fn path(&mut self, class: &str, places: &[Place]) {
        let path = outline(places);
        self.push(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// An area with the places as its corners.
    pub fn area(&mut self, class: &str, corners: &[Place]) {
        let path = outline(corners);
        self.push(format_args!("<path class=\"{class}\" d=\"{path}Z\"/>"));
    }

    /// A rectangle with its upper left corner at the place.
    pub fn rectangle(&mut self, class: &str, (x, y): Place, width: f64, height: f64) {
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"2\"/>"
        ));
    }

    /// A circle around the place.
    pub fn circle(&mut self, class: &str, (x, y): Place, radius: f64) {
        self.push(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>"
        ));
    }

    /// A line of text that begins at the place, or ends or is centred there by its class.
    pub fn text(&mut self, class: &str, (x, y): Place, text: &str) {
        let text = escape(text);
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
    }

    /// A centred line of text that reads upwards.
    pub fn upright_text(&mut self, class: &str, (x, y): Place, text: &str) {
        let text = escape(text);
        self.push(format_args!(
            "<text class=\"middle {class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\">\
             {text}</text>"
        ));
    }

    /// An image that fits into a square with this corner, its proportions kept.
    pub fn image(&mut self, (x, y): Place, side: f64, data_uri: &str) {
        self.push(format_args!(
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" \
             href=\"{data_uri}\"/>"
        ));
    }

    /// A dot in the colour of the `number`-th of many things; hues far from each other come first.
    pub fn dot(&mut self, number: usize, (x, y): Place, radius: f64) {
        let hue = hue(number);
        self.push(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{hue}\" fill-opacity=\".8\"/>"
        ));
    }

    /// A frame in that colour.
    pub fn frame(&mut self, number: usize, (x, y): Place, side: f64) {
        let hue = hue(number);
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" rx=\"2\" \
             fill=\"none\" stroke=\"{hue}\" stroke-width=\"2.5\"/>"
        ));
    }

    /// Returns a standalone document in light colours. The colours are written out, for viewers without CSS variables.
    pub fn finish(self) -> String {
        let Self { width, height, title, text } = self;
        let mut style = STYLE.to_owned();
        for (name, light, _) in PALETTE {
            style = style.replace(&format!("var(--{name})"), light);
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>{title}</title>\n\
             <style>{style}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{text}</svg>\n"
        )
    }

    /// Returns an element for a page that contains the style and the variables.
    pub fn inline(self) -> String {
        let Self { width, height, title, text } = self;
        format!(
            "<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {width} {height}\">\n{text}</svg>\n"
        )
    }

    fn push(&mut self, element: impl Display) {
        writeln!(self.text, "{element}").expect("a String takes all");
    }
}

fn hue(number: usize) -> String {
    // The golden angle gives distant hues to neighbouring numbers.
    format!(
        "hsl({:.0} 62% 52%)",
        f64::from(u32::try_from(number % 1000).unwrap_or(0)) * 137.508 % 360.0
    )
}

/// Escapes text for use in an element or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML forbids the other control characters.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns path commands through the points; points within a quarter of a unit of the last one are omitted.
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
    fn markup_in_text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0, "a \"title\" & more");
        svg.text("note", (1.0, 2.0), "</text><script>\u{7}");
        let text = svg.finish();
        assert!(text.contains("&lt;/text&gt;&lt;script&gt;\u{fffd}</text>"), "{text}");
        assert!(text.contains("<title>a &quot;title&quot; &amp; more</title>"), "{text}");
    }

    #[test]
    fn a_line_omits_invisible_points_but_never_its_end() {
        let places = [(0.0, 0.0), (0.1, 0.1), (5.0, 0.0), (5.1, 0.1)];
        assert_eq!(outline(&places), "M0.0 0.0L5.0 0.0L5.1 0.1");
    }
}
