// What the page says of images that are unlike those of the calibration.

import { element } from "../elements.js";

const UNLIKE = "unlike those this model was calibrated on";
const isUnfamiliar = ({ code }) => code === "unfamiliar";

/// Says which images of a pair are unfamiliar: a list of at most one element.
export function unfamiliarPair(warnings = []) {
  const fields = warnings.filter(isUnfamiliar).map(({ field }) => field);
  if (fields.length === 0) return [];
  const images = { a: "The first image is", b: "The second image is" };
  return [message(`${1 < fields.length ? "These images are" : images[fields[0]]} ${UNLIKE}; the figures below do not apply.`)];
}

/// Says how many results have an unfamiliar image: a list of at most one element.
export function unfamiliarResults(results) {
  const count = results.filter(({ warnings }) => warnings?.some(isUnfamiliar)).length;
  if (count === 0) return [];
  const images = count === results.length ? "These images are" : `${count} of ${results.length} results have an image`;
  return [message(`${images} ${UNLIKE}; the verdicts on them may be wrong.`)];
}

const message = (text) => element("span", { class: "unfamiliar", role: "note" }, text);
