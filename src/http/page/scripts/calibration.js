// The error rates that a model's card states. The rules are those of the server.

export class Calibration {
  /// `unit` is what has distances.
  constructor(card, unit = "pair") {
    this.memory = `threshold for a ${unit} of ${card.digest}`;
    this.points = card.operating_points ?? [];
    this.measured = card.calibration;
    this.margin = card.margin;
    this.inForce = card.in_force?.threshold;
    /// The threshold in force. If there is none: the one that the user named.
    this.threshold = this.inForce ?? remembered(this.memory);
    this.isUnit = card.embedding.length === "unit";
  }

  /// The error rates for the cells of two images: unchanged cells are same pairs, and changed cells different pairs.
  static ofCells({ digest, changes }) {
    const { operating_points, cells } = changes ?? {};
    return new Calibration({ digest, operating_points, calibration: cells, in_force: changes, embedding: {} }, "cell");
  }

  /// The error rates for unchanged and changed pairs of images, by the threshold for cells.
  static ofScenes({ changes }) {
    return new Calibration({ operating_points: changes?.image_operating_points, embedding: {} }, "scene");
  }

  /// Names the threshold of a model that has none. It is remembered until the tab is closed.
  name(threshold) {
    this.threshold = threshold;
    sessionStorage.setItem(this.memory, threshold);
  }

  get known() {
    return this.points.length > 0;
  }

  /// The query for a threshold, with further parameters. The server uses the threshold in force without one.
  query(threshold, ...more) {
    const parts = threshold === this.inForce ? more : [`threshold=${threshold}`, ...more];
    return parts.length ? `?${parts.join("&")}` : "";
  }

  /// The FMR and FNMR at a threshold. Between two operating points, each rate is the worse one of the two.
  at(threshold) {
    if (!this.known) return null;
    const above = this.points.findIndex((point) => threshold <= point.threshold);
    if (0 <= above && this.points[above].threshold === threshold) return this.points[above];
    const below = above < 0 ? this.points.length - 1 : above - 1;
    return { fmr: this.points[above]?.fmr ?? 1, fnmr: this.points[below]?.fnmr ?? 1 };
  }

  /// The largest distance that a chart shows.
  maxDistance(...distances) {
    const last = this.points.at(-1)?.threshold ?? 0;
    const largest = Math.max(last, this.margin ?? 0, (this.threshold ?? 0) * 1.6, ...distances);
    return this.isUnit ? Math.max(largest, 1.6) : largest * 1.05 || 2;
  }

  /// The densities of same and of different pairs from 0 to `maxDistance`: `count` numbers each, with a maximum of 1.
  densities(maxDistance, count) {
    const cumulative = {
      same: this.points.map((point) => [point.threshold, 1 - point.fnmr]),
      different: this.points.map((point) => [point.threshold, point.fmr]),
    };
    const density = (curve) => {
      const step = maxDistance / count;
      const share = (i) => interpolate(curve, (i + 1) * step) - interpolate(curve, i * step);
      const raw = Array.from({ length: count }, (_, i) => share(i));
      const smooth = smoothed(raw, count / 45);
      const highest = Math.max(...smooth);
      return smooth.map((value) => (highest ? value / highest : 0));
    };
    return { same: density(cumulative.same), different: density(cumulative.different) };
  }
}

/// The L2 distance of two embeddings.
export function distance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/// Groups images: two are in one group if a chain of distances of at most `threshold` connects them. Returns lists of
/// indices, the largest group first.
export function groups(distances, threshold) {
  const remaining = new Set(distances.keys());
  const found = [];
  for (const first of distances.keys()) {
    if (!remaining.delete(first)) continue;
    const group = [first];
    for (const member of group) {
      for (const other of remaining) {
        if (distances[member][other] <= threshold) {
          remaining.delete(other);
          group.push(other);
        }
      }
    }
    found.push(group.sort((a, b) => a - b));
  }
  return found.sort((a, b) => b.length - a.length);
}

function remembered(memory) {
  const named = sessionStorage.getItem(memory);
  return named === null ? undefined : Number(named);
}

function interpolate(curve, x) {
  const above = curve.findIndex(([position]) => x <= position);
  if (above < 0) return curve.at(-1)[1];
  const [right, high] = curve[above];
  const [left, low] = above ? curve[above - 1] : [0, 0];
  return right === left ? high : low + ((high - low) * (x - left)) / (right - left);
}

/// Values under a Gaussian filter.
function smoothed(values, deviation) {
  const radius = Math.ceil(3 * deviation);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-(((i - radius) / deviation) ** 2) / 2));
  const sum = weights.reduce((a, b) => a + b);
  const mean = (index) =>
    weights.reduce((total, weight, i) => total + weight * (values[index + i - radius] ?? 0), 0) / sum;
  return values.map((_, index) => mean(index));
}
