// Images that are dropped or pasted.

const NO_FILE = "This is a link or a text, not an image file. Save the image, then drop or choose the file.";

const inputs = [];

/// Lets an input receive images that are dropped or pasted.
export const register = (input) => inputs.push(input);

/// The input at an event. Outside of all inputs: the first visible empty one, else the last visible one.
function inputAt({ target }) {
  const visible = inputs.filter((input) => !input.container.closest("[hidden]"));
  const touched = visible.find((input) => input.container.contains(target));
  return touched ?? visible.find((input) => input.isEmpty) ?? visible.at(-1);
}

function receive(event, { files }) {
  event.preventDefault();
  const input = inputAt(event);
  if (files.length) input?.add([...files]);
  else input?.showNote(NO_FILE);
}

function highlight(event, isOver) {
  const over = isOver ? inputAt(event) : null;
  for (const input of inputs) input.container.classList.toggle("drag-over", input === over);
}

/// A text field receives texts itself.
const isForText = ({ target }, { files }) => files.length === 0 && target.matches?.("input:not([type=file])");

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
