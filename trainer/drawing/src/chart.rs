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

/// The assumed width of a letter.
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

    /// Draws the legend below the axes, where it covers no curve. The drawing grows by its height.
    pub fn legend(&mut self, lines: &[(Symbol, String)]) {
        const ROW: f64 = 21.0;
        let mut middle = HEIGHT + ROW / 2.0;
        for (symbol, text) in lines {
            match symbol {
                Symbol::Line(class) => self.svg.line(class, (LEFT, middle), (LEFT + 24.0, middle)),
                Symbol::Area(class) => {
                    self.svg.rectangle(class, (LEFT + 2.0, middle - 5.0), 20.0, 10.0);
                }
                Symbol::Mark(class) => self.svg.circle(class, (LEFT + 12.0, middle), 5.0),
            }
            self.svg.text("", (LEFT + 32.0, middle + 4.5), text);
            middle += ROW;
        }
        self.svg.grow_to(middle);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Scale;

    #[test]
    fn a_legend_stands_below_the_axes_and_inside_the_drawing() {
        let axis = || Axis::of_rates("rate", Scale::Linear, [0.0, 1.0], &[0.0, 1.0]);
        let mut chart = Chart::new("A chart", "", axis(), axis());
        let rows = 5;
        let row = |number| (Symbol::Mark("mark"), format!("row {number}"));
        chart.legend(&(0..rows).map(row).collect::<Vec<_>>());
        let text = chart.finish().finish();
        let number = |text: &str| text.split('"').next().and_then(|text| text.parse::<f64>().ok());
        let height = text.split(" height=\"").nth(1).and_then(number).expect("a height");
        let legend = text.lines().filter(|line| line.contains(">row "));
        let places: Vec<f64> =
            legend.filter_map(|line| line.split(" y=\"").nth(1).and_then(number)).collect();
        assert_eq!(places.len(), rows);
        assert!(places.iter().all(|y| BOTTOM < *y && *y < height), "{places:?} of {height}");
    }
}
