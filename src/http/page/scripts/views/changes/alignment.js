// How the server aligned the images, and how their light differs, in words.

import { percent } from "../../elements.js";

/// Below this confidence, the server does not take an alignment for certain.
const LEAST_CONFIDENCE = 0.3;
/// A medium brightness, of 255.
const MIDDLE = 128;

/// What was found: sentences, and a warning or null. `size` is that of the second image.
export function inWords({ alignment, light, image }) {
  const { confidence, overlap } = alignment;
  const certainty = `Confidence ${percent(confidence)}. The first image covers ${percent(overlap)} of the second.`;
  return { text: [movement(alignment, image), certainty, lightInWords(light)].filter(Boolean).join(" "), warning: warning(alignment) };
}

function movement({ kind, matrix }, { width, height }) {
  if (kind === "none") return "The images are compared as they are.";
  const [[a, c, e], [b, d, f]] = matrix;
  const [x, y] = [width / 2, height / 2];
  // The matrix leads from the second image to the first, so what it moves the one way has moved the other way.
  const moved = directions([x - (a * x + c * y + e), y - (b * x + d * y + f)]);
  if (kind === "shift") return `The second image is shifted by ${moved}.`;
  const degrees = -(Math.atan2(b, a) * 180) / Math.PI;
  const turned = `${Math.abs(degrees).toFixed(1)}° ${degrees < 0 ? "anticlockwise" : "clockwise"}`;
  const scale = 1 / Math.sqrt(Math.abs(a * d - b * c));
  return `The second image is turned by ${turned}, scaled to ${(100 * scale).toFixed(1)} %, and its centre shifted by ${moved}.`;
}

function directions([right, down]) {
  const part = (value, forward, back) => (Math.abs(value) < 0.05 ? [] : [`${pixels(value)} ${value < 0 ? back : forward}`]);
  const parts = [...part(right, "to the right", "to the left"), ...part(down, "down", "up")];
  return parts.join(" and ") || "0 pixels";
}

function pixels(value) {
  const size = Number(Math.abs(value).toFixed(1));
  return `${size} ${size === 1 ? "pixel" : "pixels"}`;
}

/// How the light differs; null if it does not.
function lightInWords({ channels }) {
  if (channels.every(({ gain, offset }) => gain === 1 && offset === 0)) return null;
  const levels = channels.map(({ gain, offset }) => gain * MIDDLE + offset);
  const change = mean(levels) / MIDDLE - 1;
  const difference = Math.abs(change) < 0.01 ? "in another light" : `${percent(Math.abs(change))} ${change < 0 ? "darker" : "lighter"}`;
  return `The second image is ${difference}, which was evened out.`;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function warning({ confidence, overlap }) {
  if (confidence < LEAST_CONFIDENCE) {
    return "The images agree little. They may show different scenes, or one may be moved in a way that was not found. What has only moved then counts as changed.";
  }
  return overlap < 0.5 ? "The images show the same place only in part. The rest is not compared." : null;
}
