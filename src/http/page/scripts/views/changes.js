// Two images of a scene, before and after: what has changed, and where.

import { Chart } from "../charts/chart.js";
import { element, find, formatDistance } from "../elements.js";
import { Slot } from "../inputs/images.js";
import { ask, offerBox } from "../inputs/threshold.js";
import { cells } from "../charts/rates.js";
import { Samples } from "../samples.js";
import { inWords } from "./changes/alignment.js";
import { Areas } from "./changes/areas.js";
import { Detail } from "./changes/detail.js";
import { Distances } from "./changes/distances.js";
import { Found } from "./changes/found.js";
import { readNpy } from "./changes/npy.js";
import { Request } from "./changes/request.js";
import { Command } from "./command.js";

/// Starts the view. `use` names the chosen model, and `compare` compares again.
export function start(notify) {
  const before = new Slot(find("slot-before"), "Before", compare, { showsInput: false });
  const after = new Slot(find("slot-after"), "After", compareAnew, { showsInput: false });
  [before.next, after.next] = [after, before];
  const verdict = find("changes-verdict");
  const align = find("changes-align");
  const found = new Found();
  const areas = new Areas(found.picture, compare);
  const request = new Request(query, notify);
  const samples = new Samples(find("changes-samples"), "changes", putPair, notify);
  let [model, calibration, result, chart, lastRequest] = [null, null, null, null, 0];

  find("changes-ignored").append(areas.element);
  find("changes-request").append(request.element);
  align.addEventListener("change", compare);

  /// The model that finds changes may be another one than the chosen one.
  function use(chosen) {
    const isSame = chosen.forChanges === model;
    model = chosen.forChanges;
    find("changes-view").hidden = !model;
    find("changes-refusal").hidden = Boolean(model);
    if (!model) return refuse();
    find("changes-model").hidden = model === chosen;
    find("changes-model").replaceChildren(
      "The model ", element("b", {}, chosen.name), " is not calibrated for changes. This view uses the model ",
      element("b", {}, model.name), ".",
    );
    if (isSame) return;
    calibration = model.cells;
    offerBox(find("changes-threshold"), calibration, () => {
      chart?.move(calibration.threshold);
      compare();
    });
    for (const part of [before, after, samples]) part.use(model);
    clear();
    compare();
  }

  function putPair([first, second]) {
    for (const slot of [before, after]) slot.file = null;
    if (!first) return [before, after].forEach((slot) => slot.clear());
    after.put(second);
    before.put(first);
  }

  /// Compares another second image. Its areas are elsewhere.
  function compareAnew() {
    areas.clear();
    compare();
  }

  /// The query of a request, with further parameters.
  function query(threshold, ...more) {
    const isInForce = threshold === calibration.inForce;
    const parts = [
      align.value !== "auto" && `align=${align.value}`,
      areas.query && `ignore=${areas.query}`,
      !isInForce && `threshold=${threshold}`,
      ...more,
    ].filter(Boolean);
    return parts.length ? `?${parts.join("&")}` : "";
  }

  async function compare() {
    const current = (lastRequest += 1);
    const files = [before.file, after.file];
    const asking = model;
    samples.keep(files);
    if (before.isEmpty && after.isEmpty) clear();
    if (before.isEmpty || after.isEmpty) return;
    const isSuperseded = () => current !== lastRequest;
    find("changes-figure").hidden = false;
    for (const part of [verdict, find("changes-figure")]) part.classList.add("waiting");
    try {
      if (!(await found.picture.open(files)) || isSuperseded()) return;
      // Without a threshold, the distances are of use all the same: they show which thresholds make sense.
      const named = chart?.threshold ?? calibration.threshold;
      const asked = query(named ?? 0);
      const response = await asking.changes(...files, asked);
      if (isSuperseded()) return;
      const file = await asking.cellDistances(...files, asked);
      if (isSuperseded()) return;
      notify(null);
      before.showError(null);
      after.showError(null);
      result = { ...response, model: asking, asked, files, distances: new Distances(readNpy(file), response.map.cell, response.image) };
      showResult();
    } catch (problem) {
      if (!isSuperseded()) showProblem(problem);
    } finally {
      if (!isSuperseded()) for (const part of [verdict, find("changes-figure")]) part.classList.remove("waiting");
    }
  }

  function showResult() {
    const { picture } = found;
    const { alignment, image, light, distances } = result;
    picture.show(image, alignment.matrix);
    result.detail = picture.isShown ? new Detail(picture.pixels(), distances, light) : null;
    showAlignment(inWords(result));
    if (calibration.threshold === undefined) return askForThreshold();
    chart ??= new Chart(find("changes-chart"), calibration, cells(ratesOfScenes), showAt);
    find("changes-chart").hidden = false;
    chart.mark(distances.greatest);
    showAt(chart.threshold);
  }

  function askForThreshold() {
    find("changes-chart").hidden = true;
    found.clear();
    request.clear();
    const [median, greatest] = [result.distances.median, result.distances.greatest].map(formatDistance);
    ask(verdict, `Half of the distances here are below ${median}, and the greatest is ${greatest}.`);
  }

  /// Shows what is changed at a threshold.
  function showAt(threshold) {
    if (!result) return;
    const regions = found.show(result, threshold);
    const [greatest, limit] = [result.distances.greatest, threshold].map(formatDistance);
    const isChanged = 0 < regions.length;
    const count = regions.length === 1 ? "1 region differs" : `${regions.length} regions differ`;
    const reason = isChanged
      ? `${count}. The greatest distance, ${greatest}, is above the threshold, ${limit}.`
      : `The greatest distance of a cell, ${greatest}, is not above the threshold, ${limit}.`;
    verdict.className = `verdict ${isChanged ? "different" : "same"}`;
    verdict.replaceChildren(element("strong", {}, isChanged ? "Changed" : "Unchanged"), element("span", {}, reason));
    request.show(result, threshold);
  }

  /// The error rates for image pairs: those of the response, where the card has none for other thresholds.
  function ratesOfScenes(threshold) {
    const ofResponse = threshold === result?.threshold ? result.operating_point.images : null;
    return model.scenes.at(threshold) ?? ofResponse ?? null;
  }

  function showAlignment({ text, warning }) {
    find("changes-alignment-found").textContent = text;
    find("changes-alignment-warning").textContent = warning ?? "";
    find("changes-alignment-warning").hidden = !warning;
  }

  /// Shows no result.
  function clear() {
    [result, chart] = [null, null];
    found.clear();
    request.clear();
    showAlignment({ text: "" });
    find("changes-chart").hidden = true;
    find("changes-figure").hidden = true;
    verdict.replaceChildren();
    for (const part of [verdict, find("changes-figure")]) part.classList.remove("waiting");
  }

  /// Shows a problem beside its image, or in place of the verdict if it concerns both images.
  function showProblem(problem) {
    const moved = chart;
    clear();
    // The threshold stays where it was moved to.
    chart = moved;
    const slot = { before, after }[problem.field];
    find("changes-figure").hidden = Boolean(slot);
    if (slot) slot.showError(problem.message);
    else if (["alignment_failed", "nothing_to_compare"].includes(problem.code)) {
      verdict.className = "verdict";
      verdict.append(element("span", { class: "error" }, problem.message));
    } else notify(problem, compare);
  }

  return { use, compare, samples };
}

/// Says which model finds changes, if there is only one of faces.
function refuse() {
  const command = new Command();
  command.show("siamese serve --model models/changes.onnx");
  const reason = "The model in service aligns faces, so it can’t compare images place by place. Start the server with a model of whole images:";
  find("changes-refusal").replaceChildren(element("p", {}, reason), command.element);
}
