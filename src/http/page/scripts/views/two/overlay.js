// The cells of an explanation, as colours over the model's input.

import { element } from "../../elements.js";

/// The colours of cells that speak for same and for different. They differ in lightness too.
export const COLOURS = { same: "#2f7bff", different: "#ff7a00" };

/// What each cell speaks for: above 0 for same, and below 0 for different. The parts of a decomposition add up to the
/// similarity, so most of them are positive, and only their difference from the mean tells cells apart.
export function tendencies({ values }, method) {
  if (method !== "decomposition") return values;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

/// A picture of the model's input with its cells. `strongest` is the greatest tendency, of either sign, that has the full
/// colour.
export class Overlay {
  constructor(name, url, { rows, columns }, tendencies, strongest) {
    this.cells = element("canvas", { width: columns, height: rows });
    draw(this.cells.getContext("2d"), columns, tendencies, strongest);
    const label = `${name}, as the model sees it. ${describe(columns, tendencies)}`;
    const input = element("img", { src: url, alt: "", onload: () => URL.revokeObjectURL(url) });
    this.element = element(
      "figure", {},
      element("div", { class: "overlaid", role: "img", "aria-label": label }, input, this.cells),
      element("figcaption", {}, name),
    );
  }

  /// Shows the colours with an opacity from 0 to 1.
  fade(opacity) {
    this.cells.style.opacity = opacity;
  }
}

function draw(context, columns, tendencies, strongest) {
  tendencies.forEach((tendency, index) => {
    context.fillStyle = 0 < tendency ? COLOURS.same : COLOURS.different;
    context.globalAlpha = strongest ? Math.abs(tendency) / strongest : 0;
    context.fillRect(index % columns, Math.floor(index / columns), 1, 1);
  });
}

/// The cells that speak most for same and for different, in words.
function describe(columns, tendencies) {
  const [most, least] = [Math.max(...tendencies), Math.min(...tendencies)];
  const place = (tendency) => {
    const index = tendencies.indexOf(tendency);
    return `row ${Math.floor(index / columns) + 1} and column ${(index % columns) + 1}`;
  };
  const rows = tendencies.length / columns;
  return [
    `It has ${rows} rows and ${columns} columns of cells.`,
    0 < most ? `The cell in ${place(most)} speaks most for same.` : "No cell speaks for same.",
    least < 0 ? `The cell in ${place(least)} speaks most for different.` : "No cell speaks for different.",
  ].join(" ");
}
