// Begins the page: the tower's card, the views, and what concerns all of them.

import * as api from "./api.js";
import { Calibration } from "./calibration.js";
import { element, find, percent } from "./elements.js";
import * as matrix from "./matrix.js";
import * as many from "./many.js";
import * as two from "./two.js";

const VIEWS = ["two", "one-to-many", "matrix"];

function turnToView() {
  const wanted = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : VIEWS[0];
  for (const view of VIEWS) find(view).hidden = view !== wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  tell(null);
  scrollTo(0, 0);
}

/// Says what is wrong with no picture in particular, and offers to try again; null: nothing is.
function tell(problem, again) {
  const notice = find("notice");
  notice.hidden = !problem;
  if (!problem) return;
  if (problem.code === "unauthorized") return askForKey(again);
  const retry = () => {
    tell(null);
    again();
  };
  notice.replaceChildren(problem.message, ...(again ? [element("button", { type: "button", onclick: retry }, "Try again")] : []));
}

function askForKey(again) {
  const form = find("key");
  find("notice").hidden = true;
  form.hidden = false;
  find("key-value").focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    api.useKey(find("key-value").value);
    form.hidden = true;
    again?.();
  };
}

function describe(card) {
  const [channels, height, width] = card.input.shape;
  const measured = card.calibration;
  const facts = {
    tower: card.name,
    input: `${height} × ${width}, ${channels === 1 ? "grey" : "colour"}`,
    embedding: `${card.embedding.width} numbers`,
    "runs on": `${card.device} (${card.execution_provider})`,
    "equal error rate": measured ? percent(measured.eer) : "not measured",
    "calibrated on": measured ? `${measured.identities} identities of ${measured.data}` : "nothing",
    digest: card.digest,
  };
  find("tower-facts").replaceChildren(
    ...Object.entries(facts).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

async function begin() {
  try {
    const card = await api.model();
    describe(card);
    const calibration = new Calibration(card);
    for (const view of [two, many, matrix]) view.begin(calibration, tell);
    document.body.dataset.ready = "";
  } catch (problem) {
    tell(problem, begin);
  }
}

addEventListener("hashchange", turnToView);
turnToView();
begin();
