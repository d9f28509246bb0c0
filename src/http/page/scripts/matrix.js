// All with all: a matrix of distances, grouped by the threshold.

import * as api from "./api.js";
import { distance, groups } from "./calibration.js";
import { digits, element, find } from "./elements.js";
import { Scale } from "./curves.js";
import { Tray, sample, show } from "./pictures.js";

const SAMPLES = ["s5_1", "s1_1", "s9_1", "s13_1", "s5_2", "s1_2", "s9_2", "s13_2"];
const MOST = 30;
/// So many pictures go in a request: below what servers take by default.
const PORTION = 8;

export function begin(calibration, tell) {
  const tray = new Tray(find("tray-matrix"), "Pictures", MOST, ask);
  const verdict = find("matrix-verdict");
  const figure = find("matrix-figure");
  let asked = 0;

  const put = async () => {
    const files = await Promise.all(SAMPLES.map(sample)).catch(() => null);
    if (files) tray.set(files);
    else tell(new api.Problem({ code: "unreachable", detail: "The server does not answer" }));
  };
  find("matrix-samples").append(element("button", { type: "button", onclick: put }, "eight pictures of four people"));

  async function ask() {
    const mine = (asked += 1);
    const { files } = tray;
    figure.replaceChildren();
    verdict.replaceChildren();
    if (files.length < 2) return;
    try {
      const results = [];
      for (let at = 0; at < files.length; at += PORTION) {
        results.push(...(await embedded(files.slice(at, at + PORTION))));
        if (mine !== asked) return;
      }
      tell(null);
      tray.blameEach(new Map(results.flatMap((it, at) => (it.error ? [[at, it.error.message]] : []))));
      const good = results.flatMap((it, at) => (it.error ? [] : [{ file: files[at], embedding: it.embedding }]));
      if (1 < good.length) draw(good);
    } catch (problem) {
      if (mine === asked) tell(problem, ask);
    }
  }

  function draw(good) {
    const distances = good.map((a) => good.map((b) => distance(a.embedding, b.embedding)));
    const table = element("div", { class: "matrix", role: "region", "aria-label": "Distances", tabindex: 0 });
    const scale = element("div", { class: "card" });
    figure.replaceChildren(table, scale);
    const group = (threshold) => {
      const found = groups(distances, threshold);
      verdict.replaceChildren(
        element("strong", {}, found.length === 1 ? "One group" : `${found.length} groups`),
        element("span", {}, `Two are in one group where pairs at most ${digits(threshold)} apart connect them.`),
      );
      table.replaceChildren(grid(good, distances, found, threshold));
    };
    group(new Scale(scale, calibration, group).threshold);
  }
}

/// One picture that is bad makes a lone request fail, where several tell of each.
async function embedded(files) {
  try {
    return await api.embed(files);
  } catch (problem) {
    if (files.length === 1 && problem.field) return [{ error: problem }];
    throw problem;
  }
}

function grid(good, distances, found, threshold) {
  const order = found.flat();
  const first = new Set(found.map((it) => it[0]));
  const head = (at) => {
    const image = element("img", {});
    show(image, good[at].file, good[at].file.name);
    return image;
  };
  const edge = (at) => (first.has(at) ? "first" : "");
  const cell = (row, column) => {
    const value = distances[row][column];
    const kind = row === column ? "self" : value <= threshold ? "same" : "different";
    const made = element("td", { class: `${kind} ${edge(column)}`, title: `${good[row].file.name}, ${good[column].file.name}` },
      row === column ? "" : value.toFixed(2));
    made.style.setProperty("--far", Math.min(Math.abs(value - threshold) / threshold, 1).toFixed(2));
    return made;
  };
  return element(
    "table", { class: 14 < order.length ? "small" : "" },
    element("thead", {}, element("tr", {}, element("td"), ...order.map((at) => element("th", { scope: "col", class: edge(at) }, head(at))))),
    element("tbody", {}, ...order.map((row) =>
      element("tr", { class: edge(row) }, element("th", { scope: "row" }, head(row)), ...order.map((column) => cell(row, column))))),
  );
}
