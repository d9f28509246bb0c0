// Areas that are ignored: drawn on the picture, or written as numbers.

import { element, svgElement } from "../../elements.js";

const FIELDS = ["Left", "Top", "Width", "Height"];
/// The most areas that the server takes.
const MOST = 256;

/// The ignored areas, as rectangles in whole pixels of the second image. `onchange` is called after each change.
export class Areas {
  constructor(picture, onchange) {
    Object.assign(this, { picture, onchange, rectangles: [] });
    this.list = element("ol", { class: "ignored" });
    this.drawing = element("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggle() }, "Draw on the picture");
    const add = element("button", { type: "button", onclick: () => this.addCentre() }, "Add by numbers");
    this.element = element("div", {}, this.list, element("div", { class: "file-buttons" }, this.drawing, add));
    this.acceptDrags();
  }

  /// The areas as the server reads them; null if there are none.
  get query() {
    return this.rectangles.map((rectangle) => rectangle.join(",")).join(";") || null;
  }

  get isDrawing() {
    return this.drawing.getAttribute("aria-pressed") === "true";
  }

  clear() {
    this.rectangles = [];
    this.toggle(false);
    this.show();
  }

  toggle(isDrawing = !this.isDrawing) {
    this.drawing.setAttribute("aria-pressed", isDrawing);
    this.picture.element.classList.toggle("drawing", isDrawing);
  }

  add(rectangle) {
    if (MOST <= this.rectangles.length) return;
    this.rectangles.push(rectangle.map(Math.round));
    this.show();
    this.onchange();
  }

  /// Adds the middle quarter of the image, and goes to its numbers.
  addCentre() {
    const { width, height } = this.picture.size;
    this.add([width / 4, height / 4, width / 2, height / 2]);
    this.list.lastChild?.querySelector("input").focus();
  }

  remove(index) {
    this.rectangles.splice(index, 1);
    this.show();
    this.drawing.focus();
    this.onchange();
  }

  /// A drag on the picture draws an area. Escape ends drawing.
  acceptDrags() {
    const layer = this.picture.areas;
    let [start, drawn] = [null, null];
    const rectangle = (event) => {
      const [one, other] = [start, this.picture.placeOf(event)];
      const [left, top] = [0, 1].map((axis) => Math.min(one[axis], other[axis]));
      return [left, top, Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1])];
    };
    layer.addEventListener("pointerdown", (event) => {
      if (!this.isDrawing) return;
      event.preventDefault();
      start = this.picture.placeOf(event);
      drawn = shape([...start, 0, 0]);
      layer.append(drawn);
      layer.setPointerCapture(event.pointerId);
    });
    layer.addEventListener("pointermove", (event) => {
      if (drawn) place(drawn, rectangle(event));
    });
    const end = (event) => {
      drawn?.remove();
      const [left, top, width, height] = drawn ? rectangle(event) : [0, 0, 0, 0];
      drawn = null;
      if (event.type === "pointerup" && 1 <= width && 1 <= height) this.add([left, top, width, height]);
    };
    layer.addEventListener("pointerup", end);
    layer.addEventListener("pointercancel", end);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle(false);
    });
  }

  show() {
    this.picture.areas.replaceChildren(...this.rectangles.map(shape));
    this.list.replaceChildren(...this.rectangles.map((_, index) => this.item(index)));
  }

  item(index) {
    const inputs = FIELDS.map((name, axis) => {
      const input = element("input", {
        type: "number", min: axis < 2 ? 0 : 1, step: 1, required: true, "aria-label": `${name} of area ${index + 1}, in pixels`,
        value: this.rectangles[index][axis],
        onchange: () => {
          if (!input.checkValidity()) return input.reportValidity();
          this.rectangles[index][axis] = input.valueAsNumber;
          place(this.picture.areas.children[index], this.rectangles[index]);
          this.onchange();
        },
      });
      return element("label", {}, element("span", { "aria-hidden": true }, name), input);
    });
    const label = `Remove area ${index + 1}`;
    const remove = element("button", { type: "button", "aria-label": label, onclick: () => this.remove(index) }, "×");
    return element("li", {}, ...inputs, remove);
  }
}

function shape(rectangle) {
  const created = svgElement("rect");
  place(created, rectangle);
  return created;
}

function place(shape, rectangle) {
  ["x", "y", "width", "height"].forEach((name, axis) => shape.setAttribute(name, rectangle[axis]));
}
