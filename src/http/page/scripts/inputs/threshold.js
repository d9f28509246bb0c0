// The boxes that name a threshold, for a model that has none.

import { element } from "../elements.js";

/// Shows the box, a form with a number, if no threshold is in force. `onname` is called after each threshold that the user
/// names.
export function offerBox(form, calibration, onname) {
  const input = form.querySelector("input");
  form.hidden = calibration.inForce !== undefined;
  input.value = calibration.threshold ?? "";
  form.onsubmit = (event) => {
    event.preventDefault();
    calibration.name(input.valueAsNumber);
    onname();
  };
}

/// Asks for a threshold in place of a verdict. `help` says more, for example which distances there are.
export function ask(verdict, help = "") {
  verdict.className = "verdict";
  verdict.replaceChildren(element("span", {}, `This model has no threshold. Name one above to get a verdict. ${help}`));
}
