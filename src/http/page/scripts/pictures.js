// Where pictures are put in: a slot for one, a tray for several.

import { element } from "./elements.js";
import { pixels } from "./api.js";

const TYPES = "image/*,.tif,.tiff,.pgm,.ppm,.pnm,.bmp";

/// A place for one picture. `onchange` is told of each file that is put in.
export class Slot {
  constructor(place, title, onchange) {
    Object.assign(this, { place, onchange, file: null });
    this.image = element("img", { alt: "", hidden: true });
    this.hint = element("p", { class: "hint" }, "Drop a picture here, or paste one");
    this.seen = element("img", { class: "seen", alt: `What the tower sees of ${title.toLowerCase()}` });
    this.seenBy = element("figure", { hidden: true }, this.seen, element("figcaption", {}, "what the tower sees"));
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", title);
    place.append(
      element("h2", {}, title),
      element("div", { class: "frame" }, this.image, this.hint, this.seenBy),
      choosers(title, false, ([file]) => this.put(file)),
      this.error,
    );
    takesDrops(place, ([file]) => this.put(file));
    slots.push(this);
  }

  /// Puts a file in, and shows what the tower sees of it.
  async put(file) {
    if (!file) return;
    this.file = file;
    this.blame(null);
    this.seenBy.hidden = true;
    this.hint.hidden = true;
    show(this.image, file, file.name);
    this.place.classList.add("full");
    this.onchange();
    try {
      const seen = await pixels(file);
      if (this.file !== file) return URL.revokeObjectURL(seen);
      URL.revokeObjectURL(this.seen.src);
      this.seen.src = seen;
      this.seenBy.hidden = false;
    } catch {
      // The comparison tells what is wrong with it.
    }
  }

  /// Says what is wrong with the picture; null: nothing.
  blame(why) {
    this.error.textContent = why ?? "";
    this.error.hidden = !why;
    this.place.classList.toggle("bad", Boolean(why));
  }
}

/// A place for several pictures.
export class Tray {
  constructor(place, title, most, onchange) {
    Object.assign(this, { place, most, onchange, files: [] });
    this.list = element("ul", { class: "thumbnails" });
    this.hint = element("p", { class: "hint" }, `Drop up to ${most} pictures here, or paste them`);
    this.error = element("p", { class: "error", role: "alert", hidden: true });
    this.clear = element("button", { type: "button", hidden: true, onclick: () => this.set([]) }, "Empty");
    const choose = choosers(title, true, (files) => this.add(files));
    choose.append(this.clear);
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", title);
    place.append(element("h2", {}, title), this.hint, this.list, choose, this.error);
    takesDrops(place, (files) => this.add(files));
    slots.push(this);
  }

  put(file) {
    this.add([file]);
  }

  add(files) {
    this.set([...this.files, ...files]);
  }

  set(files) {
    this.files = files.slice(0, this.most);
    const left = files.length - this.files.length;
    this.blame(left ? `${this.most} pictures at once; ${left} more were left out.` : null);
    this.hint.hidden = this.clear.hidden = false;
    this.hint.hidden = 0 < this.files.length;
    this.clear.hidden = !this.hint.hidden;
    this.list.replaceChildren(...this.files.map((file, at) => this.thumbnail(file, at)));
    this.onchange();
  }

  /// Marks those that are at fault, by their places.
  blameEach(errors) {
    [...this.list.children].forEach((item, at) => {
      item.classList.toggle("bad", errors.has(at));
      item.querySelector(".why").textContent = errors.get(at) ?? "";
    });
  }

  blame(why) {
    this.error.textContent = why ?? "";
    this.error.hidden = !why;
  }

  thumbnail(file, at) {
    const without = () => this.set(this.files.filter((_, other) => other !== at));
    const image = element("img", { alt: file.name });
    show(image, file, file.name);
    const remove = element("button", { type: "button", "aria-label": `Remove ${file.name}`, onclick: without }, "×");
    return element("li", { title: file.name }, image, remove, element("span", { class: "why" }));
  }
}

/// Shows a file; where the browser can't, what the tower sees of it.
export function show(image, file, name) {
  const own = URL.createObjectURL(file);
  const free = () => URL.revokeObjectURL(own);
  image.onload = free;
  image.onerror = async () => {
    free();
    image.onerror = null;
    const seen = await pixels(file).catch(() => null);
    if (seen) image.src = seen;
    else image.hidden = true;
  };
  image.alt = name;
  image.hidden = false;
  image.src = own;
}

/// A shipped picture, as if it had been picked.
export async function sample(name) {
  const answer = await fetch(`/page/samples/${name}.jpg`);
  return new File([await answer.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

// Pasted pictures go where the focus is, else to the first place in view that is empty, else to the last.
const slots = [];
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length === 0) return;
  event.preventDefault();
  const seen = slots.filter((it) => !it.place.closest("[hidden]"));
  const focused = seen.find((it) => it.place.contains(document.activeElement));
  for (const file of files) {
    const empty = seen.find((it) => !(it.file ?? it.files?.length));
    (focused ?? empty ?? seen.at(-1))?.put(file);
  }
});

function choosers(title, several, take) {
  const chooser = (label, more) => {
    const input = element("input", {
      type: "file", accept: TYPES, multiple: several, ...more,
      onchange: () => {
        take([...input.files]);
        input.value = "";
      },
    });
    return element("label", { class: more.capture ? "button camera" : "button" }, label, input);
  };
  const name = title.toLowerCase();
  return element(
    "div", { class: "choosers" },
    chooser("Choose", { "aria-label": `Choose ${name}` }),
    chooser("Photograph", { "aria-label": `Photograph ${name}`, capture: "environment", multiple: false }),
  );
}

function takesDrops(place, take) {
  const over = (is) => (event) => {
    event.preventDefault();
    place.classList.toggle("over", is);
  };
  place.addEventListener("dragover", over(true));
  place.addEventListener("dragleave", over(false));
  place.addEventListener("drop", (event) => {
    over(false)(event);
    take([...event.dataTransfer.files]);
  });
}
// A picture that misses its place must not replace the page.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
