// The technical terms on the page, and what they mean.

import { element } from "./elements.js";

const TERMS = {
  "Same pair": "Two images of one identity: of the same person, product or object.",
  "Different pair": "Two images of two different identities.",
  Distance: "How different two images are to the model: the L2 distance between their embeddings.",
  Threshold: "The largest distance that is still called same, or unchanged.",
  FMR: "False match rate: the share of different pairs that are called same.",
  FNMR: "False non-match rate: the share of same pairs that are called different.",
  EER: "Equal error rate: the value of FMR and FNMR at the threshold where the two are equal.",
  Cell: "A small square of an image. Its distance is how different the two images are to the model there.",
  Region: "Changed cells that touch each other, and cells around them that are nearly as different.",
  "False alarms": "The share of unchanged cells, or unchanged image pairs, that are called changed.",
  "Missed changes": "The share of changed cells, or changed image pairs, that are called unchanged.",
  Margin: "How far training pushed different pairs apart. It is not the threshold.",
  Probability: "How probable a same pair is at this distance, if half of all compared pairs are same pairs.",
};

/// A term with its meaning on hover.
export function term(name, text = name) {
  return element("abbr", { title: TERMS[name] }, text);
}

/// The meaning of a term.
export const meaning = (name) => TERMS[name];

/// A list of terms that opens on a click, because a touch screen has no hover.
export function glossary(...names) {
  const entries = names.map((name) => element("div", {}, element("dt", {}, name), element("dd", {}, TERMS[name])));
  return element(
    "details", { class: "glossary" },
    element("summary", {}, "What do these terms mean?"), element("dl", { class: "facts" }, ...entries),
  );
}
