// The chart of distances: the measured pairs as two curves, the threshold, the margin, and the compared pair.

import { element, formatDistance, percent, svgElement } from "./elements.js";
import { glossary, meaning, term } from "./terms.js";

const HEIGHT = 200;
const FLOOR = 160;
const TOP = 34;
/// The number of points of each curve.
const COUNT = 180;
const NARROW = matchMedia("(max-width: 640px)");

/// A chart with a slider for the threshold. `onmove` receives each new threshold.
export class Chart {
  constructor(container, calibration, onmove) {
    Object.assign(this, { calibration, threshold: calibration.threshold ?? 1, distance: null });
    const move = (threshold) => {
      this.threshold = threshold;
      this.draw();
      onmove(threshold);
    };
    this.drawing = svgElement("svg", { role: "img", class: "chart" });
    this.slider = element("input", {
      type: "range", min: 0, step: 0.001, "aria-label": "Threshold",
      oninput: () => move(Number(this.slider.value)),
    });
    const reset = () => move(calibration.threshold ?? 1);
    this.reset = element("button", { type: "button", onclick: reset }, "Reset threshold");
    this.rates = element("p", { class: "rates" });
    const terms = ["Same pair", "Different pair", "Distance", "Threshold", "FMR", "FNMR"];
    if (calibration.margin) terms.push("Margin");
    container.replaceChildren(
      this.drawing,
      element("div", { class: "slider" }, element("span", {}, term("Threshold")), this.slider, this.reset),
      this.rates,
      glossary(...terms),
    );
    this.draw();
  }

  /// Marks the distance of the compared pair.
  mark(distance) {
    this.distance = distance;
    this.draw();
  }

  draw() {
    const { calibration, threshold, distance } = this;
    const width = NARROW.matches ? 360 : 720;
    const max = calibration.maxDistance(distance ?? 0, threshold);
    const axis = { max, width, x: (value) => 10 + (value / max) * (width - 20) };
    const parts = [];
    if (calibration.known) {
      const { same, different } = calibration.densities(max, COUNT);
      parts.push(curve(different, "different", axis), curve(same, "same", axis));
      parts.push(legend("same pairs", "same", 10), legend("different pairs", "different", 112));
    }
    parts.push(svgElement("line", { class: "axis", x1: 10, x2: width - 10, y1: FLOOR, y2: FLOOR }));
    for (const tick of ticks(max, width)) {
      parts.push(svgElement("text", { class: "tick", x: axis.x(tick), y: FLOOR + 18 }, String(tick)));
    }
    parts.push(svgElement("text", { class: "tick end", x: width - 10, y: HEIGHT - 4 }, "distance"));
    parts.push(upright(threshold, "threshold", `threshold ${formatDistance(threshold)}`, meaning("Threshold"), axis));
    if (calibration.margin) parts.push(upright(calibration.margin, "margin", "margin", meaning("Margin"), axis));
    if (distance !== null) parts.push(...pair(distance, distance <= threshold ? "same" : "different", axis));
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.drawing.setAttribute("aria-label", this.description());
    this.drawing.replaceChildren(...parts);
    this.slider.max = max;
    this.slider.value = threshold;
    this.reset.hidden = threshold === calibration.threshold;
    this.showRates();
  }

  description() {
    const pair = this.distance === null ? "" : ` The distance of this pair is ${formatDistance(this.distance)}.`;
    const curves = this.calibration.known ? "Two curves show the distances of same pairs and of different pairs. " : "";
    return `${curves}The threshold is ${formatDistance(this.threshold)}.${pair}`;
  }

  showRates() {
    const rates = this.calibration.at(this.threshold);
    if (!rates) {
      const text = "This model is not calibrated. Its error rates are unknown.";
      return this.rates.replaceChildren(element("span", { class: "wide" }, text));
    }
    const { same_pairs, different_pairs, identities, data, split } = this.calibration.measured;
    const rate = (name, share, count, kind, verdict) => {
      const pairs = `${count.toLocaleString("en")} ${kind} pairs`;
      return element("span", {}, element("b", {}, term(name), ` ${percent(share)}`), ` of ${pairs} are called ${verdict}.`);
    };
    this.rates.replaceChildren(
      rate("FMR", rates.fmr, different_pairs, "different", "same"),
      rate("FNMR", rates.fnmr, same_pairs, "same", "different"),
      element("small", {}, `Measured on ${identities} identities of ${data}: ${split}.`),
    );
  }
}

function curve(density, kind, { max, x }) {
  const point = (value, index) => `${x(((index + 0.5) / COUNT) * max).toFixed(1)},${height(value)}`;
  const points = density.map(point);
  const outline = `M${x(0)},${FLOOR} L${points.join(" ")} L${x(max)},${FLOOR} Z`;
  return svgElement("path", { class: `curve ${kind}`, d: outline });
}

function legend(text, kind, x) {
  return svgElement(
    "g", {},
    svgElement("rect", { class: `curve ${kind}`, x, y: HEIGHT - 13, width: 9, height: 9 }),
    svgElement("text", { class: `tick start ${kind}`, x: x + 15, y: HEIGHT - 4 }, text),
  );
}

/// A vertical line with a text above it, and its meaning on hover.
function upright(value, kind, text, title, axis) {
  const x = axis.x(value);
  return svgElement(
    "g", { class: kind },
    svgElement("title", {}, title),
    svgElement("line", { x1: x, x2: x, y1: 18, y2: FLOOR }),
    svgElement("text", { class: "tick strong", x: inside(x, 56, axis), y: 12 }, text),
  );
}

function pair(distance, kind, axis) {
  const x = axis.x(distance);
  const text = `this pair ${formatDistance(distance)}`;
  return [
    svgElement("line", { class: `stem ${kind}`, x1: x, x2: x, y1: TOP + 12, y2: FLOOR }),
    svgElement("circle", { class: `pair ${kind}`, cx: x, cy: FLOOR, r: 8 }),
    svgElement("text", { class: "tick strong", x: inside(x, 48, axis), y: TOP + 6 }, text),
  ];
}

const height = (value) => (FLOOR - value * (FLOOR - TOP - 24)).toFixed(1);

/// Keeps a centred text of half the given width inside the drawing.
const inside = (x, halfWidth, { width }) => Math.min(Math.max(x, halfWidth + 4), width - halfWidth - 4);

function ticks(max, width) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];
  const step = steps.find((candidate) => max / candidate <= width / 90) ?? max / 5;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => Number((i * step).toFixed(2)));
}
