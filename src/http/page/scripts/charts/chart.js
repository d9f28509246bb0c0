// The chart of distances: what was measured as two curves, the threshold, the margin, and the distance found.

import { element, formatDistance, svgElement } from "../elements.js";
import { glossary, meaning, term } from "../terms.js";

/// The labels of the threshold, the margin and the pair have a row each, so that they never overlap.
const ROW = 17;
const LABELS = 3 * ROW;
const FLOOR = LABELS + 120;
const HEIGHT = FLOOR + 40;
/// The number of points of each curve.
const COUNT = 180;
const EDGE = 10;
const NARROW = matchMedia("(max-width: 640px)");

/// A chart with the threshold as a line and as a slider. Both can be moved. `subject` is what has distances: see `rates.js`.
/// `onmove` receives each new threshold.
export class Chart {
  constructor(container, calibration, subject, onmove) {
    Object.assign(this, { calibration, subject, onmove, threshold: calibration.threshold, distance: null });
    this.parts = svgElement("g");
    // A touch ends if its element is replaced, so this one stays.
    this.handle = svgElement("line", { class: "handle", y1: 0, y2: FLOOR }, svgElement("title", {}, meaning("Threshold")));
    this.drawing = svgElement("svg", { role: "img", class: "chart" }, this.parts, this.handle);
    this.slider = element("input", {
      type: "range", min: 0, "aria-label": "Threshold",
      oninput: () => this.move(Number(this.slider.value)),
    });
    const reset = () => this.move(calibration.threshold);
    this.reset = element("button", { type: "button", onclick: reset }, "Reset threshold");
    this.rates = element("p", { class: "rates" });
    const terms = calibration.margin ? [...subject.terms, "Margin"] : subject.terms;
    container.replaceChildren(
      this.drawing,
      element("div", { class: "slider" }, term("Threshold"), this.slider, this.reset),
      this.rates,
      glossary(...terms),
    );
    this.acceptDrags();
    this.draw();
  }

  /// Marks the distance that was found.
  mark(distance) {
    this.distance = distance;
    this.draw();
  }

  move(threshold) {
    this.threshold = threshold;
    this.draw();
    this.onmove(threshold);
  }

  /// A press on the threshold's line takes it, by the wide invisible handle. It follows the pointer until the release.
  acceptDrags() {
    const { handle } = this;
    let offset = 0;
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      offset = this.threshold - this.valueAt(event);
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      // The slider keeps to its limits and its step.
      this.slider.value = this.valueAt(event) + offset;
      this.move(Number(this.slider.value));
    });
  }

  /// The distance below the pointer.
  valueAt({ clientX }) {
    const { left, width } = this.drawing.getBoundingClientRect();
    return this.axis.value(((clientX - left) / width) * this.axis.width);
  }

  draw() {
    const { calibration, threshold, distance } = this;
    const axis = createAxis(calibration.maxDistance(distance ?? 0), NARROW.matches ? 360 : 720);
    const { max, width } = axis;
    const parts = [];
    if (calibration.known) {
      const { same, different } = calibration.densities(max, COUNT);
      parts.push(curve(different, "different", axis), curve(same, "same", axis));
      const [first, second] = [this.subject.same, this.subject.different];
      // A sign is followed by a gap and by characters that are about 7 wide.
      parts.push(legend(first, "same", EDGE), legend(second, "different", EDGE + 32 + 7 * first.length));
    }
    parts.push(svgElement("line", { class: "axis", x1: EDGE, x2: width - EDGE, y1: FLOOR, y2: FLOOR }));
    for (const tick of ticks(max, width)) {
      parts.push(svgElement("text", { class: "tick", x: axis.x(tick), y: FLOOR + 18 }, String(tick)));
    }
    parts.push(svgElement("text", { class: "tick end", x: width - EDGE, y: HEIGHT - 4 }, "distance"));
    const labels = [label(`threshold ${formatDistance(threshold)}`, threshold, 0, axis)];
    if (calibration.margin) {
      parts.push(upright(calibration.margin, "margin", 1, axis));
      labels.push(label("margin", calibration.margin, 1, axis, threshold));
    }
    if (distance !== null) {
      parts.push(...pair(distance, distance <= threshold ? "same" : "different", axis));
      labels.push(label(`${this.subject.found} ${formatDistance(distance)}`, distance, 2, axis, threshold));
    }
    parts.push(upright(threshold, "threshold", 0, axis), ...labels);
    this.axis = axis;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.drawing.setAttribute("aria-label", this.description());
    this.parts.replaceChildren(...parts);
    for (const end of ["x1", "x2"]) this.handle.setAttribute(end, axis.x(threshold));
    this.slider.max = max;
    this.slider.step = 10 ** (Math.floor(Math.log10(max)) - 3);
    this.slider.value = threshold;
    this.reset.classList.toggle("reserved", threshold === calibration.threshold);
    this.showRates();
  }

  description() {
    const { same, different, found } = this.subject;
    const mark = this.distance === null ? "" : ` Marked is ${found}, ${formatDistance(this.distance)}.`;
    const curves = this.calibration.known ? `Two curves show the distances of ${same} and of ${different}. ` : "";
    return `${curves}The threshold is ${formatDistance(this.threshold)}.${mark}`;
  }

  showRates() {
    this.rates.replaceChildren(...this.subject.rates(this.calibration, this.threshold));
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

/// A vertical line from a row of labels to the axis.
function upright(value, kind, row, axis) {
  const x = axis.x(value);
  return svgElement("line", { class: kind, x1: x, x2: x, y1: row * ROW + 4, y2: FLOOR });
}

function pair(distance, kind, axis) {
  const circle = svgElement("circle", { class: `pair ${kind}`, cx: axis.x(distance), cy: FLOOR, r: 8 });
  return [upright(distance, `stem ${kind}`, 2, axis), circle];
}

/// A text beside a vertical line. It is on the side away from the threshold, unless it would be cut off there.
function label(text, value, row, axis, threshold = axis.max / 2) {
  const x = axis.x(value);
  // No character is wider than this.
  const room = text.length * 8;
  const isLeft = room < x && (value < threshold || axis.width < x + room);
  const [side, offset] = isLeft ? ["end", -6] : ["start", 6];
  return svgElement("text", { class: `tick strong ${side}`, x: x + offset, y: (row + 1) * ROW - 4 }, text);
}

const height = (value) => (FLOOR - value * (FLOOR - LABELS - 10)).toFixed(1);

/// The axis of distances in a drawing of the given width.
function createAxis(max, width) {
  const length = width - 2 * EDGE;
  const x = (value) => EDGE + (Math.min(value, max) / max) * length;
  const value = (x) => ((x - EDGE) / length) * max;
  return { max, width, x, value };
}

/// Round distances, some 90 units of the drawing apart.
function ticks(max, width) {
  const least = (max * 90) / width;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * [1, 2, 5, 10].find((factor) => least <= factor * power);
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}
