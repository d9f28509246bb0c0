//! A chart with two axes.

use crate::axis::Axis;
use crate::svg::{Place, Svg};

// Small, so that text is readable on a phone, which shows the chart at two thirds of its size.
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = WIDTH - 26.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 62.0;

/// The assumed width of a letter, for panels around text.
const LETTER: f64 = 6.9;

/// A drawing with a title, two axes and a grid.
#[derive(Debug)]
pub struct Chart {
    svg: Svg,
    x: Axis,
    y: Axis,
}

/// The symbol of a line in a legend.
#[derive(Clone, Copy, Debug)]
pub enum Symbol {
    /// A line.
    Line(&'static str),
    /// A filled area.
    Area(&'static str),
    /// A round mark.
    Mark(&'static str),
}

/// The corner of a legend.
#[derive(Clone, Copy, Debug)]
pub enum Corner {
    /// Above, on the right.
    TopRight,
    /// Below, on the right.
    BottomRight,
    /// Below, on the left.
    BottomLeft,
}

impl Chart {
    /// Draws the empty frame.
    pub fn new(title: &str, note: &str, x: Axis, y: Axis) -> Self {
        let mut svg = Svg::new(WIDTH, HEIGHT, &format!("{title}. {note}"));
        svg.text("title", (LEFT, 28.0), title);
        let mut chart = Self { svg, x, y };
        let mut free_from = 0.0;
        for (value, label) in chart.x.ticks().to_vec() {
            let at = chart.across(value);
            chart.svg.line("grid", (at, TOP), (at, BOTTOM));
            let half = f64::from(u32::try_from(label.len()).unwrap_or(u32::MAX)) * LETTER / 2.0;
            if free_from <= at - half {
                chart.svg.text("tick middle", (at, BOTTOM + 20.0), &label);
                free_from = at + half + LETTER;
            }
        }
        for (value, label) in chart.y.ticks().to_vec() {
            let at = chart.up(value);
            chart.svg.line("grid", (LEFT, at), (RIGHT, at));
            chart.svg.text("tick end", (LEFT - 8.0, at + 4.0), &label);
        }
        chart.svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
        chart.svg.line("axis", (LEFT, TOP), (LEFT, BOTTOM));
        let [middle, centre] = [LEFT.midpoint(RIGHT), TOP.midpoint(BOTTOM)];
        chart.svg.text("middle", (middle, HEIGHT - 16.0), &chart.x.label);
        chart.svg.upright_text("", (20.0, centre), &chart.y.label);
        chart
    }

    /// Draws a line through points. Parts outside the range of an axis are omitted, except for the first and last point of
    /// each.
    pub fn curve(&mut self, class: &str, points: &[Place]) {
        let beyond = |(x, y): &Place| [self.x.is_beyond(*x), self.y.is_beyond(*y)];
        let runs_beyond = |at: usize| {
            let near = at.saturating_sub(1)..points.len().min(at + 2);
            (0..2).any(|axis| {
                (0..2).any(|end| points[near.clone()].iter().all(|point| beyond(point)[axis][end]))
            })
        };
        let seen = (0..points.len()).filter(|at| !runs_beyond(*at));
        let places: Vec<_> = seen.map(|at| self.place(points[at])).collect();
        self.svg.path(class, &places);
    }

    /// Draws an area with the given corners.
    pub fn area(&mut self, class: &str, corners: &[Place]) {
        let places: Vec<_> = corners.iter().map(|corner| self.place(*corner)).collect();
        self.svg.area(class, &places);
    }

    /// Draws a round mark at a point, unless it is above the high end of an axis. A value below the low end, such as a rate
    /// of 0 on a logarithmic axis, is marked at the low end.
    pub fn mark(&mut self, class: &str, point: Place) {
        if self.x.is_beyond(point.0)[1] || self.y.is_beyond(point.1)[1] {
            return;
        }
        let place = self.place(point);
        self.svg.circle(class, place, 5.0);
    }

    /// Draws a vertical line at a value of x, with text at its upper end, on the side with more space.
    pub fn upright(&mut self, class: &str, x: f64, words: &str) {
        let at = self.across(x);
        self.svg.line(class, (at, TOP), (at, BOTTOM));
        let (anchor, beside) =
            if at < LEFT.midpoint(RIGHT) { ("", at + 8.0) } else { ("end", at - 8.0) };
        self.svg.text(anchor, (beside, TOP + 14.0), words);
    }

    /// Draws the legend.
    pub fn legend(&mut self, corner: Corner, lines: &[(Symbol, String)]) {
        const ROW: f64 = 21.0;
        let letters = lines.iter().map(|(_, text)| text.chars().count()).max().unwrap_or_default();
        let width = 52.0 + f64::from(u32::try_from(letters).unwrap_or(u32::MAX)) * LETTER;
        let height = 12.0 + ROW * f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let [right, bottom] = [RIGHT - 10.0 - width, BOTTOM - 10.0 - height];
        let (left, top) = match corner {
            Corner::TopRight => (right, TOP + 10.0),
            Corner::BottomRight => (right, bottom),
            Corner::BottomLeft => (LEFT + 10.0, bottom),
        };
        self.svg.rectangle("panel", (left, top), width, height);
        for (row, (symbol, text)) in (0..).zip(lines) {
            let middle = top + 6.0 + ROW * (f64::from(row) + 0.5);
            match symbol {
                Symbol::Line(class) => {
                    self.svg.line(class, (left + 10.0, middle), (left + 34.0, middle));
                }
                Symbol::Area(class) => {
                    self.svg.rectangle(class, (left + 12.0, middle - 5.0), 20.0, 10.0);
                }
                Symbol::Mark(class) => self.svg.circle(class, (left + 22.0, middle), 5.0),
            }
            self.svg.text("", (left + 42.0, middle + 4.5), text);
        }
    }

    /// Returns the drawing.
    pub fn finish(self) -> Svg {
        self.svg
    }

    fn place(&self, (x, y): Place) -> Place {
        (self.across(x), self.up(y))
    }

    fn across(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (RIGHT - LEFT)
    }

    fn up(&self, y: f64) -> f64 {
        BOTTOM - self.y.place(y) * (BOTTOM - TOP)
    }
}
