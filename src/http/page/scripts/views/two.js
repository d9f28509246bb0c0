// Two images: the verdict, and the measurements behind it.

import * as api from "../api.js";
import { Chart } from "../charts/chart.js";
import { Command, curl } from "./command.js";
import { boundedPercent, element, find, formatDistance, percent } from "../elements.js";
import { unfamiliarPair } from "./familiarity.js";
import { Slot } from "../images.js";
import { PAIRS } from "../charts/rates.js";
import { offerFaces, personIn } from "../samples.js";
import { term } from "../terms.js";
import { ask } from "../threshold.js";
import { timings } from "./timings.js";
import { Explanation, runsFor } from "./two/explanation.js";

const EXAMPLES = {
  "one person twice": ["s5_1", "s5_2"],
  "two people": ["s5_1", "s1_1"],
  "one person, less alike": ["s1_1", "s1_2"],
};

/// Starts the view. Returns a function that compares again.
export function start(card, calibration, notify) {
  const a = new Slot(find("slot-a"), "First image", compare);
  const b = new Slot(find("slot-b"), "Second image", compare);
  [a.next, b.next] = [b, a];
  const verdict = find("two-verdict");
  const figure = find("two-figure");
  let result = null;
  let lastRequest = 0;

  const putPair = ([first, second]) => {
    a.file = null;
    b.file = null;
    a.put(first);
    b.put(second);
  };
  offerFaces(find("two-samples"), card, EXAMPLES, putPair, notify);

  async function compare() {
    if (a.isEmpty || b.isEmpty) return;
    const { threshold } = calibration;
    if (threshold === undefined) return ask(verdict);
    const request = (lastRequest += 1);
    verdict.classList.add("waiting");
    try {
      const response = await api.compare(a.file, b.file, calibration.query(threshold));
      if (request !== lastRequest) return;
      result = response;
      a.showError(null);
      b.showError(null);
      a.showFace(response.a?.face);
      b.showFace(response.b?.face);
      a.showWarning(api.warnings(response, "a"));
      b.showWarning(api.warnings(response, "b"));
      notify(null);
      showResult();
    } catch (problem) {
      if (request !== lastRequest) return;
      result = null;
      verdict.replaceChildren();
      figure.replaceChildren();
      const slot = { a, b }[problem.field];
      if (slot) slot.showError(problem.message);
      else notify(problem, compare);
    } finally {
      verdict.classList.remove("waiting");
    }
  }

  function showResult() {
    const card = element("div", { class: "card" });
    const command = new Command();
    const judge = (threshold) => {
      showVerdict(threshold);
      command.show(curl(`/compare${calibration.query(threshold)}`, [["a", a.file], ["b", b.file]]));
    };
    const heading = element("h2", {}, "The same request with curl");
    const request = element("div", { class: "card" }, heading, command.element);
    figure.replaceChildren(explanation().element, card, request, timings(result.timings));
    const chart = new Chart(card, calibration, PAIRS, judge);
    card.prepend(element("h2", {}, "The distance of this pair"));
    chart.drawing.after(position(calibration, result));
    chart.mark(result.distance);
    judge(chart.threshold);
  }

  /// What explains the result on request. It does not depend on the threshold, so it stays when that is moved.
  function explanation() {
    const query = calibration.query(calibration.threshold, "explain=map");
    return new Explanation([a.file, b.file], query, runsFor(card), notify);
  }

  function showVerdict(threshold) {
    const same = result.distance <= threshold;
    const relation = result.distance < threshold ? "below" : same ? "equal to" : "above";
    const [distance, limit] = [result.distance, threshold].map(formatDistance);
    const reason = `The distance, ${distance}, is ${relation} the threshold, ${limit}.`;
    verdict.className = `verdict ${same ? "same" : "different"}`;
    verdict.replaceChildren(
      element("strong", {}, same ? "Same" : "Different"), element("span", {}, reason), ...truth(same),
      ...unfamiliarPair(result.warnings),
    );
  }

  /// For shipped photographs, the truth is known: says whether the verdict is right.
  function truth(same) {
    const [first, second] = [a, b].map((slot) => personIn(slot.file));
    if (!first || !second) return [];
    const people = first === second ? "one person" : "two people";
    const judged = same === (first === second) ? "The model is right" : "The model is wrong";
    return [element("span", { class: "truth" }, `${judged}: these are two images of ${people}.`)];
  }

  return compare;
}

/// Says how many of the measured pairs have this distance or a smaller one, and how probable a same pair is.
function position(calibration, { distance, probability }) {
  const parts = [];
  const rates = calibration.at(distance);
  if (rates) {
    const share = (value) => (value === 0 ? "none" : value === 1 ? "all" : percent(value));
    parts.push(
      `Of the pairs known to be the same, ${share(1 - rates.fnmr)} are as close as this pair or closer. ` +
        `Of the pairs known to be different, ${share(rates.fmr)} are. `,
    );
  }
  if (probability !== undefined && probability !== null) {
    parts.push(
      term("Probability", "Probability of a same pair"), `: ${boundedPercent(probability)}, `,
      "if half of all compared pairs are same pairs. The verdict does not depend on it, but on the threshold.",
    );
  }
  return element("p", { class: "position" }, ...parts);
}
