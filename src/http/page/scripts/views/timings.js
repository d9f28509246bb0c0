// The time of each step of a request.

import { element, formatMilliseconds } from "../elements.js";

/// The time of each step. An image in the cache is not decoded and not run.
export function timings({ cached, ...durations }) {
  const rows = Object.entries(durations).map(([name, duration]) => [name, formatMilliseconds(duration)]);
  const isRun = 0 < durations.model;
  const shown = rows.filter(([name]) => isRun || !["decode", "search", "queue", "model"].includes(name));
  if (cached) shown.unshift(["cache", isRun ? "one image" : "both images"]);
  const items = shown.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text)));
  return element("dl", { class: "timings", "aria-label": "Time of each step" }, ...items);
}
