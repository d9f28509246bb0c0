// One picture against many, the nearest first.

import * as api from "./api.js";
import { digits, element, find } from "./elements.js";
import { Slot, Tray, sample, show } from "./pictures.js";

const SAMPLES = ["s5_2", "s1_1", "s1_2", "s9_1", "s9_2", "s13_1", "s13_2"];
const MOST = 64;

export function begin(calibration, tell) {
  const one = new Slot(find("slot-one"), "One picture", ask);
  const many = new Tray(find("tray-many"), "Many pictures", MOST, ask);
  const verdict = find("many-verdict");
  const ranking = find("many-results");
  let asked = 0;

  const put = async () => {
    const files = await Promise.all(["s5_1", ...SAMPLES].map(sample)).catch(() => null);
    if (!files) return tell(new api.Problem({ code: "unreachable", detail: "The server does not answer" }));
    one.put(files[0]);
    many.set(files.slice(1));
  };
  find("many-samples").append(element("button", { type: "button", onclick: put }, "one face against seven"));

  async function ask() {
    const mine = (asked += 1);
    ranking.replaceChildren();
    verdict.replaceChildren();
    if (!one.file || many.files.length === 0) return;
    const { files } = many;
    try {
      const results = await api.compareWithMany(one.file, files);
      if (mine !== asked) return;
      tell(null);
      const ofOne = results.find((it) => it.error?.field?.endsWith("a"));
      one.blame(ofOne ? ofOne.error.message : null);
      many.blameEach(new Map(results.flatMap((it, at) => (it.error && !ofOne ? [[at, it.error.message]] : []))));
      rank(results, files);
    } catch (problem) {
      if (mine !== asked) return;
      if (problem.field === "a") one.blame(problem.message);
      else tell(problem, ask);
    }
  }

  function rank(results, files) {
    const good = results.map((it, at) => ({ ...it, file: files[at] })).filter((it) => !it.error);
    good.sort((a, b) => a.distance - b.distance);
    const same = good.filter((it) => it.verdict === "same").length;
    if (good.length === 0) return;
    verdict.className = `verdict ${same ? "same" : "different"}`;
    verdict.replaceChildren(
      element("strong", {}, same ? `${same} of ${good.length} the same` : "None the same"),
      element("span", {}, `Threshold ${digits(good[0].threshold)}.`),
    );
    const reach = calibration.reach(...good.map((it) => it.distance));
    ranking.replaceChildren(...good.map((it) => row(it, reach)));
  }
}

function row({ file, distance, threshold, verdict }, reach) {
  const image = element("img", {});
  show(image, file, "");
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
  bar.children[0].style.width = `${(distance / reach) * 100}%`;
  bar.children[1].style.left = `${(threshold / reach) * 100}%`;
  return element(
    "li", { class: verdict }, image,
    element("span", { class: "file" }, file.name), bar,
    element("span", { class: "number" }, digits(distance)), element("em", {}, verdict),
  );
}
