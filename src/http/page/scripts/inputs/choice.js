// The choice of a model.

import { element, find } from "../elements.js";

/// The most characters of a purpose in the list.
const LONGEST = 72;

/// Offers the models of the server, if there are several. `onchoose` receives the name of the one that the user chooses.
export function offer(models, onchoose) {
  const select = find("choice-model");
  find("choice").hidden = models.length < 2;
  select.replaceChildren(...models.map((model) => element("option", { value: model.name }, inWords(model))));
  select.onchange = () => onchoose(select.value);
}

/// Shows which model is chosen.
export function show({ name, purpose }) {
  find("choice-model").value = name;
  find("choice-model").title = purpose ?? "";
}

/// The name and the beginning of the purpose.
function inWords({ name, purpose }) {
  if (!purpose) return name;
  if (purpose.length <= LONGEST) return `${name}: ${purpose}`;
  return `${name}: ${purpose.slice(0, purpose.lastIndexOf(" ", LONGEST))} …`;
}
