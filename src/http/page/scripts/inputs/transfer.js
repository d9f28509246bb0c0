// Images that are dropped or pasted.

const NO_FILE = "This is a link, a text or a folder, not an image file. Save the image, then drop or choose the file.";

const inputs = [];

/// Lets an input receive images that are dropped or pasted.
export const register = (input) => inputs.push(input);

/// The input at an event. Outside of all inputs: the first visible empty one, else the last visible one.
function inputAt({ target }) {
  const visible = inputs.filter((input) => !input.container.closest("[hidden]"));
  const touched = visible.find((input) => input.container.contains(target));
  return touched ?? visible.find((input) => input.isEmpty) ?? visible.at(-1);
}

function receive(event, transfer) {
  event.preventDefault();
  const input = inputAt(event);
  const files = filesOf(transfer);
  if (files.length) input?.add(files);
  else input?.showNote(NO_FILE);
}

/// The files of a transfer. Browsers list a folder as a file, but can't send it.
function filesOf({ items }) {
  const isFile = (item) => item.kind === "file" && !item.webkitGetAsEntry()?.isDirectory;
  return [...items].filter(isFile).map((item) => item.getAsFile());
}

function highlight(event, isOver) {
  const over = isOver ? inputAt(event) : null;
  for (const input of inputs) input.container.classList.toggle("drag-over", input === over);
}

/// A text field receives texts itself.
const isForText = ({ target }, transfer) => filesOf(transfer).length === 0 && target.matches?.("input:not([type=file])");

document.addEventListener("paste", (event) => {
  if (!isForText(event, event.clipboardData)) receive(event, event.clipboardData);
});
document.addEventListener("dragover", (event) => {
  // Without this, the browser would open a dropped image instead of the page.
  event.preventDefault();
  highlight(event, true);
});
document.addEventListener("dragleave", (event) => highlight(event, false));
document.addEventListener("drop", (event) => {
  highlight(event, false);
  if (!isForText(event, event.dataTransfer)) receive(event, event.dataTransfer);
});
