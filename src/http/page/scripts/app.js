// Starts the page: shows the view, the model and the sample that the address names, and what concerns all views.

import * as address from "./address.js";
import { authorization, useKey } from "./api.js";
import { element, find } from "./elements.js";
import * as choice from "./inputs/choice.js";
import { offerBox } from "./inputs/threshold.js";
import { list } from "./model.js";
import { showFacts, showStatements } from "./views/about.js";
import * as changes from "./views/changes.js";
import * as many from "./views/many.js";
import * as matrix from "./views/matrix.js";
import * as two from "./views/two.js";

const VIEWS = { two, "one-to-many": many, matrix, changes };

/// The views that the user has been to.
const started = {};
let [models, model, view, lastShow] = [null, null, null, 0];

/// Shows what the address names.
async function show() {
  const { model: name, sample, view: named } = address.read();
  const wanted = named in VIEWS ? named : "two";
  const current = (lastShow += 1);
  if (wanted !== document.body.dataset.view) showView(wanted);
  try {
    models ??= await list();
    const chosen = models.find((one) => one.name === name) ?? models[0];
    const needed = new Set([chosen, chosen.forChanges ?? chosen]);
    await Promise.all([...needed].map((one) => one.load()));
    if (current !== lastShow) return;
    const isKnown = name === null || chosen.name === name;
    notify(isKnown ? null : { message: `This server has no model “${name}”. The page uses “${chosen.name}”.` });
    if (chosen !== model) useModel(chosen);
    if (!started[wanted]) {
      started[wanted] = VIEWS[wanted].start(notify);
      started[wanted].use(model);
    }
    showAbout((wanted === "changes" && model.forChanges) || model);
    started[wanted].samples.open(sample, wanted !== view);
    // A link to a sample shows the same also where another model is the first one.
    if (sample && 1 < models.length) address.correct({ model: model.name });
    view = wanted;
    document.body.dataset.ready = "";
  } catch (problem) {
    notify(problem, show);
  }
}

function showView(wanted) {
  for (const one of Object.keys(VIEWS)) find(one).hidden = one !== wanted;
  document.body.dataset.view = wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

/// Uses a model in all views. The images of the user stay in them, and are compared again.
function useModel(chosen) {
  if (!model) choice.offer(models, (name) => address.go({ model: name }));
  model = chosen;
  choice.show(model);
  const all = () => Object.values(started);
  offerBox(find("threshold"), model.calibration, () => all().forEach((one) => one.compare()));
  for (const one of all()) one.use(model);
}

function showAbout(shown) {
  showStatements(shown);
  showFacts(shown);
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
  find("key-error").hidden = !authorization();
  form.hidden = false;
  find("key-value").focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    useKey(find("key-value").value.trim());
    form.hidden = true;
    retry?.();
  };
}

address.listen(show);
show();
