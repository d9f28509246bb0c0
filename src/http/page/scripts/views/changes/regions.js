// The list of regions.

import { element, formatDistance } from "../../elements.js";

/// The most regions that are listed and outlined: the most different ones.
export const MOST = 100;

/// A list of regions. `onhover` receives the index under the pointer or with the focus, or -1; `onselect` that of a click.
export class RegionList {
  constructor({ onhover, onselect }) {
    Object.assign(this, { onhover, onselect });
    this.list = element("ol", { class: "regions" });
    this.note = element("p", { class: "hint" });
    this.element = element("div", {}, this.list, this.note);
  }

  show(regions, count) {
    this.list.replaceChildren(...regions.map((region, index) => this.item(region, index)));
    const more = count - regions.length;
    this.note.textContent = count === 0 ? "No region is above the threshold." : more ? `and ${more} more, less different` : "";
  }

  clear() {
    this.list.replaceChildren();
    this.note.textContent = "";
  }

  item({ kind, box, greatest, area }, index) {
    const [hover, leave] = [() => this.onhover(index), () => this.onhover(-1)];
    const button = element(
      "button", {
        type: "button", "aria-pressed": "false", onpointerenter: hover, onpointerleave: leave, onfocus: hover, onblur: leave,
        onclick: () => this.onselect(index),
      },
      element("b", {}, String(index + 1)), element("strong", {}, kind ?? "changed"), element("span", { class: "number" }, formatDistance(greatest)),
      element("small", {}, `${place(box)}, ${pixels(area)} px²`),
    );
    return element("li", {}, button);
  }

  /// Emphasises the region under the pointer, and the selected one. The list scrolls to them, and nothing else does.
  emphasise(hovered, selected) {
    [...this.list.children].forEach((item, index) => {
      item.classList.toggle("hovered", index === hovered);
      item.firstChild.setAttribute("aria-pressed", index === selected);
    });
  }

  reveal(index) {
    const item = this.list.children[index];
    if (!item) return;
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (this.list.scrollTop + this.list.clientHeight < bottom) this.list.scrollTop = bottom - this.list.clientHeight;
  }
}

/// A region in a sentence.
export function describe({ kind, box, greatest, area }, index) {
  return `Region ${index + 1}, ${kind ?? "changed"}: ${place(box)}, ${pixels(area)} square pixels, distance ${formatDistance(greatest)}.`;
}

const place = ([left, top, width, height]) => `${pixels(width)} × ${pixels(height)} px at ${pixels(left)}, ${pixels(top)}`;

const pixels = (value) => Math.round(value).toLocaleString("en");
