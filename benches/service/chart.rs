//! One line over time, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
/// Room for what stands beside the axes.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const ABOVE: f64 = 44.0;
const BELOW: f64 = 52.0;

/// A line through points, from zero on both axes.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let (step_x, most_x) = scale(self.points.iter().map(|it| it.0));
        let (step_y, most_y) = scale(self.points.iter().map(|it| it.1));
        let x = |value: f64| LEFT + value / most_x * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BELOW - value / most_y * (HEIGHT - ABOVE - BELOW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
            self.title
        );
        let mut write =
            |line: std::fmt::Arguments| writeln!(svg, "{line}").expect("a string takes all");
        for at in steps(step_y, most_y) {
            let (from, to, here) = (x(0.0), x(most_x), y(at));
            write(format_args!("<path d=\"M{from} {here:.1}H{to}\" stroke=\"#ddd\"/>"));
            let (beside, below) = (from - 8.0, here + 4.0);
            write(format_args!(
                "<text x=\"{beside}\" y=\"{below:.1}\" text-anchor=\"end\">{at}</text>"
            ));
        }
        for at in steps(step_x, most_x) {
            let (here, below) = (x(at), y(0.0) + 18.0);
            write(format_args!(
                "<text x=\"{here:.1}\" y=\"{below}\" text-anchor=\"middle\">{at}</text>"
            ));
        }
        let (middle, foot) = (x(most_x / 2.0), HEIGHT - 14.0);
        write(format_args!(
            "<text x=\"{middle}\" y=\"{foot}\" text-anchor=\"middle\">{}</text>",
            self.x
        ));
        let line = self.points.iter().map(|it| format!("{:.1},{:.1}", x(it.0), y(it.1)));
        let line = line.collect::<Vec<_>>().join(" ");
        write(format_args!(
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>"
        ));
        svg.push_str("</svg>\n");
        svg
    }
}

/// Steps of an axis, and its end: up to seven of 1, 2 or 5 times a power of ten.
fn scale(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let most = values.fold(f64::MIN_POSITIVE, f64::max);
    let power = 10_f64.powf((most / 7.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| most <= 7.0 * it);
    let step = step.unwrap_or(10.0 * power);
    (step, (most / step).ceil() * step)
}

fn steps(step: f64, most: f64) -> impl Iterator<Item = f64> {
    (0_u32..).map(move |at| f64::from(at) * step).take_while(move |it| *it <= most * 1.0001)
}
