// What the server gives besides: its PNG files, the request as a command, and the time of each step.

import { element } from "../../elements.js";
import { Answer } from "../answer.js";
import { Command, curl } from "../command.js";
import { timings } from "../timings.js";

/// The files to download, the command, the response and the times of a result. `query` returns the query for a threshold.
export class Request {
  constructor(query, notify) {
    Object.assign(this, { query, notify, result: null, threshold: null });
    this.command = new Command();
    this.times = element("div");
    this.answer = new Answer((asked) => this.result.model.changes(...this.result.files, asked));
    const download = (view, name) => element("button", { type: "button", onclick: () => this.download(view) }, name);
    const buttons = element("div", { class: "file-buttons" }, download("heat", "Heat map as PNG"), download("mask", "Mask as PNG"));
    this.element = element(
      "div", { hidden: true },
      element("div", { class: "card" }, element("h2", {}, "Download"), buttons),
      element("div", { class: "card" }, element("h2", {}, "The same request with curl"), this.command.element, this.answer.element),
      this.times,
    );
  }

  show(result, threshold) {
    if (result !== this.result) this.answer.know(result.asked, result.answer);
    Object.assign(this, { result, threshold });
    const [before, after] = result.files;
    const query = this.query(threshold);
    this.command.show(curl(result.model.path(`/changes${query}`), [["before", before], ["after", after]]));
    this.answer.show(query);
    this.times.replaceChildren(timings(result.timings));
    this.element.hidden = false;
  }

  clear() {
    this.element.hidden = true;
  }

  /// Saves the server's picture of the changes at the threshold shown.
  async download(view) {
    const { threshold, result: { model, files } } = this;
    try {
      const url = URL.createObjectURL(await model.changesPng(...files, this.query(threshold, view === "mask" && "view=mask")));
      const name = files[1].name.replace(/\.\w+$/, "");
      element("a", { href: url, download: `${name}-${view}.png` }).click();
      // Some browsers read the file after the click.
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      this.notify(null);
    } catch (problem) {
      this.notify(problem, () => this.download(view));
    }
  }
}
