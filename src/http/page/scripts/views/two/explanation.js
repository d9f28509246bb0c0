// Why two images are the same or different: which cells of them speak for which verdict.

import { element, formatDistance, formatMilliseconds } from "../../elements.js";
import { Answer } from "../answer.js";
import { Command, curl } from "../command.js";
import { COLOURS, Overlay, tendencies } from "./overlay.js";

const LEGENDS = {
  decomposition: {
    same: "speaks for same: the cell adds more to the similarity of the embeddings than the mean cell",
    different: "speaks for different: the cell adds less to it than the mean cell",
  },
  occlusion: {
    same: "speaks for same: without the cell, the images are farther apart",
    different: "speaks for different: without the cell, the images are closer",
  },
};

const ADVICE = [
  "The pictures show what the model reads. A full colour is the strongest cell of both images, so the colours of another " +
    "pair have another scale.",
  "The map describes the model, not the world. If the background has the strongest colours, the model judges by the " +
    "background.",
  "The test below the pictures hides cells and compares again. Trust the map if hiding the cells that speak most for same " +
    "moves the distance much farther than hiding those that speak least for it.",
];

/// How many images the model runs for an explanation: few if it has a map that an embedding of unit length is the sum of.
const runsFor = ({ map, embedding }) => (map && embedding.length === "unit" ? 8 : 134);

/// A card with a button that asks a model for the explanation of two files, and then with the explanation. `query` is that of
/// the comparison, with `explain=map`.
export class Explanation {
  constructor(model, files, query, notify) {
    Object.assign(this, { model, files, query, notify });
    const runs = runsFor(model.card);
    this.button = element("button", { type: "button", class: "primary", onclick: () => this.ask() }, "Why?");
    this.note = element("span", { role: "status" }, `Shows which parts of the images decide. The model runs ${runs} times for it.`);
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    this.element = element("div", { class: "card why" }, element("div", { class: "asking" }, this.button, this.note), this.error);
  }

  /// Asks once. After a problem, it can be asked again.
  async ask() {
    if (this.isAsked) return;
    this.isAsked = true;
    this.error.hidden = true;
    this.button.textContent = "Asking…";
    this.element.classList.add("waiting");
    try {
      const [result, ...urls] = await Promise.all([
        this.model.compare(...this.files, this.query), ...this.files.map((file) => this.model.pixels(file)),
      ]);
      this.show(result, urls);
    } catch (problem) {
      this.isAsked = false;
      this.button.textContent = "Why?";
      this.showProblem(problem);
    } finally {
      this.element.classList.remove("waiting");
    }
  }

  /// The page asks for a missing key. The card shows any other problem.
  showProblem(problem) {
    // Another pair has replaced this one.
    if (!this.element.isConnected) return;
    if (problem.code === "unauthorized") return this.notify(problem, () => this.ask());
    this.error.textContent = problem.message;
    this.error.hidden = false;
  }

  show({ explanation, answer, timings }, urls) {
    const { method, runs, a, b, deletion } = explanation;
    const heading = element("h2", { tabindex: -1 }, "Which parts of the images decide");
    const hadFocus = document.activeElement === this.button;
    const command = new Command();
    command.show(curl(this.model.path(`/compare${this.query}`), [["a", this.files[0]], ["b", this.files[1]]]));
    const response = new Answer((query) => this.model.compare(...this.files, query));
    response.know(this.query, answer);
    this.element.replaceChildren(
      heading, ...pictures([a, b], method, urls), legend(LEGENDS[method]), element("p", {}, tested(deletion)), advice(),
      element("h2", {}, "The explanation with curl"), command.element, response.element,
      element("p", { class: "cost" }, `${runs} runs of the model, ${formatMilliseconds(timings["round trip"])}`),
    );
    // The button is gone, and the keyboard goes on from here.
    if (hadFocus) heading.focus({ preventScroll: true });
  }
}

/// Both images, and a slider for the opacity of their colours.
function pictures(agreements, method, urls) {
  const all = agreements.map((agreement) => tendencies(agreement, method));
  const strongest = Math.max(...all.flat().map(Math.abs));
  const names = ["First image", "Second image"];
  const overlays = agreements.map((agreement, at) => new Overlay(names[at], urls[at], agreement, all[at], strongest));
  const fade = () => overlays.forEach((overlay) => overlay.fade(slider.value / 100));
  const slider = element("input", { type: "range", min: 0, max: 100, step: 5, value: 65, oninput: fade });
  fade();
  return [
    element("div", { class: "overlays" }, ...overlays.map((overlay) => overlay.element)),
    element("label", { class: "slider" }, "Opacity of the colours", slider),
  ];
}

function legend(meanings) {
  const entries = Object.entries(meanings).map(([kind, meaning]) => {
    const sample = element("i", { "aria-hidden": true });
    sample.style.background = COLOURS[kind];
    const colour = kind === "same" ? "Blue" : "Orange";
    return element("li", {}, sample, element("span", {}, element("b", {}, colour), ` ${meaning}.`));
  });
  return element("ul", { class: "meanings" }, ...entries);
}

/// The deletion test in words.
function tested({ distance, without_highest: highest, without_lowest: lowest }) {
  const [all, most, least] = [distance, highest, lowest].map(formatDistance);
  const result =
    `Hiding the fifth of the cells that speak most for same moves the distance from ${all} to ${most}; ` +
    `hiding the fifth that speaks least, to ${least}.`;
  return lowest < highest ? result : `${result} The map says little about this pair.`;
}

function advice() {
  const paragraphs = ADVICE.map((text) => element("p", {}, text));
  return element("details", { class: "glossary" }, element("summary", {}, "How to read it"), ...paragraphs);
}
