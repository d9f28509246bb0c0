// What the page asks of the server.

let key = sessionStorage.getItem("key");

export function useKey(value) {
  key = value;
  sessionStorage.setItem("key", value);
}

/// A refusal, in the server's words; `code` is "unreachable" where there was no answer.
export class Problem extends Error {
  constructor({ detail, title, code, field, status }) {
    super(sentence(detail ?? title ?? "Something went wrong."));
    Object.assign(this, { code, field, status });
  }
}

export const model = async () => (await ask("/model")).json();

/// Compares two files; what came with the answer tells where the time went.
export async function compare(a, b) {
  const begun = performance.now();
  const answer = await ask("/compare", { method: "POST", body: form([["a", a], ["b", b]]) });
  const result = await answer.json();
  const timings = serverTimings(answer.headers.get("server-timing"));
  return { ...result, timings: { ...timings, "round trip": performance.now() - begun } };
}

/// Compares a file with each of several; one result or `{error}` each, in order.
export async function compareWithMany(one, many) {
  const parts = [["a", one], ...many.map((it) => ["b", it])];
  const answer = await ask("/compare/batch", { method: "POST", body: form(parts) });
  return (await answer.json()).results.map(readItem);
}

/// Embeds several files; one `{embedding}` or `{error}` each, in order.
export async function embed(files) {
  const body = form(files.map((it) => ["image", it]));
  const answer = await (await ask("/embed", { method: "POST", body })).json();
  return (answer.results ?? [answer]).map(readItem);
}

/// What the tower sees of a file, as the address of a picture.
export async function pixels(file) {
  const answer = await ask("/pixels", { method: "POST", body: form([["image", file]]) });
  return URL.createObjectURL(await answer.blob());
}

const readItem = (item) => (item.error ? { error: new Problem(item.error) } : item);

async function ask(path, options = {}) {
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Problem({ code: "unreachable", detail: "The server does not answer. Is it still running?" });
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ title: `The server answered ${answer.status}.` }));
  throw new Problem(problem);
}

function form(parts) {
  const form = new FormData();
  for (const [name, file] of parts) form.append(name, file);
  return form;
}

function serverTimings(header) {
  const entries = [...(header ?? "").matchAll(/([\w-]+);dur=([\d.]+)/g)];
  return Object.fromEntries(entries.map(([, name, duration]) => [name, Number(duration)]));
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
