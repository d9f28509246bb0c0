// Two images: the verdict, and the measurements behind it.

import * as api from "./api.js";
import { Chart } from "./chart.js";
import { boundedPercent, element, find, formatDistance, formatMilliseconds, percent } from "./elements.js";
import { Slot, samples } from "./images.js";
import { term } from "./terms.js";

const EXAMPLES = {
  "one person twice": ["s5_1", "s5_2"],
  "two people": ["s5_1", "s1_1"],
  "a difficult pair": ["s1_1", "s1_2"],
};

export function start(calibration, notify) {
  const slots = {
    a: new Slot(find("slot-a"), "First image", compare),
    b: new Slot(find("slot-b"), "Second image", compare),
  };
  const verdict = find("two-verdict");
  const figure = find("two-figure");
  let result = null;
  let lastRequest = 0;

  for (const [label, names] of Object.entries(EXAMPLES)) {
    const load = async () => {
      try {
        const [a, b] = await samples(...names);
        slots.a.file = null;
        slots.b.file = null;
        slots.a.put(a);
        slots.b.put(b);
      } catch (problem) {
        notify(problem, load);
      }
    };
    find("two-samples").append(element("button", { type: "button", onclick: load }, label));
  }

  async function compare() {
    if (slots.a.isEmpty || slots.b.isEmpty) return;
    const request = (lastRequest += 1);
    verdict.classList.add("waiting");
    try {
      const response = await api.compare(slots.a.file, slots.b.file);
      if (request !== lastRequest) return;
      result = response;
      slots.a.showError(null);
      slots.b.showError(null);
      notify(null);
      showResult();
    } catch (problem) {
      if (request !== lastRequest) return;
      result = null;
      verdict.replaceChildren();
      figure.replaceChildren();
      const slot = slots[problem.field];
      if (slot) slot.showError(problem.message);
      else notify(problem, compare);
    } finally {
      verdict.classList.remove("waiting");
    }
  }

  function showResult() {
    const card = element("div", { class: "card" });
    const command = element("code", {});
    const copy = element("button", {
      type: "button",
      onclick: async () => {
        await navigator.clipboard?.writeText(command.textContent);
        copy.textContent = "Copied";
      },
    }, "Copy");
    const judge = (threshold) => {
      showVerdict(threshold);
      command.textContent = curl(threshold === calibration.threshold ? "" : `?threshold=${threshold}`, slots);
      copy.textContent = "Copy";
    };
    figure.replaceChildren(
      card,
      element(
        "div", { class: "card" },
        element("h2", {}, "The same request with curl"), element("div", { class: "command" }, command, copy),
      ),
      timings(result.timings),
    );
    const chart = new Chart(card, calibration, judge);
    card.prepend(element("h2", {}, "The distance of this pair"));
    chart.drawing.after(element("p", { class: "position" }, position(calibration, result.distance)));
    chart.mark(result.distance);
    judge(chart.threshold);
  }

  function showVerdict(threshold) {
    const same = result.distance <= threshold;
    const relation = result.distance < threshold ? "below" : same ? "equal to" : "above";
    const [distance, limit] = [result.distance, threshold].map(formatDistance);
    const parts = [`The distance, ${distance}, is ${relation} the threshold, ${limit}.`];
    if (result.probability !== undefined) {
      parts.push(" ", term("Probability", "Probability of a same pair"), `: ${boundedPercent(result.probability)}.`);
    }
    verdict.className = `verdict ${same ? "same" : "different"}`;
    verdict.replaceChildren(element("strong", {}, same ? "Same" : "Different"), element("span", {}, ...parts));
  }
}

/// Says how many of the measured pairs have this distance or a smaller one.
function position(calibration, distance) {
  const rates = calibration.at(distance);
  if (!rates) return "";
  const share = (value) => (value === 0 ? "none" : value === 1 ? "all" : percent(value));
  return (
    `Of the pairs known to be the same, ${share(1 - rates.fnmr)} are as close as this pair or closer. ` +
    `Of the pairs known to be different, ${share(rates.fmr)} are.`
  );
}

function curl(query, slots) {
  const part = (name) => `-F ${name}=@${quoted(slots[name].file.name)}`;
  return `curl ${part("a")} ${part("b")} '${location.origin}/compare${query}'`;
}

const quoted = (name) => (/^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

function timings(durations) {
  const items = Object.entries(durations).map(([name, duration]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, formatMilliseconds(duration))));
  return element("dl", { class: "timings", "aria-label": "Time of each step" }, ...items);
}
