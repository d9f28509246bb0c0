// The regions that were found: in the picture, in the list, and in words.

import { element, find } from "../../elements.js";
import { Picture } from "./picture.js";
import { MOST, RegionList, describe } from "./regions.js";

const NOT_SHOWN = "This browser can’t show both files, so the picture is not complete. The regions are those of the server.";

/// The picture and the list of regions. What is under the pointer or selected in one of them is emphasised in both.
export class Found {
  constructor() {
    Object.assign(this, { regions: [], owners: [], distances: null, hovered: -1, selected: -1 });
    this.picture = new Picture({
      onpoint: (place) => this.hover(this.regionAt(place)),
      onpick: (place) => this.select(this.regionAt(place)),
    });
    this.list = new RegionList({ onhover: (index) => this.hover(index), onselect: (index) => this.select(index) });
    this.detail = element("p", { class: "note selected", role: "status" });
    const legend = element("span", { class: "legend", "aria-hidden": true }, "threshold", element("i"), "twice the threshold");
    find("changes-picture").append(
      element("h2", {}, "Before and after"), this.picture.element,
      element("div", { class: "layers-shown" }, this.toggle("heat", "Heat map"), this.toggle("outlines", "Outlines"), legend),
      this.detail,
    );
    find("changes-regions").append(this.list.element);
  }

  toggle(layer, name) {
    const box = element("input", { type: "checkbox", checked: true, onchange: () => this.picture.toggle(layer, box.checked) });
    return element("label", {}, box, name);
  }

  /// Shows the changes at a threshold. Returns all regions.
  show({ distances, detail, regions: told, threshold: toldAt }, threshold) {
    const regions = distances.regions(threshold);
    const shown = regions.slice(0, MOST);
    // At the threshold of the response, the server tells the kinds.
    const kinds = threshold === toldAt ? new Map(told.map(({ box, kind }) => [key(box), kind])) : new Map();
    for (const region of shown) region.kind = kinds.get(key(region.box)) ?? detail?.kind(region.cells);
    const owners = new Int32Array(distances.values.length).fill(-1);
    shown.forEach(({ cells }, index) => cells.forEach((cell) => (owners[cell] = index)));
    Object.assign(this, { distances, regions: shown, owners });
    this.picture.showHeat(distances, threshold);
    this.picture.showRegions(shown);
    this.list.show(shown, regions.length);
    this.hovered = -1;
    this.select(-1);
    if (!this.picture.isShown) this.detail.textContent = NOT_SHOWN;
    return regions;
  }

  clear() {
    Object.assign(this, { regions: [], owners: [], distances: null, hovered: -1 });
    this.picture.clear();
    this.list.clear();
    this.select(-1);
  }

  regionAt(place) {
    return this.owners[place ? this.distances?.at(place) : -1] ?? -1;
  }

  hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.emphasise();
  }

  /// Selects a region. Selected again, it is not selected any more.
  select(index) {
    this.selected = index === this.selected ? -1 : index;
    this.list.reveal(this.selected);
    this.detail.textContent = this.selected < 0 ? "" : describe(this.regions[this.selected], this.selected);
    this.emphasise();
  }

  emphasise() {
    this.picture.emphasise(new Map([[this.hovered, "hovered"], [this.selected, "selected"]]));
    this.list.emphasise(this.hovered, this.selected);
  }
}

const key = (box) => box.map((side) => side.toFixed(2)).join();
