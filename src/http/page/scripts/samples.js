// The shipped images: two photographs of each of four people, and two pairs of scenes that have changed.

import { unreachable } from "./api.js";
import { element } from "./elements.js";

const people = new WeakMap();

/// Offers examples of faces, if the model is for faces.
export function offerFaces(container, card, examples, put, notify) {
  if (isForFaces(card)) offer(container, examples, put, notify);
}

/// Offers examples as buttons. `put` receives the files of an example.
export function offer(container, examples, put, notify) {
  container.hidden = false;
  for (const [label, names] of Object.entries(examples)) {
    const load = () => fetchAll(names).then(put, (problem) => notify(problem, load));
    container.append(element("button", { type: "button", onclick: load }, label));
  }
}

/// The person in a shipped photograph; undefined for any other file.
export const personIn = (file) => people.get(file);

/// A card has no field for the subject of a model, so its texts decide.
function isForFaces({ name, purpose, calibration }) {
  return [name, purpose, calibration?.data].some((text) => /\bfaces?\b/i.test(text ?? ""));
}

/// Fetches shipped images, by their names without extension: `s5_1` is photograph 1 of person 5.
async function fetchAll(names) {
  const fetchFile = async (name) => {
    const response = await fetch(`/page/samples/${name}.jpg`);
    const file = new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
    people.set(file, name.split("_")[0]);
    return file;
  };
  try {
    return await Promise.all(names.map(fetchFile));
  } catch {
    throw unreachable();
  }
}
