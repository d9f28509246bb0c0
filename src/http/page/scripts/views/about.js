// What a model is for, and the facts about it.

import { element, find, percent } from "../elements.js";
import { term } from "../terms.js";

/// Shows what the model is for and what its limits are, above the first verdict.
export function showStatements({ card: { purpose, limits } }) {
  const statements = find("statements");
  statements.replaceChildren(
    row("Purpose", purpose ?? "The model’s card does not state its purpose."),
    row("Limits", limits ?? "The model’s card does not state its limits."),
  );
  statements.hidden = false;
}

export function showFacts({ card, name, cardPath }) {
  const [channels, height, width] = card.input.shape;
  const calibration = card.calibration;
  find("model-facts").replaceChildren(
    row("Name", card.name === name ? name : `${name} (${card.name})`),
    row("Input", `${height} × ${width} pixels, ${channels === 1 ? "grey" : "colour"}`),
    row("Embedding", `${card.embedding.width} numbers`),
    row("Runs on", `${card.device} (${card.execution_provider})`),
    row(term("EER", "Equal error rate"), calibration ? percent(calibration.eer) : "not measured"),
    row("Calibration", calibration ? `${calibration.identities} identities of ${calibration.data}` : "not calibrated"),
    row("Digest", card.digest),
  );
  find("model-card").href = cardPath;
}

const row = (name, ...values) => element("div", {}, element("dt", {}, name), element("dd", {}, ...values));
