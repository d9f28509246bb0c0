// Inputs for images: a slot for one image, a tray for several.

import { pixels, unreachable } from "./api.js";
import { element } from "./elements.js";

const TYPES = "image/*,.tif,.tiff,.pgm,.ppm,.pnm,.bmp";

/// An input for one image. It calls `onchange` after each new file.
export class Slot {
  constructor(container, title, onchange) {
    Object.assign(this, { container, onchange, file: null });
    this.image = element("img", { alt: "", hidden: true });
    this.hint = element("p", { class: "hint" }, "Drop or paste an image here");
    this.input = element("img", { class: "model-input", alt: `What the model sees of the ${title.toLowerCase()}` });
    this.inset = element("figure", { hidden: true }, this.input, element("figcaption", {}, "what the model sees"));
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", title);
    container.append(
      element("h2", {}, title),
      element("div", { class: "frame" }, this.image, this.hint, this.inset),
      fileButtons(title, false, ([file]) => this.put(file)),
      this.error,
    );
    acceptDrops(container, ([file]) => this.put(file));
    inputs.push(this);
  }

  get isEmpty() {
    return !this.file;
  }

  /// Sets the image, and shows the model's input beside it.
  async put(file) {
    if (!file) return;
    this.file = file;
    this.showError(null);
    this.inset.hidden = true;
    this.hint.hidden = true;
    show(this.image, file, file.name);
    this.container.classList.add("filled");
    this.onchange();
    try {
      const url = await pixels(file);
      if (this.file !== file) return URL.revokeObjectURL(url);
      URL.revokeObjectURL(this.input.src);
      this.input.src = url;
      this.inset.hidden = false;
    } catch {
      // The comparison fails for the same reason, and reports it.
    }
  }

  /// Shows an error of this image. Null clears it.
  showError(message) {
    this.error.textContent = message ?? "";
    this.error.hidden = !message;
    this.container.classList.toggle("invalid", Boolean(message));
  }
}

/// An input for several images, `limit` at most.
export class Tray {
  constructor(container, title, limit, onchange) {
    Object.assign(this, { container, limit, onchange, files: [] });
    this.list = element("ul", { class: "thumbnails" });
    this.hint = element("p", { class: "hint" }, `Drop or paste up to ${limit} images here`);
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    this.clear = element("button", { type: "button", hidden: true, onclick: () => this.set([]) }, "Clear");
    const buttons = fileButtons(title, true, (files) => this.add(files));
    buttons.append(this.clear);
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", title);
    container.append(element("h2", {}, title), this.hint, this.list, buttons, this.error);
    acceptDrops(container, (files) => this.add(files));
    inputs.push(this);
  }

  get isEmpty() {
    return this.files.length === 0;
  }

  put(file) {
    this.add([file]);
  }

  add(files) {
    this.set([...this.files, ...files]);
  }

  set(files) {
    this.files = files.slice(0, this.limit);
    const ignored = files.length - this.files.length;
    this.showError(ignored ? `The limit is ${this.limit} images. The last ${ignored} were ignored.` : null);
    this.hint.hidden = !this.isEmpty;
    this.clear.hidden = this.isEmpty;
    this.list.replaceChildren(...this.files.map((file, index) => this.thumbnail(file, index)));
    this.onchange();
  }

  /// Shows errors of single images: a map from index to message.
  showErrors(errors) {
    [...this.list.children].forEach((item, index) => {
      item.classList.toggle("invalid", errors.has(index));
      item.querySelector(".reason").textContent = errors.get(index) ?? "";
    });
  }

  showError(message) {
    this.error.textContent = message ?? "";
    this.error.hidden = !message;
  }

  thumbnail(file, index) {
    const image = element("img", { alt: file.name });
    show(image, file, file.name);
    const removeFile = () => this.set(this.files.filter((_, other) => other !== index));
    const label = `Remove ${file.name}`;
    const remove = element("button", { type: "button", "aria-label": label, onclick: removeFile }, "×");
    return element("li", { title: file.name }, image, remove, element("span", { class: "reason" }));
  }
}

/// Shows a file in an image element. If the browser can't decode the file, shows the model's input instead.
export function show(image, file, name) {
  const url = URL.createObjectURL(file);
  const release = () => URL.revokeObjectURL(url);
  image.onload = release;
  image.onerror = async () => {
    release();
    image.onerror = null;
    const input = await pixels(file).catch(() => null);
    if (input) image.src = input;
    else image.hidden = true;
  };
  image.alt = name;
  image.hidden = false;
  image.src = url;
}

/// Fetches shipped images as files, by their names without extension.
export async function samples(...names) {
  const fetchFile = async (name) => {
    const response = await fetch(`/page/samples/${name}.jpg`);
    return new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
  };
  try {
    return await Promise.all(names.map(fetchFile));
  } catch {
    throw unreachable();
  }
}

// A pasted image goes to the input that has the focus, else to the first visible empty input, else to the last one.
const inputs = [];
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length === 0) return;
  event.preventDefault();
  const visible = inputs.filter((input) => !input.container.closest("[hidden]"));
  const focused = visible.find((input) => input.container.contains(document.activeElement));
  for (const file of files) {
    const empty = visible.find((input) => input.isEmpty);
    (focused ?? empty ?? visible.at(-1))?.put(file);
  }
});

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

function acceptDrops(container, onfiles) {
  const highlight = (isOver) => (event) => {
    event.preventDefault();
    container.classList.toggle("drag-over", isOver);
  };
  container.addEventListener("dragover", highlight(true));
  container.addEventListener("dragleave", highlight(false));
  container.addEventListener("drop", (event) => {
    highlight(false)(event);
    onfiles([...event.dataTransfer.files]);
  });
}
// The browser would open an image that is dropped beside an input, instead of the page.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
