// Two images: the verdict, and the measurements behind it.

import { warnings } from "../api.js";
import { Answer } from "./answer.js";
import { Chart } from "../charts/chart.js";
import { Command, curl } from "./command.js";
import { boundedPercent, element, find, formatDistance, percent } from "../elements.js";
import { unfamiliarPair } from "./familiarity.js";
import { Slot } from "../inputs/images.js";
import { ask } from "../inputs/threshold.js";
import { PAIRS } from "../charts/rates.js";
import { Samples, identityIn } from "../samples.js";
import { term } from "../terms.js";
import { timings } from "./timings.js";
import { Explanation } from "./two/explanation.js";

/// Starts the view. `use` names the model to compare with, and `compare` compares again.
export function start(notify) {
  const a = new Slot(find("slot-a"), "First image", compare);
  const b = new Slot(find("slot-b"), "Second image", compare);
  [a.next, b.next] = [b, a];
  const verdict = find("two-verdict");
  const figure = find("two-figure");
  const samples = new Samples(find("two-samples"), "two", putPair, notify);
  let [model, result, lastRequest] = [null, null, 0];

  function use(chosen) {
    model = chosen;
    for (const part of [a, b, samples]) part.use(model);
    show(null);
    compare();
  }

  function putPair([first, second]) {
    for (const slot of [a, b]) slot.file = null;
    if (!first) return [a, b].forEach((slot) => slot.clear());
    a.put(first);
    b.put(second);
  }

  async function compare() {
    const files = [a.file, b.file];
    const request = (lastRequest += 1);
    samples.keep(files);
    if (!a.file && !b.file) show(null);
    if (!a.file || !b.file) return;
    const { calibration } = model;
    const query = calibration.query(calibration.threshold);
    if (calibration.threshold === undefined) {
      show(null);
      return ask(verdict);
    }
    verdict.classList.add("waiting");
    try {
      const response = await model.compare(...files, query);
      if (request !== lastRequest) return;
      a.showError(null);
      b.showError(null);
      a.showFace(response.a?.face);
      b.showFace(response.b?.face);
      a.showWarning(warnings(response, "a"));
      b.showWarning(warnings(response, "b"));
      notify(null);
      show(response, files, query);
    } catch (problem) {
      if (request !== lastRequest) return;
      show(null);
      const slot = { a, b }[problem.field];
      if (slot) slot.showError(problem.message);
      else notify(problem, compare);
    } finally {
      if (request === lastRequest) verdict.classList.remove("waiting");
    }
  }

  /// Shows the result for two files, which is that of a request with `query`; null for no result.
  function show(response, files, query) {
    result = response;
    verdict.classList.remove("waiting");
    if (result) return showResult(files, query);
    verdict.replaceChildren();
    figure.replaceChildren();
  }

  function showResult(files, query) {
    const shown = model;
    const { calibration } = shown;
    const card = element("div", { class: "card" });
    const command = new Command();
    const answer = new Answer((asked) => shown.compare(...files, asked));
    answer.know(query, result.answer);
    const judge = (threshold) => {
      const asked = calibration.query(threshold);
      showVerdict(threshold);
      command.show(curl(shown.path(`/compare${asked}`), [["a", files[0]], ["b", files[1]]]));
      answer.show(asked);
    };
    const heading = element("h2", {}, "The same request with curl");
    const request = element("div", { class: "card" }, heading, command.element, answer.element);
    const explanation = new Explanation(shown, files, calibration.query(calibration.threshold, "explain=map"), notify);
    figure.replaceChildren(explanation.element, card, request, timings(result.timings));
    const chart = new Chart(card, calibration, PAIRS, judge);
    card.prepend(element("h2", {}, "The distance of this pair"));
    chart.drawing.after(position(calibration, result));
    chart.mark(result.distance);
    judge(chart.threshold);
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

  /// For shipped images, the truth is known: says whether the verdict is right.
  function truth(same) {
    const [first, second] = [a, b].map((slot) => identityIn(slot.file));
    if (!first || !second) return [];
    const isOne = first.identity === second.identity;
    const [one, several] = first.nouns;
    const judged = same === isOne ? "The model is right" : "The model is wrong";
    return [element("span", { class: "truth" }, `${judged}: these are two images of ${isOne ? `one ${one}` : `two ${several}`}.`)];
  }

  return { use, compare, samples };
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
