// The box that names a threshold, for a model that has none.

import { element, find } from "./elements.js";

/// Shows the box if no threshold is in force. `onname` is called after each threshold that the user names.
export function offerBox(calibration, onname) {
  const form = find("threshold");
  form.hidden = calibration.inForce !== undefined;
  form.onsubmit = (event) => {
    event.preventDefault();
    calibration.threshold = find("threshold-value").valueAsNumber;
    onname();
  };
}

/// Asks for a threshold in place of a verdict.
export function ask(verdict) {
  verdict.className = "verdict";
  verdict.replaceChildren(element("span", {}, "This model has no threshold. Name one above to get a verdict."));
}
