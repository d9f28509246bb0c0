// The page's requests to the server.

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

export const model = async () => (await send("/model")).json();

/// Compares two files. The result contains the time of each step.
export const compare = (a, b, query) => timed(`/compare${query}`, [["a", a], ["b", b]]);

/// Finds what has changed between two files. The result contains the time of each step.
export const changes = (before, after, query) => timed(`/changes${query}`, scene(before, after));

/// The distance of each cell between two files, as the bytes of a `.npy` file.
export async function cellDistances(before, after, query) {
  return (await sendScene(before, after, query, "application/x-npy")).arrayBuffer();
}

/// The changes between two files as a PNG file.
export async function changesPng(before, after, query) {
  return (await sendScene(before, after, query, "image/png")).blob();
}

/// Compares one file with each of several files. Returns a result or `{error}` for each of them, in order.
export async function compareWithMany(one, many, query) {
  const parts = [["a", one], ...many.map((file) => ["b", file])];
  const response = await send(`/compare/batch${query}`, { method: "POST", body: form(parts) });
  return (await response.json()).results.map(readResult);
}

/// Embeds several files. Returns `{embedding}` or `{error}` for each of them, in order.
export async function embed(files) {
  const body = form(files.map((file) => ["image", file]));
  const response = await (await send("/embed", { method: "POST", body })).json();
  return (response.results ?? [response]).map(readResult);
}

/// Creates the model's input from a file, as the URL of an image.
export async function pixels(file) {
  const response = await send("/pixels", { method: "POST", body: form([["image", file]]) });
  return URL.createObjectURL(await response.blob());
}

/// The warnings of a result about its faces, as sentences; with `field`, only those of the image at this path. Null if there
/// are none. The page says of an unfamiliar image what that means for the figures: see `familiarity.js`.
export function warnings({ warnings = [] }, field) {
  const isHere = (warning) => field === undefined || warning.field === field;
  const about = warnings.filter((warning) => isHere(warning) && warning.code !== "unfamiliar");
  return about.map(({ detail }) => toSentence(detail)).join(" ") || null;
}

/// Sends a form, and reads the result with the time of each step.
async function timed(path, parts) {
  const start = performance.now();
  const response = await send(path, { method: "POST", body: form(parts) });
  const result = await response.json();
  const timings = serverTimings(response.headers.get("server-timing"));
  return { ...result, timings: { ...timings, "round trip": performance.now() - start } };
}

const scene = (before, after) => [["before", before], ["after", after]];

const sendScene = (before, after, query, accept) =>
  send(`/changes${query}`, { method: "POST", body: form(scene(before, after)), headers: { accept } });

const readResult = (result) => (result.error ? { error: new Problem(result.error) } : result);

async function send(path, options = {}) {
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
