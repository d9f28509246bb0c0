// Elements in one line each.

/// An element with attributes, listeners (`onclick`) and children.
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/// The same of a drawing.
export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const find = (id) => document.getElementById(id);

/// A share as people read it.
export function percent(share) {
  const value = share * 100;
  const digits = value === 0 || 10 <= value ? 0 : value < 0.1 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

/// A probability: never quite certain.
export function likely(probability) {
  if (0.999 < probability) return "over 99.9 %";
  return probability < 0.001 ? "below 0.1 %" : percent(probability);
}

export const digits = (distance) => distance.toFixed(3);

export const milliseconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
