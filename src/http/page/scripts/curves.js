// The calibration's two curves on a scale of distances, with the threshold, the margin and a pair.

import { digits, drawn, element, percent } from "./elements.js";

const WIDTH = 720;
const HEIGHT = 200;
const FLOOR = 160;
const TOP = 34;
const COUNT = 180;

/// A scale with a slider for the threshold. `onmove` is told of each new threshold.
export class Scale {
  constructor(place, calibration, onmove) {
    Object.assign(this, { calibration, threshold: calibration.threshold ?? 1, distance: null });
    this.picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "scale" });
    this.slider = element("input", {
      type: "range", min: 0, step: 0.001, "aria-label": "Threshold",
      oninput: () => {
        this.threshold = Number(this.slider.value);
        this.draw();
        onmove(this.threshold);
      },
    });
    this.rates = element("p", { class: "rates" });
    const back = () => {
      this.threshold = calibration.threshold ?? 1;
      this.draw();
      onmove(this.threshold);
    };
    this.back = element("button", { type: "button", onclick: back }, "Back to the tower’s own");
    place.replaceChildren(
      this.picture,
      element("div", { class: "slider" }, element("span", {}, "Threshold"), this.slider, this.back),
      this.rates,
    );
    this.draw();
  }

  /// Shows where a pair falls; null: none.
  mark(distance) {
    this.distance = distance;
    this.draw();
  }

  draw() {
    const { calibration, threshold, distance } = this;
    const reach = calibration.reach(distance ?? 0, threshold);
    const x = (value) => 10 + (value / reach) * (WIDTH - 20);
    const parts = [];
    if (calibration.known) {
      const { same, different } = calibration.densities(reach, COUNT);
      parts.push(area(different, "different", x, reach), area(same, "same", x, reach));
      parts.push(label(same, "same pairs", "same", x, reach), label(different, "different pairs", "different", x, reach));
    }
    parts.push(drawn("line", { class: "axis", x1: 10, x2: WIDTH - 10, y1: FLOOR, y2: FLOOR }));
    for (const tick of ticks(reach)) {
      parts.push(drawn("text", { class: "tick", x: x(tick), y: FLOOR + 18 }, String(tick)));
    }
    parts.push(drawn("text", { class: "tick end", x: WIDTH - 10, y: HEIGHT - 4 }, "L2 distance"));
    parts.push(upright(x(threshold), "threshold", `threshold ${digits(threshold)}`, 12));
    if (calibration.margin) parts.push(upright(x(calibration.margin), "margin", "margin", 12));
    if (distance !== null) {
      const kind = distance <= threshold ? "same" : "different";
      parts.push(
        drawn("line", { class: `stem ${kind}`, x1: x(distance), x2: x(distance), y1: TOP + 12, y2: FLOOR }),
        drawn("circle", { class: `pair ${kind}`, cx: x(distance), cy: FLOOR, r: 8 }),
        drawn("text", { class: "tick strong", x: inside(x(distance), 40), y: TOP + 6 }, `this pair ${digits(distance)}`),
      );
    }
    this.picture.replaceChildren(...parts);
    this.picture.setAttribute("aria-label", this.words());
    this.slider.max = reach;
    this.slider.value = threshold;
    this.back.hidden = threshold === calibration.threshold;
    this.tellRates();
  }

  words() {
    const pair = this.distance === null ? "" : ` This pair is at ${digits(this.distance)}.`;
    return `How far apart same and different pairs lie. The threshold is at ${digits(this.threshold)}.${pair}`;
  }

  tellRates() {
    const rates = this.calibration.at(this.threshold);
    if (!rates) {
      this.rates.textContent = "This tower was not calibrated: nothing is known of its errors.";
      return;
    }
    const { same_pairs, different_pairs, data } = this.calibration.measured;
    const of = (share, count, what) => `${percent(share)} of ${count.toLocaleString("en")} ${what} pairs`;
    this.rates.replaceChildren(
      element("span", {}, element("b", {}, "FMR "), `${of(rates.fmr, different_pairs, "different")} would be called same`),
      element("span", {}, element("b", {}, "FNMR "), `${of(rates.fnmr, same_pairs, "same")} would be called different`),
      element("small", {}, `Measured on ${data}.`),
    );
  }
}

function area(density, kind, x, reach) {
  const points = density.map((it, at) => `${x(((at + 0.5) / COUNT) * reach).toFixed(1)},${height(it)}`);
  return drawn("path", { class: `curve ${kind}`, d: `M${x(0)},${FLOOR} L${points.join(" ")} L${x(reach)},${FLOOR} Z` });
}

function label(density, text, kind, x, reach) {
  const peak = density.indexOf(1);
  return drawn("text", { class: `tick ${kind}`, x: inside(x((peak / COUNT) * reach), 48), y: FLOOR - 8 }, text);
}

function upright(at, kind, text, y) {
  return drawn(
    "g", { class: kind },
    drawn("line", { x1: at, x2: at, y1: y + 6, y2: FLOOR }),
    drawn("text", { class: "tick strong", x: inside(at, 52), y }, text),
  );
}

const height = (share) => (FLOOR - share * (FLOOR - TOP - 24)).toFixed(1);

const inside = (at, half) => Math.min(Math.max(at, half + 4), WIDTH - half - 4);

function ticks(reach) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((it) => reach / it <= 8) ?? reach / 5;
  return Array.from({ length: Math.floor(reach / step) + 1 }, (_, i) => Number((i * step).toFixed(2)));
}
