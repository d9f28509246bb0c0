// Creates elements, and formats numbers.

/// An HTML element with attributes, listeners (`onclick`) and children.
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/// An SVG element with attributes, listeners and children.
export function svgElement(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(created, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else created.setAttribute(key, value === true ? "" : value);
  }
  created.append(...children);
  return created;
}

export const find = (id) => document.getElementById(id);

/// A share, from 0 to 1, as a percentage.
export function percent(share) {
  const value = share * 100;
  const digits = value === 0 || 10 <= value ? 0 : value < 0.1 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

/// A probability as a percentage that is never 0 or 100.
export function boundedPercent(probability) {
  if (0.999 < probability) return "over 99.9 %";
  return probability < 0.001 ? "below 0.1 %" : percent(probability);
}

/// A distance with at least three digits. The distances of some models are far larger or smaller than 1.
export function formatDistance(distance) {
  if (0 < distance && distance < 0.01) return distance.toPrecision(3);
  const digits = 3 - Math.floor(Math.log10(Math.max(distance, 1)));
  return distance.toFixed(Math.max(digits, 0));
}

export const formatMilliseconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
