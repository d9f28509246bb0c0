// Inputs for images: a slot for one image, a tray for several.

import { element, svgElement } from "../elements.js";
import { register } from "./transfer.js";

const TYPES = "image/*,.tif,.tiff,.pgm,.ppm,.pnm,.bmp";

/// An input for one image. `use` names the model that sees it. It calls `onchange` after each new file. `next` is the input that takes further files.
/// `showsInput` tells whether the model's input is shown below the image: what the model sees of an image as a whole.
export class Slot {
  constructor(container, title, onchange, { showsInput = true } = {}) {
    Object.assign(this, { container, onchange, showsInput, file: null, next: null });
    this.image = element("img", { alt: "", hidden: true });
    this.face = svgElement("svg", { class: "face" });
    this.hint = element("p", { class: "hint" }, "Drop or paste an image here");
    this.input = element("img", { class: "model-input", alt: `What the model sees of the ${title.toLowerCase()}` });
    this.inset = element("figure", { hidden: true }, this.input, element("figcaption", {}, "what the model sees"));
    this.messages = new Messages();
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", title);
    container.append(
      element("h2", {}, title),
      element("div", { class: "frame" }, this.image, this.face, this.hint, this.inset),
      fileButtons(title, false, (files) => this.add(files)),
      ...this.messages.elements,
    );
    register(this);
  }

  get isEmpty() {
    return !this.file;
  }

  /// Shows the image as another model sees it.
  use(model) {
    this.model = model;
    this.forget();
    if (this.file && this.showsInput) this.showInput(this.file);
  }

  /// Takes the first file. The next input takes the others.
  add([file, ...others], next = this.next) {
    if (!file) return;
    this.put(file);
    if (others.length === 0) return;
    if (next) next.add(others, null);
    else this.showNote(ignored(others.length));
  }

  /// Sets the image.
  async put(file) {
    this.file = file;
    this.showNote(null);
    this.forget();
    this.hint.hidden = true;
    show(this.image, file, file.name, this.model);
    this.container.classList.add("filled");
    this.onchange();
    if (this.showsInput) await this.showInput(file);
  }

  /// Removes the image.
  clear() {
    this.file = null;
    this.showNote(null);
    this.forget();
    this.hint.hidden = false;
    this.image.hidden = true;
    this.container.classList.remove("filled");
    this.onchange();
  }

  /// Removes what the model said of the image.
  forget() {
    this.showError(null);
    this.showWarning(null);
    this.showFace(null);
    this.inset.hidden = true;
  }

  async showInput(file) {
    const { model } = this;
    try {
      const url = await model.pixels(file);
      if (this.file !== file || this.model !== model) return URL.revokeObjectURL(url);
      URL.revokeObjectURL(this.input.src);
      this.input.src = url;
      this.inset.hidden = false;
    } catch {
      // The comparison fails for the same reason, and reports it.
    }
  }

  /// Draws the box and the points of the face that the model sees. Without a face, clears them.
  showFace(face) {
    this.face.replaceChildren();
    const { naturalWidth: width, naturalHeight: height } = this.image;
    // Where the browser can't decode the file, the model's input is shown instead.
    if (!face || !width || "replaced" in this.image.dataset) return;
    this.face.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const [left, top, side, rows] = face.box;
    const radius = Math.max(side / 40, Math.max(width, height) / 200);
    const points = Object.values(face.points).map(([x, y]) => svgElement("circle", { cx: x, cy: y, r: radius }));
    const { score, sharpness, yaw } = face;
    const quality = `score of the detector ${score.toFixed(2)}, sharpness ${sharpness.toFixed(2)}, turned by ${Math.abs(yaw)}°`;
    const title = svgElement("title", {}, `The face that the model sees: ${quality}`);
    this.face.append(title, svgElement("rect", { x: left, y: top, width: side, height: rows, rx: radius }), ...points);
  }

  /// Shows an error of this image. Null clears it.
  showError(message) {
    this.messages.showError(message);
    this.container.classList.toggle("invalid", Boolean(message));
  }

  /// Shows what was not taken. Null clears it.
  showNote(message) {
    this.messages.showNote(message);
  }

  /// Shows why to trust the result less. Null clears it.
  showWarning(message) {
    this.messages.showWarning(message);
  }
}

