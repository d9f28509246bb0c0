// The response to the request that a view shows as a command, as JSON.

import { element } from "../elements.js";
import { Command } from "./command.js";

/// The most characters in a line, except of a long text.
const WIDTH = 88;
/// How long the threshold must rest before the page asks for the response, in milliseconds.
const REST = 300;

/// A box that opens on a click. It always shows the response to the request of the command: `ask` sends that with a query.
export class Answer {
  constructor(ask) {
    Object.assign(this, { ask, query: null, known: null });
    this.text = new Command("json", { tabindex: 0, role: "region", "aria-label": "The response as JSON" });
    this.summary = element("summary", {}, "The response as JSON");
    this.element = element("details", { class: "answer", ontoggle: () => this.update() }, this.summary);
  }

  /// Shows the response to a request with another query.
  show(query) {
    this.query = query;
    this.update();
  }

  /// Notes a response that has arrived, so that the box need not ask for it.
  know(query, answer) {
    this.known = { query, answer };
    this.show(query);
  }

  async update() {
    const { query } = this;
    if (!this.element.open) return;
    this.element.classList.toggle("waiting", query !== this.known?.query);
    if (query !== this.known?.query) {
      await new Promise((resolve) => setTimeout(resolve, REST));
      if (query !== this.query) return;
      try {
        const { answer } = await this.ask(query);
        if (query !== this.query) return;
        this.known = { query, answer };
      } catch (problem) {
        if (query === this.query) this.fail(problem);
        return;
      }
    }
    this.element.classList.remove("waiting");
    this.text.show(format(this.known.answer));
    this.element.replaceChildren(this.summary, this.text.element);
  }

  fail(problem) {
    this.element.classList.remove("waiting");
    this.element.replaceChildren(this.summary, element("p", { class: "error", role: "alert" }, problem.message));
  }
}

/// JSON in lines of a readable width. What fits is on one line, and the numbers of a long list fill several.
export function format(value, indent = "") {
  const flat = spaced(value);
  if (indent.length + flat.length <= WIDTH || typeof value !== "object" || value === null) return flat;
  const deeper = `${indent}  `;
  const isArray = Array.isArray(value);
  const entries = isArray
    ? value.map((entry) => format(entry, deeper))
    : Object.entries(value).map(([name, entry]) => `${JSON.stringify(name)}: ${format(entry, deeper)}`);
  const lines = isArray && value.every(isShort) ? filled(entries, WIDTH - deeper.length) : entries;
  const [open, close] = isArray ? "[]" : "{}";
  return `${open}\n${lines.map((line) => deeper + line).join(",\n")}\n${indent}${close}`;
}

/// A number, or a place as two of them.
const isShort = (entry) => typeof entry === "number" || (Array.isArray(entry) && entry.length <= 4 && entry.every(isShort));

/// JSON on one line, with a space after each comma and colon.
function spaced(value) {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, entry]) => `${JSON.stringify(name)}: ${spaced(entry)}`).join(", ")}}`;
}

/// Joins entries to lines of at most `width` characters.
function filled(entries, width) {
  const lines = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + entry.length + 2 <= width) lines[lines.length - 1] = `${last}, ${entry}`;
    else lines.push(entry);
  }
  return lines;
}
