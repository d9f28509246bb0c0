// Shows the server's OpenAPI document.

import { element, find } from "./elements.js";

const response = await fetch("/openapi.json");
const api = await response.json();
const main = find("api");

for (const paragraph of api.info.description.split("\n\n")) {
  main.append(element("p", { class: "lead" }, ...formatted(paragraph)));
}
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(item)) main.append(route(method, path, operation));
}
document.body.dataset.ready = "";
// The content comes after the page, so a browser can't restore a position in it.
history.scrollRestoration = "manual";
if (location.hash) find(location.hash.slice(1))?.scrollIntoView();

function route(method, path, { summary, description, parameters, requestBody, responses }) {
  const id = `${method}${path.replaceAll(/[/{}]+/g, "-")}`;
  find("routes").append(element("a", { href: `#${id}` }, path));
  const parts = [element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), ` ${path}`)];
  const paragraphs = [summary, ...(description ?? "").split("\n\n")].filter(Boolean);
  parts.push(...paragraphs.map((text) => element("p", {}, ...formatted(text))));
  parts.push(...parameterList("Path", parameters, "path"));
  parts.push(...parameterList("Query", parameters, "query"), ...parameterList("Headers", parameters, "header"));
  if (requestBody) parts.push(element("h3", {}, "Body"), ...bodies(requestBody.content));
  const success = responses["200"];
  const meaning = element("p", {}, ...formatted(success.description));
  parts.push(element("h3", {}, "Response"), meaning, ...bodies(success.content), ...headers(responses));
  const errors = Object.entries(responses).filter(([status]) => status !== "200").sort();
  if (errors.length) parts.push(collapsed("Errors", ...errors.map(([status, error]) => errorLine(status, error))));
  return element("section", { class: "card route", id }, ...parts);
}

/// The parameters of a request at one place: in its query or its headers.
function parameterList(title, parameters = [], place) {
  const found = parameters.filter((parameter) => parameter.in === place);
  if (found.length === 0) return [];
  return [element("h3", {}, title), properties(Object.fromEntries(found.map((found) => [found.name, found])))];
}

/// The headers of all responses of a route.
function headers(responses) {
  const named = Object.assign({}, ...Object.values(responses).map((response) => response.headers));
  const rows = Object.entries(named).flatMap(([name, { description }]) => [
    element("dt", {}, element("code", {}, name)), element("dd", {}, ...formatted(description)),
  ]);
  return rows.length ? [element("h3", {}, "Response headers"), element("dl", { class: "properties" }, ...rows)] : [];
}

/// The description of an error lists its codes.
function errorLine(status, { description }) {
  return element("p", { class: "error-line" }, element("b", {}, status), " ", ...formatted(description));
}

/// Each media type with its schema collapsed and its example visible.
function bodies(content) {
  return Object.entries(content).flatMap(([mediaType, { schema, example }]) => {
    const parts = [collapsed(element("code", {}, mediaType), shape(schema))];
    if (example !== undefined) parts.push(element("pre", { tabindex: 0 }, JSON.stringify(example, null, 2)));
    return parts;
  });
}

function collapsed(name, ...parts) {
  return element("details", {}, element("summary", {}, name), ...parts);
}

/// A schema as a list of its properties. References are resolved.
function shape(schema, depth = 0) {
  if (schema.$ref) {
    const resolved = api.components.schemas[schema.$ref.split("/").pop()];
    return shape(resolved, depth);
  }
  const choices = (schema.oneOf ?? schema.anyOf)?.filter((choice) => choice.type !== "null");
  if (choices?.length === 1) return shape(choices[0], depth);
  if (choices && depth < 4) {
    const separated = choices.flatMap((choice, index) => {
      const separator = index ? [element("p", { class: "or" }, "or")] : [];
      return [...separator, shape(choice, depth + 1)];
    });
    return element("div", {}, ...separated);
  }
  if (schema.allOf) return element("div", {}, ...schema.allOf.map((part) => shape(part, depth)));
  if (schema.type === "array" && depth < 4) {
    return element("div", {}, element("p", {}, "a list of"), shape(schema.items, depth + 1));
  }
  if (schema.properties && depth < 4) return properties(schema.properties, schema.required, depth + 1);
  return element("p", {}, ...formatted([schema.description, typeOf(schema)].filter(Boolean).join(" ")));
}

function properties(named, required, depth = 1) {
  const rows = Object.entries(named).flatMap(([name, property]) => {
    const schema = property.schema ?? property;
    const isNested = schema.$ref || schema.oneOf || schema.type === "array";
    const isOptional = !required?.includes(name) && !property.required;
    const text = [property.description, isNested ? "" : typeOf(schema)].filter(Boolean).join(" ");
    const description = element("dd", {}, ...formatted(text));
    if (isOptional) description.append(" ", element("small", {}, "optional"));
    if (isNested) description.append(shape(schema, depth));
    return [element("dt", {}, element("code", {}, name)), description];
  });
  return element("dl", { class: "properties" }, ...rows);
}

function typeOf({ type, format, enum: values, minimum, maximum }) {
  if (values) return `One of ${values.map((value) => `\`${value}\``).join(", ")}.`;
  const types = [type].flat().filter((name) => name && name !== "null").join(" or ");
  const bounds = [minimum === undefined ? "" : `from ${minimum}`, maximum === undefined ? "" : `to ${maximum}`];
  const range = bounds.filter(Boolean).join(" ");
  const text = [format === "binary" ? "bytes" : types, range].filter(Boolean).join(", ");
  return text && `(${text})`;
}

/// Text with `code` in backticks.
function formatted(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}
