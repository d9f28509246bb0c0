// Starts the page: reads the model's card, starts the views, and shows what concerns all of them.

import * as api from "./api.js";
import { Calibration } from "./calibration.js";
import { element, find, percent } from "./elements.js";
import { term } from "./terms.js";
import { offerBox } from "./threshold.js";
import * as changes from "./views/changes.js";
import * as many from "./views/many.js";
import * as matrix from "./views/matrix.js";
import * as two from "./views/two.js";

const VIEWS = ["two", "one-to-many", "matrix", "changes"];

function showView() {
  const wanted = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : VIEWS[0];
  for (const view of VIEWS) find(view).hidden = view !== wanted;
  document.body.dataset.view = wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  notify(null);
  scrollTo(0, 0);
}

/// Shows a problem that concerns no single image, and a button that tries again. Null clears the notice.
function notify(problem, retry) {
  const notice = find("notice");
  notice.hidden = !problem;
  if (!problem) return;
  if (problem.code === "unauthorized") return requestKey(retry);
  const clearAndRetry = () => {
    notify(null);
    retry();
  };
  const button = retry ? [element("button", { type: "button", onclick: clearAndRetry }, "Try again")] : [];
  notice.replaceChildren(problem.message, ...button);
}

/// Requests an API key. If a key is known, the server did not accept it.
function requestKey(retry) {
  const form = find("key");
  find("notice").hidden = true;
  find("key-error").hidden = !api.authorization();
  form.hidden = false;
  find("key-value").focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    api.useKey(find("key-value").value.trim());
    form.hidden = true;
    retry?.();
  };
}

/// Shows what the model is for and what its limits are, above the first verdict.
function showStatements({ purpose, limits }) {
  const statements = find("statements");
  statements.replaceChildren(
    row("Purpose", purpose ?? "The model’s card does not state its purpose."),
    row("Limits", limits ?? "The model’s card does not state its limits."),
  );
  statements.hidden = false;
}

function showFacts(card) {
  const [channels, height, width] = card.input.shape;
  const calibration = card.calibration;
  find("model-facts").replaceChildren(
    row("Name", card.name),
    row("Input", `${height} × ${width} pixels, ${channels === 1 ? "grey" : "colour"}`),
    row("Embedding", `${card.embedding.width} numbers`),
    row("Runs on", `${card.device} (${card.execution_provider})`),
    row(term("EER", "Equal error rate"), calibration ? percent(calibration.eer) : "not measured"),
    row("Calibration", calibration ? `${calibration.identities} identities of ${calibration.data}` : "not calibrated"),
    row("Digest", card.digest),
  );
}

const row = (name, ...values) => element("div", {}, element("dt", {}, name), element("dd", {}, ...values));

async function start() {
  try {
    const card = await api.model();
    showStatements(card);
    showFacts(card);
    const calibration = new Calibration(card);
    const views = [two, many, matrix].map((view) => view.start(card, calibration, notify));
    offerBox(find("threshold"), calibration, () => views.forEach((compareAgain) => compareAgain()));
    changes.start(card, notify);
    document.body.dataset.ready = "";
  } catch (problem) {
    notify(problem, start);
  }
}

addEventListener("hashchange", showView);
showView();
start();
