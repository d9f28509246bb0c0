// One picture of both images: a handle swipes between them, colours show the distances, and outlines the regions.

import { element, svgElement } from "../../elements.js";
import { decode, draw, pixels } from "./layers.js";
import { Swipe } from "./swipe.js";

export const UNMOVED = [[1, 0, 0], [0, 1, 0]];

/// The picture. `onpoint` receives the place under the pointer in pixels of the second image, or null; `onpick` receives
/// the place of a click.
export class Picture {
  constructor({ onpoint, onpick }) {
    Object.assign(this, { files: [], bitmaps: [null, null], size: { width: 1, height: 1 } });
    this.before = element("canvas", { class: "before" });
    this.after = element("canvas");
    this.heat = element("canvas", { class: "heat" });
    this.outlines = svgElement("svg", { class: "outlines", "aria-hidden": true });
    this.areas = svgElement("svg", { class: "areas", "aria-hidden": true });
    const swipe = new Swipe((place) => {
      this.before.style.clipPath = `inset(0 ${100 - 100 * place}% 0 0)`;
    });
    this.element = element(
      "div", {
        class: "picture",
        onpointermove: (event) => onpoint(this.placeOf(event)),
        onpointerleave: () => onpoint(null),
        onclick: (event) => onpick(this.placeOf(event)),
      },
      element("div", { class: "layers", role: "img", "aria-label": "Both images, with the changes" }, this.after, this.before, this.heat),
      this.outlines, this.areas,
      element("span", { class: "side", "aria-hidden": true }, "before"), element("span", { class: "side", "aria-hidden": true }, "after"),
      swipe.element,
    );
  }

  /// Decodes the images and shows them as they are. Returns false if other images have replaced them meanwhile.
  open(files) {
    if (files.some((file, index) => file !== this.files[index])) {
      this.files = files;
      this.opened = this.decode(files);
    }
    return this.opened;
  }

  async decode(files) {
    const bitmaps = await Promise.all(files.map(decode));
    if (files !== this.files) return false;
    this.bitmaps = bitmaps;
    const { width, height } = bitmaps[1] ?? bitmaps[0] ?? { width: 4, height: 3 };
    this.show({ width, height }, UNMOVED);
    this.clear();
    return true;
  }

  /// Whether the browser can show both images.
  get isShown() {
    return this.bitmaps.every(Boolean);
  }

  /// Draws both images. `size` is that of the second one, and `matrix` maps its places to those of the first one.
  show(size, matrix) {
    this.size = size;
    const { width, height } = size;
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.setProperty("--ratio", width / height);
    for (const drawing of [this.outlines, this.areas]) drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    draw(this.before, this.bitmaps[0], size, matrix);
    draw(this.after, this.bitmaps[1], size, UNMOVED);
  }

  /// The pixels of both images as shown: of the first one where it is aligned with the second.
  pixels() {
    return [this.before, this.after].map(pixels);
  }

  /// Shows the distances as colours.
  showHeat(distances, threshold) {
    const { rows, columns, cell } = distances;
    [this.heat.width, this.heat.height] = [columns, rows];
    this.heat.style.width = `${(100 * columns * cell) / this.size.width}%`;
    this.heat.style.height = `${(100 * rows * cell) / this.size.height}%`;
    this.heat.getContext("2d").putImageData(distances.heat(threshold), 0, 0);
  }

  /// Shows the outlines of regions, with their numbers.
  showRegions(regions) {
    const letter = Math.max(this.size.width, this.size.height) / 34;
    const numbered = regions.map(({ outline, box: [left, top] }, index) => {
      const text = svgElement("text", { x: left, y: Math.max(top - letter / 3, letter), "font-size": letter }, String(index + 1));
      return svgElement("g", {}, svgElement("path", { class: "halo", d: outline }), svgElement("path", { d: outline }), text);
    });
    this.outlines.replaceChildren(...numbered);
  }

  /// Emphasises regions: a map from index to class.
  emphasise(classes) {
    [...this.outlines.children].forEach((group, index) => group.setAttribute("class", classes.get(index) ?? ""));
  }

  clear() {
    this.heat.width = 0;
    this.outlines.replaceChildren();
  }

  /// Shows or hides the distances or the outlines.
  toggle(layer, isShown) {
    this.element.classList.toggle(`no-${layer}`, !isShown);
  }

  /// The place under a pointer, in pixels of the second image, within it.
  placeOf({ clientX, clientY }) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const within = (value) => Math.min(Math.max(value, 0), 1);
    return [within((clientX - left) / width) * this.size.width, within((clientY - top) / height) * this.size.height];
  }
}
