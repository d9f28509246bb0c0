// One image against many, the nearest first.

import { warnings } from "../api.js";
import { Answer } from "./answer.js";
import { Command, curl } from "./command.js";
import { element, find, formatDistance } from "../elements.js";
import { unfamiliarResults } from "./familiarity.js";
import { Slot, Tray, show } from "../inputs/images.js";
import { ask } from "../inputs/threshold.js";
import { oneWithMany } from "../model.js";
import { Samples, identityIn } from "../samples.js";

const LIMIT = 64;

/// Starts the view. `use` names the model to compare with, and `compare` compares again.
export function start(notify) {
  const one = new Slot(find("slot-one"), "One image", compare);
  const many = new Tray(find("tray-many"), "Many images", LIMIT, compare);
  const verdict = find("many-verdict");
  const ranking = find("many-results");
  const request = find("many-request");
  const samples = new Samples(find("many-samples"), "one-to-many", putAll, notify);
  let [model, lastRequest] = [null, 0];

  one.next = many;

  function use(chosen) {
    model = chosen;
    for (const part of [one, many, samples]) part.use(model);
    compare();
  }

  function putAll([first, ...others]) {
    if (first) one.put(first);
    else one.clear();
    many.set(others);
  }

  async function compare() {
    const current = (lastRequest += 1);
    for (const part of [ranking, verdict, request]) part.replaceChildren();
    samples.keep([one.file, ...many.files]);
    if (one.isEmpty || many.isEmpty) return;
    const { threshold } = model.calibration;
    if (threshold === undefined) return ask(verdict);
    const query = model.calibration.query(threshold);
    const { file } = one;
    const { files } = many;
    try {
      const { results, answer } = await model.compareWithMany(file, files, query);
      if (current !== lastRequest) return;
      notify(null);
      showErrors(results);
      showRanking(results, files);
      showRequest(model, file, files, query, answer);
    } catch (problem) {
      if (current !== lastRequest) return;
      if (problem.field === "a") one.showError(problem.message);
      else notify(problem, compare);
    }
  }

  function showRequest(asked, file, files, query, answer) {
    const command = new Command();
    const response = new Answer((again) => asked.compareWithMany(file, files, again));
    command.show(curl(asked.path(`/compare/batch${query}`), oneWithMany(file, files)));
    response.know(query, answer);
    const heading = element("h2", {}, "The same request with curl");
    request.replaceChildren(element("div", { class: "card" }, heading, command.element, response.element));
  }

  /// Shows each error and each warning beside its image. An error of the one image fails all pairs, and is shown once.
  function showErrors(results) {
    const ofOne = results.find((result) => result.error?.field?.endsWith("a"));
    one.showError(ofOne ? ofOne.error.message : null);
    const errors = results.flatMap((result, index) => (result.error && !ofOne ? [[index, result.error.message]] : []));
    const warned = results.map((result, index) => [index, warnings(result, `b[${index}]`)]);
    many.showErrors(new Map(errors), new Map(warned));
    const valid = results.find((result) => !result.error);
    one.showWarning(valid ? warnings(valid, "a") : null);
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
    const max = model.calibration.maxDistance(...valid.map((result) => result.distance));
    ranking.replaceChildren(...valid.map((result) => row(result, max, truth(result), model)));
  }

  /// For shipped images, the truth is known: says where the model is wrong.
  function truth({ file, verdict }) {
    const [first, second] = [one.file, file].map(identityIn);
    if (!first || !second) return [];
    const isOne = first.identity === second.identity;
    if ((verdict === "same") === isOne) return [];
    return [element("span", { class: "truth" }, ` wrong: ${isOne ? "the same" : "another"} ${first.nouns[0]}`)];
  }

  return { use, compare, samples };
}

function row({ file, distance, threshold, verdict }, max, error, model) {
  const image = element("img", {});
  show(image, file, "", model);
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
  bar.children[0].style.width = `${(distance / max) * 100}%`;
  bar.children[1].style.left = `${(threshold / max) * 100}%`;
  return element(
    "li", { class: verdict }, image,
    element("span", { class: "file" }, file.name, ...error), bar,
    element("span", { class: "number" }, formatDistance(distance)), element("em", {}, verdict),
  );
}
