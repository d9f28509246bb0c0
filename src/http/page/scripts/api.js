// Requests to the server, its errors, and the API key.

let key = sessionStorage.getItem("key");

export function useKey(value) {
  key = value;
  sessionStorage.setItem("key", value);
}

/// The value of the header `Authorization`; null if no key is known.
export const authorization = () => (key ? `Bearer ${key}` : null);

/// An error with the server's own text. `code` is "unreachable" if there is no response.
export class Problem extends Error {
  constructor({ detail, title, code, field, status }) {
    super(toSentence(detail ?? title ?? "Something went wrong."));
    Object.assign(this, { code, field, status });
  }
}

/// The error for a server that does not respond.
export function unreachable() {
  return new Problem({ code: "unreachable", detail: "The server does not respond. Is it running?" });
}

/// The warnings of a result about its faces, as sentences; with `field`, only those of the image at this path. Null if there
/// are none. The page says of an unfamiliar image what that means for the figures: see `familiarity.js`.
export function warnings({ warnings = [] }, field) {
  const isHere = (warning) => field === undefined || warning.field === field;
  const about = warnings.filter((warning) => isHere(warning) && warning.code !== "unfamiliar");
  return about.map(({ detail }) => toSentence(detail)).join(" ") || null;
}

/// Sends a form of named files. `accept` is the media type of the response.
export const post = (path, parts, accept = "application/json") =>
  send(path, { method: "POST", body: form(parts), headers: { accept } });

/// Sends a form, and reads the result. Besides, the result contains the time of each step, and itself as `answer`.
export async function timed(path, parts) {
  const start = performance.now();
  const response = await post(path, parts);
  const answer = await response.json();
  const timings = serverTimings(response.headers.get("server-timing"));
  return { ...answer, answer, timings: { ...timings, "round trip": performance.now() - start } };
}

/// Sends a request. Any status but a success is a problem.
export async function send(path, options = {}) {
  const headers = { ...options.headers, ...(key && { authorization: authorization() }) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw unreachable();
  }
  if (response.ok) return response;
  const title = `The server responded with status ${response.status}.`;
  throw new Problem(await response.json().catch(() => ({ title })));
}

function form(parts) {
  const data = new FormData();
  for (const [name, file] of parts) data.append(name, file);
  return data;
}

/// The duration of each step, and the number of images that were in the cache.
function serverTimings(header) {
  const text = header ?? "";
  const entries = [...text.matchAll(/([\w-]+);dur=([\d.]+)/g)];
  const durations = Object.fromEntries(entries.map(([, name, duration]) => [name, Number(duration)]));
  return { ...durations, cached: Number(text.match(/\bcache;desc="(\d+)"/)?.[1] ?? 0) };
}

function toSentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