/// An input for several images, `limit` at most. `use` names the model that sees them.
export class Tray {
  constructor(container, title, limit, onchange) {
    Object.assign(this, { container, limit, onchange, files: [] });
    this.list = element("ul", { class: "thumbnails" });
    this.hint = element("p", { class: "hint" }, `Drop or paste up to ${limit} images here`);
    this.messages = new Messages();
    this.clear = element("button", { type: "button", hidden: true, onclick: () => this.set([]) }, "Clear");
    const buttons = fileButtons(title, true, (files) => this.add(files));
    buttons.append(this.clear);
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", title);
    container.append(element("h2", {}, title), this.hint, this.list, buttons, ...this.messages.elements);
    register(this);
  }

  get isEmpty() {
    return this.files.length === 0;
  }

  use(model) {
    this.model = model;
    this.showErrors(new Map(), new Map());
  }

  add(files) {
    this.set([...this.files, ...files]);
  }

  set(files) {
    this.files = files.slice(0, this.limit);
    const excess = files.length - this.files.length;
    this.messages.showError(excess ? `The limit is ${this.limit} images. ${ignored(excess)}` : null);
    this.showNote(null);
    this.hint.hidden = !this.isEmpty;
    this.clear.hidden = this.isEmpty;
    this.list.replaceChildren(...this.files.map((file, index) => this.thumbnail(file, index)));
    this.onchange();
  }

  /// Shows errors and warnings of single images: maps from index to text.
  showErrors(errors, warnings) {
    [...this.list.children].forEach((item, index) => {
      item.classList.toggle("invalid", errors.has(index));
      item.querySelector(".reason").textContent = errors.get(index) ?? "";
      item.querySelector(".warning").textContent = warnings.get(index) ?? "";
    });
  }

  /// Shows what was not taken. Null clears it.
  showNote(message) {
    this.messages.showNote(message);
  }

  thumbnail(file, index) {
    const image = element("img", { alt: file.name });
    show(image, file, file.name, this.model);
    const removeFile = () => this.set(this.files.filter((_, other) => other !== index));
    const label = `Remove ${file.name}`;
    const remove = element("button", { type: "button", "aria-label": label, onclick: removeFile }, "×");
    return element("li", { title: file.name }, image, remove, element("span", { class: "reason" }), element("span", { class: "warning" }));
  }
}

/// The messages of an input: the error of its images, why to trust the result less, and what was not taken.
class Messages {
  constructor() {
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    this.warning = element("p", { class: "warning", role: "status", hidden: true });
    this.note = element("p", { class: "note", role: "alert", hidden: true });
    this.elements = [this.error, this.warning, this.note];
  }

  showError(message) {
    set(this.error, message);
  }

  showWarning(message) {
    set(this.warning, message);
  }

  showNote(message) {
    set(this.note, message);
  }
}

function set(paragraph, message) {
  paragraph.textContent = message ?? "";
  paragraph.hidden = !message;
}

const ignored = (count) => (count === 1 ? "The last image was ignored." : `The last ${count} were ignored.`);

/// Shows a file in an image element. If the browser can't decode the file, shows the model's input instead.
export function show(image, file, name, model) {
  const url = URL.createObjectURL(file);
  const release = () => URL.revokeObjectURL(url);
  delete image.dataset.replaced;
  image.onload = release;
  image.onerror = async () => {
    release();
    image.onerror = null;
    const input = await model.pixels(file).catch(() => null);
    image.dataset.replaced = "";
    if (input) image.src = input;
    else image.hidden = true;
  };
  image.alt = name;
  image.hidden = false;
  image.src = url;
}

function fileButtons(title, multiple, onfiles) {
  const button = (label, attributes, kind) => {
    const input = element("input", {
      type: "file", accept: TYPES, multiple, "aria-label": `${label}: ${title.toLowerCase()}`, ...attributes,
      onchange: () => {
        onfiles([...input.files]);
        input.value = "";
      },
    });
    return element("label", { class: kind }, label, input);
  };
  return element(
    "div", { class: "file-buttons" },
    button(multiple ? "Choose files" : "Choose file", {}, "button"),
    button("Take photo", { capture: "environment", multiple: false }, "button camera"),
  );
}
