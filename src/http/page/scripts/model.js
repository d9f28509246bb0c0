// The models of the server, and the requests to one of them.

import { Problem, post, send, timed } from "./api.js";
import { Calibration } from "./calibration.js";

/// All models of the server, first the one that serves requests without a name.
export async function list() {
  const { models: listed } = await (await send("/models")).json();
  // A server of one model has shorter paths for it.
  const models = listed.map((one) => new Model(one, listed.length === 1 ? "" : `/models/${one.name}`));
  const calibrated = models.find((model) => model.isCalibratedForChanges);
  for (const model of models) {
    const ofServer = model.isCalibratedForChanges ? model : calibrated;
    model.forChanges = ofServer ?? (model.findsChanges ? model : null);
  }
  return models;
}

/// A model. `forChanges` is the one that finds changes in its place: itself if it is calibrated for changes, else the first
/// one that is. If there is none, itself with a threshold that the user names; null if it can't find changes.
class Model {
  constructor({ name, purpose, aligns_faces: alignsFaces, calibrated_for_changes: isCalibratedForChanges }, prefix) {
    Object.assign(this, { name, purpose, findsChanges: !alignsFaces, isCalibratedForChanges, prefix, card: null, forChanges: null });
  }

  /// Reads the card, once. Only then, there are `card`, `calibration`, and for changes `cells` and `scenes`.
  async load() {
    const card = this.card ?? (await (await send(this.cardPath)).json());
    if (this.card) return;
    const [calibration, cells, scenes] = [new Calibration(card), Calibration.ofCells(card), Calibration.ofScenes(card)];
    Object.assign(this, { card, calibration, cells, scenes });
  }

  get cardPath() {
    return this.prefix || "/model";
  }

  /// The path of a route that runs this model.
  path(route) {
    return `${this.prefix}${route}`;
  }

  /// Compares two files. The result contains the time of each step, and the response as `answer`.
  compare(a, b, query) {
    return timed(this.path(`/compare${query}`), [["a", a], ["b", b]]);
  }

  /// Finds what has changed between two files. The result contains the time of each step, and the response as `answer`.
  changes(before, after, query) {
    return timed(this.path(`/changes${query}`), scene(before, after));
  }

  /// The distance of each cell between two files, as the bytes of a `.npy` file.
  async cellDistances(before, after, query) {
    const response = await post(this.path(`/changes${query}`), scene(before, after), "application/x-npy");
    return response.arrayBuffer();
  }

  /// The changes between two files as a PNG file.
  async changesPng(before, after, query) {
    return (await post(this.path(`/changes${query}`), scene(before, after), "image/png")).blob();
  }

  /// Compares one file with each of several files. `results` has a result or `{error}` for each of them, in order.
  async compareWithMany(one, many, query) {
    const compared = await timed(this.path(`/compare/batch${query}`), oneWithMany(one, many));
    return { ...compared, results: compared.results.map(readResult) };
  }

  /// Embeds several files. Returns `{embedding}` or `{error}` for each of them, in order.
  async embed(files) {
    const response = await (await post(this.path("/embed"), files.map((file) => ["image", file]))).json();
    return (response.results ?? [response]).map(readResult);
  }

  /// Creates the model's input from a file, as the URL of an image.
  async pixels(file) {
    const response = await post(this.path("/pixels"), [["image", file]], "image/png");
    return URL.createObjectURL(await response.blob());
  }
}

/// The parts of a form with one file and those to compare it with.
export const oneWithMany = (one, many) => [["a", one], ...many.map((file) => ["b", file])];

const scene = (before, after) => [["before", before], ["after", after]];

const readResult = (result) => (result.error ? { error: new Problem(result.error) } : result);
