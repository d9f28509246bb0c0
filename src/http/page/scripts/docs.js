// Shows the server's own OpenAPI document.

import { element, find } from "./elements.js";

const answer = await fetch("/openapi.json");
const api = await answer.json();
const main = find("api");

for (const paragraph of api.info.description.split("\n\n")) main.append(element("p", { class: "lead" }, ...marked(paragraph)));
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(item)) main.append(route(method, path, operation));
}
document.body.dataset.ready = "";
document.querySelector(location.hash || "main")?.scrollIntoView();

function route(method, path, { summary, description, parameters, requestBody, responses }) {
  const id = `${method}${path.replaceAll("/", "-")}`;
  find("routes").append(element("a", { href: `#${id}` }, path));
  const parts = [element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), ` ${path}`)];
  for (const text of [summary, description]) if (text) parts.push(element("p", {}, ...marked(text)));
  if (parameters) {
    parts.push(element("h3", {}, "Query"), properties(Object.fromEntries(parameters.map((it) => [it.name, it]))));
  }
  if (requestBody) parts.push(element("h3", {}, "Body"), ...contents(requestBody.content));
  const good = responses["200"];
  parts.push(element("h3", {}, "Answer"), element("p", {}, ...marked(good.description)), ...contents(good.content));
  const refusals = Object.entries(responses).filter(([status]) => status !== "200").sort();
  if (refusals.length) parts.push(folded("Refusals", ...refusals.map(([status, it]) => refusal(status, it))));
  return element("section", { class: "card route", id }, ...parts);
}

function refusal(status, { description, content }) {
  const codes = Object.values(content).flatMap((it) => it.schema.allOf.flatMap((part) => part.properties?.code?.enum ?? []));
  return element("p", { class: "refusal" }, element("b", {}, status), " ", ...marked(description), ...codes.flatMap((it) => [" ", element("code", {}, it)]));
}

/// Each kind of body, folded up, with its example in view.
function contents(content) {
  return Object.entries(content).flatMap(([kind, { schema, example }]) => {
    const parts = [folded(element("code", {}, kind), shape(schema))];
    if (example !== undefined) parts.push(element("pre", { tabindex: 0 }, JSON.stringify(example, null, 2)));
    return parts;
  });
}

function folded(name, ...parts) {
  return element("details", {}, element("summary", {}, name), ...parts);
}

/// A schema as a list of what it holds; a name is looked up where it stands.
function shape(schema, depth = 0) {
  if (schema.$ref) {
    const found = api.components.schemas[schema.$ref.split("/").pop()];
    return shape(found, depth);
  }
  const choices = (schema.oneOf ?? schema.anyOf)?.filter((it) => it.type !== "null");
  if (choices?.length === 1) return shape(choices[0], depth);
  if (choices && depth < 4) {
    const all = choices.flatMap((it, at) => (at ? [element("p", { class: "or" }, "or"), shape(it, depth + 1)] : [shape(it, depth + 1)]));
    return element("div", {}, ...all);
  }
  if (schema.allOf) return element("div", {}, ...schema.allOf.map((it) => shape(it, depth)));
  if (schema.type === "array" && depth < 4) return element("div", {}, element("p", {}, "a list of"), shape(schema.items, depth + 1));
  if (schema.properties && depth < 4) return properties(schema.properties, schema.required, depth + 1);
  return element("p", {}, ...marked([schema.description, kindOf(schema)].filter(Boolean).join(" ")));
}

function properties(named, required, depth = 1) {
  const rows = Object.entries(named).flatMap(([name, it]) => {
    const schema = it.schema ?? it;
    const open = schema.$ref || schema.oneOf || schema.type === "array";
    const optional = required?.includes(name) || it.required ? "" : "optional";
    const words = [it.description, open ? "" : kindOf(schema)].filter(Boolean).join(" ");
    const what = element("dd", {}, ...marked(words));
    if (optional) what.append(" ", element("small", {}, optional));
    if (open) what.append(shape(schema, depth));
    return [element("dt", {}, element("code", {}, name)), what];
  });
  return element("dl", { class: "properties" }, ...rows);
}

function kindOf({ type, format, enum: values, minimum, maximum }) {
  if (values) return `One of ${values.map((it) => `\`${it}\``).join(", ")}.`;
  const kind = [type].flat().filter((it) => it && it !== "null").join(" or ");
  const range = [minimum === undefined ? "" : `from ${minimum}`, maximum === undefined ? "" : `to ${maximum}`].filter(Boolean).join(" ");
  const words = [format === "binary" ? "bytes" : kind, range].filter(Boolean).join(", ");
  return words && `(${words})`;
}

/// Text with `code` in it.
function marked(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}
