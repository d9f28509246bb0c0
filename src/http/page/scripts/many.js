// One image against many, the nearest first.

import * as api from "./api.js";
import { element, find, formatDistance } from "./elements.js";
import { Slot, Tray, samples, show } from "./images.js";

const EXAMPLE = ["s5_1", "s5_2", "s1_1", "s1_2", "s9_1", "s9_2", "s13_1", "s13_2"];
const LIMIT = 64;

export function start(calibration, notify) {
  const one = new Slot(find("slot-one"), "One image", compare);
  const many = new Tray(find("tray-many"), "Many images", LIMIT, compare);
  const verdict = find("many-verdict");
  const ranking = find("many-results");
  let lastRequest = 0;

  const load = async () => {
    try {
      const [first, ...others] = await samples(...EXAMPLE);
      one.put(first);
      many.set(others);
    } catch (problem) {
      notify(problem, load);
    }
  };
  find("many-samples").append(element("button", { type: "button", onclick: load }, "one face against seven"));

  async function compare() {
    const request = (lastRequest += 1);
    ranking.replaceChildren();
    verdict.replaceChildren();
    if (one.isEmpty || many.isEmpty) return;
    const { files } = many;
    try {
      const results = await api.compareWithMany(one.file, files);
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

  /// Shows each error beside its image. An error of the one image fails all pairs, and is shown once.
  function showErrors(results) {
    const ofOne = results.find((result) => result.error?.field?.endsWith("a"));
    one.showError(ofOne ? ofOne.error.message : null);
    const errors = results.flatMap((result, index) => (result.error && !ofOne ? [[index, result.error.message]] : []));
    many.showErrors(new Map(errors));
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
    );
    const max = calibration.maxDistance(...valid.map((result) => result.distance));
    ranking.replaceChildren(...valid.map((result) => row(result, max)));
  }
}

function row({ file, distance, threshold, verdict }, max) {
  const image = element("img", {});
  show(image, file, "");
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
  bar.children[0].style.width = `${(distance / max) * 100}%`;
  bar.children[1].style.left = `${(threshold / max) * 100}%`;
  return element(
    "li", { class: verdict }, image,
    element("span", { class: "file" }, file.name), bar,
    element("span", { class: "number" }, formatDistance(distance)), element("em", {}, verdict),
  );
}
