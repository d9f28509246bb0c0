// The images of a pair as pictures of one size, the first one aligned with the second.

/// The longest side of a picture, in pixels.
const LONGEST = 2080;

/// Decodes a file as browsers show it, upright; null if the browser can't.
export const decode = (file) => createImageBitmap(file).catch(() => null);

/// The size of a picture of an image.
export function reduced({ width, height }) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, Math.round(side * scale)));
}

/// Draws an image on a canvas that shows `size`. `matrix` maps a place of `size` to one of the image. What the image does not
/// cover stays transparent.
export function draw(canvas, bitmap, size, matrix) {
  [canvas.width, canvas.height] = reduced(size);
  if (!bitmap) return;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const [[a, c, e], [b, d, f]] = matrix;
  const toImage = new DOMMatrix([a, b, c, d, e, f]);
  const toPicture = new DOMMatrix().scale(canvas.width / size.width, canvas.height / size.height);
  context.setTransform(toPicture.multiply(toImage.inverse()));
  context.drawImage(bitmap, 0, 0);
}

/// The pixels of a picture.
export const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
