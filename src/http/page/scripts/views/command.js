// A text to copy, such as the request of a comparison as a command for a terminal.

import { authorization } from "../api.js";
import { element } from "../elements.js";

/// A command with a button that copies it. `kind` is the class of another text.
export class Command {
  constructor(kind = "command", attributes = {}) {
    this.code = element("code", attributes);
    this.copy = element("button", { type: "button", onclick: () => this.copyText() }, "Copy");
    this.element = element("div", { class: kind }, this.code, this.copy);
  }

  show(text) {
    this.code.textContent = text;
    this.copy.textContent = "Copy";
  }

  async copyText() {
    const isCopied = (await write(this.code.textContent)) || copySelected(this.code);
    this.copy.textContent = isCopied ? "Copied" : "Press Ctrl+C to copy";
  }
}

/// Without HTTPS, browsers have no clipboard interface.
const write = (text) => navigator.clipboard?.writeText(text).then(() => true, () => false);

/// Copies the text of an element on any page. The text stays selected, so that a user can copy it if this fails.
function copySelected(code) {
  getSelection().selectAllChildren(code);
  return document.execCommand("copy");
}

/// A form of named files, sent by curl.
export function curl(path, parts) {
  const key = authorization();
  const header = key ? `-H ${quoted(`Authorization: ${key}`)} ` : "";
  const form = parts.map(([name, file]) => part(name, file)).join(" ");
  return `curl ${header}${form} '${location.origin}${path}'`;
}

/// A part of a form. curl reads a comma or semicolon in the name of a file, unless the name is in double quotes.
function part(name, file) {
  if (/^[\w.-]+$/.test(file.name)) return `-F ${name}=@${file.name}`;
  return `-F ${quoted(`${name}=@"${file.name.replace(/["\\]/g, "\\$&")}"`)}`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
