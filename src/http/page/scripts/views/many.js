// One image against many, the nearest first.

import * as api from "../api.js";
import { element, find, formatDistance } from "../elements.js";
import { unfamiliarResults } from "./familiarity.js";
import { Slot, Tray, show } from "../images.js";
import { offerFaces, personIn } from "../samples.js";
import { ask } from "../threshold.js";

const EXAMPLES = {
  "one face against seven": ["s5_1", "s5_2", "s1_1", "s1_2", "s9_1", "s9_2", "s13_1", "s13_2"],
};
const LIMIT = 64;

/// Starts the view. Returns a function that compares again.
export function start(card, calibration, notify) {
  const one = new Slot(find("slot-one"), "One image", compare);
  const many = new Tray(find("tray-many"), "Many images", LIMIT, compare);
  const verdict = find("many-verdict");
  const ranking = find("many-results");
  let lastRequest = 0;

  one.next = many;
  const putAll = ([first, ...others]) => {
    one.put(first);
    many.set(others);
  };
  offerFaces(find("many-samples"), card, EXAMPLES, putAll, notify);

  async function compare() {
    const request = (lastRequest += 1);
    ranking.replaceChildren();
    verdict.replaceChildren();
    if (one.isEmpty || many.isEmpty) return;
    const { threshold } = calibration;
    if (threshold === undefined) return ask(verdict);
    const { files } = many;
    try {
      const results = await api.compareWithMany(one.file, files, calibration.query(threshold));
      if (request !== lastRequest) return;
      notify(null);
      showErrors(results);
      showRanking(results, files);
    } catch (problem) {
      if (request !== lastRequest) return;
      if (problem.field === "a") one.showError(problem.message);
      else notify(problem, compare);
    }
  }

  /// Shows each error and each warning beside its image. An error of the one image fails all pairs, and is shown once.
  function showErrors(results) {
    const ofOne = results.find((result) => result.error?.field?.endsWith("a"));
    one.showError(ofOne ? ofOne.error.message : null);
    const errors = results.flatMap((result, index) => (result.error && !ofOne ? [[index, result.error.message]] : []));
    const warnings = results.map((result, index) => [index, api.warnings(result, `b[${index}]`)]);
    many.showErrors(new Map(errors), new Map(warnings));
    const valid = results.find((result) => !result.error);
    one.showWarning(valid ? api.warnings(valid, "a") : null);
  }

  function showRanking(results, files) {
    const valid = results.map((result, index) => ({ ...result, file: files[index] })).filter((result) => !result.error);
    if (valid.length === 0) return;
    valid.sort((a, b) => a.distance - b.distance);
    const same = valid.filter((result) => result.verdict === "same").length;
    const title = same ? `${same} of ${valid.length} ${same === 1 ? "is" : "are"} the same` : "None is the same";
    verdict.className = `verdict ${same ? "same" : "different"}`;
    verdict.replaceChildren(
      element("strong", {}, title),
      element("span", {}, `The line across each bar is the threshold, ${formatDistance(valid[0].threshold)}.`),
      ...unfamiliarResults(valid),
    );
    const max = calibration.maxDistance(...valid.map((result) => result.distance));
    ranking.replaceChildren(...valid.map((result) => row(result, max, truth(result))));
  }

  /// For shipped photographs, the truth is known: says where the model is wrong.
  function truth({ file, verdict }) {
    const [first, second] = [one.file, file].map(personIn);
    if (!first || !second || (verdict === "same") === (first === second)) return [];
    return [element("span", { class: "truth" }, ` wrong: ${first === second ? "the same person" : "another person"}`)];
  }

  return compare;
}

function row({ file, distance, threshold, verdict }, max, error) {
  const image = element("img", {});
  show(image, file, "");
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
  bar.children[0].style.width = `${(distance / max) * 100}%`;
  bar.children[1].style.left = `${(threshold / max) * 100}%`;
  return element(
    "li", { class: verdict }, image,
    element("span", { class: "file" }, file.name, ...error), bar,
    element("span", { class: "number" }, formatDistance(distance)), element("em", {}, verdict),
  );
}
