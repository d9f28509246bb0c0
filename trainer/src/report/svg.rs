//! Just enough SVG to draw on.

use std::fmt::{Display, Write as _};

/// Colours by name: on light and on dark ground.
const PALETTE: [(&str, &str, &str); 13] = [
    ("ground", "#ffffff", "#15181e"),
    ("raised", "#f5f6f8", "#1e232b"),
    ("ink", "#1f2937", "#e5e7eb"),
    ("quiet", "#6b7280", "#9aa3b2"),
    ("grid", "#e5e7eb", "#2b313c"),
    ("axis", "#9ca3af", "#5b6472"),
    ("accent", "#1d4ed8", "#7aa2ff"),
    ("same", "#0f766e", "#2dd4bf"),
    ("different", "#d97706", "#fbbf24"),
    ("different-line", "#b45309", "#f59e0b"),
    ("alarm", "#b91c1c", "#f87171"),
    ("frame", "#d1d5db", "#3b4350"),
    ("seen", "#7c3aed", "#c4a5ff"),
];

/// The look of every drawing: sober, with one hue a meaning.
pub(super) const STYLE: &str = "\
svg text{font:13px system-ui,'Segoe UI','DejaVu Sans',Helvetica,sans-serif;fill:var(--ink)}\
svg .title{font-size:16px;font-weight:600}\
svg .note{fill:var(--quiet);font-size:12px}\
svg .tick{fill:var(--quiet);font-size:12px}\
svg .halo{font-weight:600;paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}\
svg .middle{text-anchor:middle}svg .end{text-anchor:end}\
svg .grid{stroke:var(--grid);stroke-width:1}\
svg .axis{stroke:var(--axis);stroke-width:1}\
svg .curve{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}\
svg .second{fill:none;stroke:var(--seen);stroke-width:2;stroke-linejoin:round}\
svg .whisker{fill:none;stroke:var(--accent);stroke-width:1.5}\
svg .band{fill:var(--accent);fill-opacity:.15}\
svg .band-second{fill:var(--seen);fill-opacity:.15}\
svg .mark-second{fill:var(--ground);stroke:var(--seen);stroke-width:2}\
svg .guide{fill:none;stroke:var(--quiet);stroke-width:1;stroke-dasharray:4 4}\
svg .same{fill:var(--same);fill-opacity:.3;stroke:var(--same);stroke-width:1.5;stroke-linejoin:round}\
svg .different{fill:var(--different);fill-opacity:.3;stroke:var(--different-line);stroke-width:1.5;stroke-linejoin:round}\
svg .threshold{stroke:var(--alarm);stroke-width:2}\
svg .mark{fill:var(--ground);stroke:var(--accent);stroke-width:2}\
svg .mark-threshold{fill:var(--alarm);stroke:var(--ground);stroke-width:1.5}\
svg .panel{fill:var(--ground);fill-opacity:.88;stroke:var(--grid)}\
svg .wrong{fill:none;stroke:var(--alarm);stroke-width:2}\
svg .right{fill:none;stroke:var(--frame);stroke-width:1}\
svg .error{fill:var(--alarm)}";

/// The palette as variables of a page, for either theme.
pub(super) fn variables() -> String {
    let of = |dark: bool| {
        let one = |(name, light, night): &(&str, &str, &str)| {
            format!("--{name}:{};", if dark { night } else { light })
        };
        PALETTE.iter().map(one).collect::<String>()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}",
        of(false),
        of(true)
    )
}

/// A place on the drawing, in its own units: x to the right, y downwards.
pub(super) type Place = (f64, f64);

/// A drawing in the making.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    text: String,
}

impl Svg {
    /// An empty drawing. `title` is what a reader hears of it that doesn't see it.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: escape(title), text: String::new() }
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

    /// A dot in the colour of the `number`-th of many things; hues far from each other come first.
    pub(super) fn dot(&mut self, number: usize, (x, y): Place, radius: f64) {
        let hue = hue(number);
        self.push(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{hue}\" fill-opacity=\".8\"/>"
        ));
    }

    /// A frame in that colour.
    pub(super) fn frame(&mut self, number: usize, (x, y): Place, side: f64) {
        let hue = hue(number);
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" rx=\"2\" \
             fill=\"none\" stroke=\"{hue}\" stroke-width=\"2.5\"/>"
        ));
    }

    /// A document of its own, in light colours, which are written out for readers without variables.
    pub(super) fn finish(self) -> String {
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

    /// An element of a page that has the style and the variables.
    pub(super) fn inline(self) -> String {
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
    // The golden angle.
    format!(
        "hsl({:.0} 62% 52%)",
        f64::from(u32::try_from(number % 1000).unwrap_or(0)) * 137.508 % 360.0
    )
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
