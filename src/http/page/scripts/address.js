// What the address of the page says: the model, the view and the sample. A link opens the same.

let listener = () => {};

/// What the address says. A part that it does not name is null; the view is that after the `#`, which may be empty.
export function read() {
  const query = new URLSearchParams(location.search);
  return { model: query.get("model"), sample: query.get("sample"), view: location.hash.slice(1) };
}

/// Calls `show` after each change, also by the browser's buttons.
export function listen(show) {
  listener = show;
  // Links to other views cause this event too.
  addEventListener("popstate", show);
}

/// Goes to an address with other parts; null removes one.
export function go(parts) {
  const address = withParts(parts);
  if (address !== location.href) history.pushState(null, "", address);
  listener();
}

/// Changes the address to what is shown. The browser's back button does not lead to the former one.
export function correct(parts) {
  const address = withParts(parts);
  if (address !== location.href) history.replaceState(null, "", address);
}

function withParts(parts) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(parts)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  address.searchParams.sort();
  return address.href;
}
