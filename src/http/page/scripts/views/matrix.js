// Many images, each compared with all others: a matrix of distances, grouped by the threshold.

import { warnings } from "../api.js";
import { distance, groups } from "../calibration.js";
import { Chart } from "../charts/chart.js";
import { element, find, formatDistance } from "../elements.js";
import { unfamiliarResults } from "./familiarity.js";
import { Tray, show } from "../inputs/images.js";
import { ask } from "../inputs/threshold.js";
import { PAIRS } from "../charts/rates.js";
import { Samples, identityIn } from "../samples.js";

const LIMIT = 30;
/// The number of images in one request. It is below the servers' default limit.
const PORTION = 8;

/// Starts the view. `use` names the model to compare with, and `compare` compares again.
export function start(notify) {
  const tray = new Tray(find("tray-matrix"), "Images", LIMIT, compare);
  const verdict = find("matrix-verdict");
  const figure = find("matrix-figure");
  const samples = new Samples(find("matrix-samples"), "matrix", (files) => tray.set(files), notify);
  let [model, lastRequest] = [null, 0];

  function use(chosen) {
    model = chosen;
    for (const part of [tray, samples]) part.use(model);
    compare();
  }

  async function compare() {
    const request = (lastRequest += 1);
    const { files } = tray;
    figure.replaceChildren();
    verdict.replaceChildren();
    samples.keep(files);
    if (files.length < 2) return;
    if (model.calibration.threshold === undefined) return ask(verdict);
    try {
      const results = [];
      for (let start = 0; start < files.length; start += PORTION) {
        results.push(...(await embed(model, files.slice(start, start + PORTION))));
        if (request !== lastRequest) return;
      }
      notify(null);
      const errors = results.flatMap(({ error }, index) => (error ? [[index, error.message]] : []));
      tray.showErrors(new Map(errors), new Map(results.map((result, index) => [index, warnings(result)])));
      const images = results.map((result, index) => ({ ...result, file: files[index] }));
      const embedded = images.filter((image) => image.embedding);
      if (1 < embedded.length) showMatrix(embedded);
    } catch (problem) {
      if (request === lastRequest) notify(problem, compare);
    }
  }

  function showMatrix(embedded) {
    const files = embedded.map((image) => image.file);
    const { calibration } = model;
    const distances = embedded.map((a) => embedded.map((b) => distance(a.embedding, b.embedding)));
    const table = element("div", { class: "matrix", role: "region", "aria-label": "Distances", tabindex: 0 });
    const card = element("div", { class: "card" });
    // The table changes its height with the groups, and must not move the slider.
    figure.replaceChildren(card, table);
    const showGroups = (threshold) => {
      const found = groups(distances, threshold);
      const limit = formatDistance(threshold);
      verdict.replaceChildren(
        element("strong", {}, found.length === 1 ? "1 group" : `${found.length} groups`),
        element("span", {}, `Images are in one group if distances of at most ${limit} connect them.`),
        ...truth(files, found), ...unfamiliarResults(embedded),
      );
      table.replaceChildren(matrix(files, distances, found, threshold, model));
    };
    showGroups(new Chart(card, calibration, PAIRS, showGroups).threshold);
  }

  return { use, compare, samples };
}

/// For shipped images, the truth is known: says whether each group is one identity.
function truth(files, found) {
  const known = files.map(identityIn);
  if (!known.every(Boolean)) return [];
  const identities = known.map(({ identity }) => identity);
  const count = new Set(identities).size;
  const isRight = found.length === count && found.every((group) => new Set(group.map((index) => identities[index])).size === 1);
  const [one, several] = known[0].nouns;
  const judged = isRight ? "The model is right" : "The model is wrong";
  return [element("span", { class: "truth" }, `${judged}: the images show ${count} ${several}, and a group is one ${one}.`)];
}

/// Embeds images. The server refuses a request for one invalid image as a whole; here it is an error of that image.
async function embed(model, files) {
  try {
    return await model.embed(files);
  } catch (problem) {
    if (files.length === 1 && problem.field) return [{ error: problem }];
    throw problem;
  }
}

function matrix(files, distances, found, threshold, model) {
  const order = found.flat();
  const first = new Set(found.map((group) => group[0]));
  const edge = (index) => (first.has(index) ? "first" : "");
  const heading = (index, scope) => {
    const image = element("img", {});
    show(image, files[index], files[index].name, model);
    return element("th", { scope, class: scope === "col" ? edge(index) : undefined }, image);
  };
  const cell = (row, column) => {
    const value = distances[row][column];
    const kind = row === column ? "self" : value <= threshold ? "same" : "different";
    const square = element("span", { class: kind }, row === column ? "" : short(value));
    square.style.setProperty("--contrast", Math.min(Math.abs(value - threshold) / threshold, 1).toFixed(2));
    return element("td", { class: edge(column), title: `${files[row].name}, ${files[column].name}` }, square);
  };
  const rows = order.map((row) =>
    element("tr", { class: edge(row) }, heading(row, "row"), ...order.map((column) => cell(row, column))));
  return element(
    "table", { class: 14 < order.length ? "small" : "" },
    element("thead", {}, element("tr", {}, element("td"), ...order.map((index) => heading(index, "col")))),
    element("tbody", {}, ...rows),
  );
}

/// A distance in the width of a cell.
const short = (distance) => distance.toFixed(distance < 10 ? 2 : distance < 100 ? 1 : 0);
