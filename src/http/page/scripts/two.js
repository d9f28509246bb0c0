// Two pictures: the verdict, and why.

import * as api from "./api.js";
import { Scale } from "./curves.js";
import { digits, element, find, likely, milliseconds, percent } from "./elements.js";
import { Slot, sample } from "./pictures.js";

const SAMPLES = { "one person twice": ["s5_1", "s5_2"], "two people": ["s5_1", "s1_1"], "a hard pair": ["s1_1", "s1_2"] };

export function begin(calibration, tell) {
  const slots = { a: new Slot(find("slot-a"), "First picture", ask), b: new Slot(find("slot-b"), "Second picture", ask) };
  const verdict = find("two-verdict");
  const figure = find("two-figure");
  let result = null;
  let scale = null;
  let asked = 0;

  for (const [label, [a, b]] of Object.entries(SAMPLES)) {
    const put = async () => {
      const files = await Promise.all([sample(a), sample(b)]).catch(() => null);
      if (!files) return tell(new api.Problem({ code: "unreachable", detail: "The server does not answer" }));
      slots.a.file = null;
      slots.b.file = null;
      slots.a.put(files[0]);
      slots.b.put(files[1]);
    };
    find("two-samples").append(element("button", { type: "button", onclick: put }, label));
  }

  async function ask() {
    if (!slots.a.file || !slots.b.file) return;
    const mine = (asked += 1);
    verdict.classList.add("waiting");
    try {
      const found = await api.compare(slots.a.file, slots.b.file);
      if (mine !== asked) return;
      result = found;
      slots.a.blame(null);
      slots.b.blame(null);
      tell(null);
      show();
    } catch (problem) {
      if (mine !== asked) return;
      result = null;
      verdict.replaceChildren();
      figure.replaceChildren();
      const slot = slots[problem.field];
      if (slot) slot.blame(problem.message);
      else tell(problem, ask);
    } finally {
      verdict.classList.remove("waiting");
    }
  }

  function show() {
    const place = element("div", { class: "card" });
    const seen = element("p", { class: "where" }, whereItFalls(calibration, result.distance));
    const line = element("code", {});
    const copy = element("button", {
      type: "button",
      onclick: async () => {
        await navigator.clipboard?.writeText(line.textContent);
        copy.textContent = "Copied";
      },
    }, "Copy");
    const rule = (threshold) => {
      tellVerdict(threshold);
      const query = threshold === calibration.threshold ? "" : `?threshold=${threshold}`;
      line.textContent = curl(query, slots);
      copy.textContent = "Copy";
    };
    figure.replaceChildren(
      place,
      element("div", { class: "card" }, element("h2", {}, "The same by curl"), element("div", { class: "curl" }, line, copy)),
      timings(result.timings),
    );
    scale = new Scale(place, calibration, rule);
    place.prepend(element("h2", {}, "Where this pair falls"));
    place.append(seen);
    scale.mark(result.distance);
    rule(scale.threshold);
  }

  function tellVerdict(threshold) {
    const same = result.distance <= threshold;
    verdict.className = `verdict ${same ? "same" : "different"}`;
    const probability = result.probability === undefined ? "" : ` Probability of the same: ${likely(result.probability)}.`;
    verdict.replaceChildren(
      element("strong", {}, same ? "The same" : "Different"),
      element("span", {}, `The distance, ${digits(result.distance)}, is ${same ? "within" : "beyond"} the threshold of ${digits(threshold)}.${probability}`),
    );
  }
}

function whereItFalls(calibration, distance) {
  const rates = calibration.at(distance);
  if (!rates) return "";
  return `As close as this or closer lay ${percent(1 - rates.fnmr)} of the same pairs, and ${percent(rates.fmr)} of the different ones.`;
}

function curl(query, slots) {
  const part = (name) => `-F ${name}=@${quoted(slots[name].file.name)}`;
  const url = `${location.origin}/compare${query}`;
  return `curl ${part("a")} ${part("b")} '${url}'`;
}

const quoted = (name) => (/^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

function timings(spent) {
  const items = Object.entries(spent).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, milliseconds(value))));
  return element("dl", { class: "timings", "aria-label": "Where the time went" }, ...items);
}
