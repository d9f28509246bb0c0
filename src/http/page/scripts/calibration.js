// What is known of a tower's errors, from its card; the rules are those of the server.

export class Calibration {
  constructor(card) {
    this.points = card.operating_points ?? [];
    this.measured = card.calibration;
    this.margin = card.margin;
    this.threshold = card.in_force?.threshold;
    this.isUnit = card.embedding.length === "unit";
  }

  get known() {
    return this.points.length > 0;
  }

  /// The rates at a threshold; between two points of the table those of the worse one.
  at(threshold) {
    if (!this.known) return null;
    const above = this.points.findIndex((it) => threshold <= it.threshold);
    if (0 <= above && this.points[above].threshold === threshold) return this.points[above];
    const below = above < 0 ? this.points.length - 1 : above - 1;
    return { fmr: this.points[above]?.fmr ?? 1, fnmr: this.points[below]?.fnmr ?? 1 };
  }

  /// How far a scale of distances reaches.
  reach(...distances) {
    const last = this.points.at(-1)?.threshold ?? 0;
    const far = Math.max(last, this.margin ?? 0, (this.threshold ?? 0) * 1.6, ...distances);
    return this.isUnit ? Math.max(far, 1.6) : far * 1.05 || 2;
  }

  /// How densely same and different pairs lie along a scale, each to its own highest: two lists of so many numbers.
  densities(reach, count) {
    const shares = {
      same: this.points.map((it) => [it.threshold, 1 - it.fnmr]),
      different: this.points.map((it) => [it.threshold, it.fmr]),
    };
    const density = (curve) => {
      const at = (x) => interpolate(curve, x);
      const step = reach / count;
      const raw = Array.from({ length: count }, (_, i) => at((i + 1) * step) - at(i * step));
      const smooth = smoothed(raw, count / 45);
      const highest = Math.max(...smooth);
      return smooth.map((it) => (highest ? it / highest : 0));
    };
    return { same: density(shares.same), different: density(shares.different) };
  }
}

/// The L2 distance.
export function distance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/// Which of several belong together: those that pairs at most a threshold apart connect. Lists of indices, the largest
/// first.
export function groups(distances, threshold) {
  const left = new Set(distances.keys());
  const found = [];
  for (const first of distances.keys()) {
    if (!left.delete(first)) continue;
    const group = [first];
    for (const at of group) {
      for (const other of left) {
        if (distances[at][other] <= threshold) {
          left.delete(other);
          group.push(other);
        }
      }
    }
    found.push(group.sort((a, b) => a - b));
  }
  return found.sort((a, b) => b.length - a.length);
}

function interpolate(curve, x) {
  const above = curve.findIndex(([at]) => x <= at);
  if (above < 0) return curve.at(-1)[1];
  const [right, high] = curve[above];
  const [left, low] = above ? curve[above - 1] : [0, 0];
  return right === left ? high : low + ((high - low) * (x - left)) / (right - left);
}

function smoothed(values, width) {
  const far = Math.ceil(3 * width);
  const weights = Array.from({ length: 2 * far + 1 }, (_, i) => Math.exp(-(((i - far) / width) ** 2) / 2));
  const sum = weights.reduce((a, b) => a + b);
  return values.map((_, at) => weights.reduce((all, w, i) => all + w * (values[at + i - far] ?? 0), 0) / sum);
}
