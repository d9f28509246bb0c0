// The shipped images, as examples of what a model is for.

import * as address from "./address.js";
import { unreachable } from "./api.js";
import { element } from "./elements.js";

/// For each view, the samples by their names in addresses: a label and images. Image `s5_1` is the first one of identity `s5`.
const FACES = {
  nouns: ["person", "people"],
  two: {
    "one-person": ["one person twice", "s5_1", "s5_2"],
    "two-people": ["two people", "s5_1", "s1_1"],
    "less-alike": ["one person, less alike", "s1_1", "s1_2"],
  },
  "one-to-many": { "one-face": ["one face against seven", "s5_1", "s5_2", "s1_1", "s1_2", "s9_1", "s9_2", "s13_1", "s13_2"] },
  matrix: { "eight-faces": ["eight images of four people", "s5_1", "s1_1", "s9_1", "s13_1", "s5_2", "s1_2", "s9_2", "s13_2"] },
};
const PRODUCTS = {
  nouns: ["product", "products"],
  two: {
    "one-product": ["one product twice", "juice_1", "juice_2"],
    "two-products": ["two products", "juice_1", "yoghurt_2"],
    "one-maker": ["two products of one maker", "yoghurt_1", "cream_1"],
  },
  "one-to-many": { "one-package": ["one package against five", "juice_1", "juice_2", "yoghurt_1", "yoghurt_2", "cream_1", "cream_2"] },
  matrix: { "six-packages": ["six images of three products", "juice_1", "yoghurt_1", "cream_1", "juice_2", "yoghurt_2", "cream_2"] },
};
const CHARACTERS = {
  nouns: ["character", "characters"],
  two: {
    "one-character": ["one character twice", "ka_1", "ka_2"],
    "two-characters": ["two characters", "a_1", "ka_1"],
    "alike-characters": ["two characters, alike", "a_2", "ma_1"],
  },
  "one-to-many": { "one-drawing": ["one character against five", "a_1", "a_2", "ma_1", "ma_2", "ka_1", "ka_2"] },
  matrix: { "six-drawings": ["six images of three characters", "a_1", "ma_1", "ka_1", "a_2", "ma_2", "ka_2"] },
};
const SCENES = {
  changes: {
    board: ["a circuit board", "board_before", "board_after"],
    shelf: ["a shelf, photographed again", "shelf_before", "shelf_after"],
  },
};
const NONE = {};

/// The samples by the data that a model is calibrated on.
const OF_DATA = {
  "orl-faces": FACES, things: PRODUCTS, "omniglot-small1": CHARACTERS, "omniglot-small2": CHARACTERS,
};

const identities = new WeakMap();

/// Who or what is in a shipped image, with the nouns for one and for several; undefined for any other file.
export const identityIn = (file) => identities.get(file);

/// The samples for what a model embeds: it aligns faces, or its calibration names images of a kind.
function ofCard({ input, calibration }) {
  return input.align ? FACES : (OF_DATA[calibration?.data] ?? NONE);
}

/// The samples of a view, offered as buttons. `put` receives the files of a sample, or no files where it is gone.
export class Samples {
  constructor(container, view, put, notify) {
    Object.assign(this, { container, view, put, notify, set: NONE, offered: {}, wanted: null, shown: null, files: [] });
  }

  /// Offers the samples for a model. The one that is shown stays if the model has it too.
  use(model) {
    this.set = this.view === "changes" ? SCENES : ofCard(model.card);
    this.offered = this.set[this.view] ?? {};
    const buttons = Object.entries(this.offered).map(([name, [label]]) =>
      element("button", { type: "button", onclick: () => address.go({ sample: name }) }, label));
    this.container.replaceChildren(element("span", {}, "Examples:"), ...buttons);
    this.container.hidden = buttons.length === 0;
    if (this.shown && !this.offered[this.shown]) this.clear();
  }

  /// Shows what the address says: a sample, or none. `isEntered` tells whether the user comes from another view; then the
  /// images of this view stay, and the address follows them.
  open(name, isEntered) {
    this.wanted = this.offered[name] ? name : null;
    if (this.wanted) return this.wanted === this.shown ? null : this.load(this.wanted);
    if (this.shown && !isEntered) this.clear();
    address.correct({ sample: this.shown });
    return null;
  }

  async load(name) {
    try {
      const files = await fetchAll(this.offered[name].slice(1), this.set.nouns);
      if (name !== this.wanted) return;
      this.shown = null;
      this.put(files);
      Object.assign(this, { shown: name, files });
    } catch (problem) {
      this.notify(problem, () => this.load(name));
    }
  }

  /// Notes the images of the view. If the user has replaced those of the sample, the address does not name it any more.
  keep(files) {
    if (!this.shown || (files.length === this.files.length && files.every((file, index) => file === this.files[index]))) return;
    this.shown = null;
    address.correct({ sample: null });
  }

  clear() {
    this.shown = null;
    this.put([]);
  }
}

/// Fetches shipped images, by their names without extension.
async function fetchAll(names, nouns) {
  const fetchFile = async (name) => {
    const response = await fetch(`/page/samples/${name}.jpg`);
    const file = new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
    if (nouns) identities.set(file, { identity: name.split("_")[0], nouns });
    return file;
  };
  try {
    return await Promise.all(names.map(fetchFile));
  } catch {
    throw unreachable();
  }
}
