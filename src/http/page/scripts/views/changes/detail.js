// What happened in a region: something was added, removed or altered. The rules are those of the server.

/// How many times more detail an image must have where something was added to it.
const MORE = 3;
/// The standard deviation of plain pixels: that of noise and of a compressed image.
const PLAIN = 4;

/// The detail of each cell of two images, as sums over its grey pixels.
export class Detail {
  /// `images` are two pictures of one size, as `ImageData`, and `distances` those of their cells. `light` is how the light of
  /// the first image was changed to that of the second.
  constructor(images, distances, { channels }) {
    this.sums = images.map((image) => sums(image, distances));
    this.gains = [channels.reduce((sum, { gain }) => sum + gain, 0) / channels.length, 1];
  }

  /// What happened in some cells.
  kind(cells) {
    const [before, after] = this.sums.map((sums, index) => this.gains[index] * deviation(sums, cells) + PLAIN);
    if (MORE * before <= after) return "added";
    return MORE * after <= before ? "removed" : "altered";
  }
}

/// For each cell: the number of its pixels, their sum, and the sum of their squares.
function sums({ data, width, height }, { rows, columns, cell, width: fullWidth }) {
  const found = new Float64Array(3 * rows * columns);
  const side = (cell * width) / fullWidth;
  for (let y = 0; y < height; y += 1) {
    const row = Math.min(Math.floor(y / side), rows - 1);
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (y * width + x);
      const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      const place = 3 * (row * columns + Math.min(Math.floor(x / side), columns - 1));
      found[place] += 1;
      found[place + 1] += grey;
      found[place + 2] += grey * grey;
    }
  }
  return found;
}

/// The standard deviation of the pixels of some cells.
function deviation(sums, cells) {
  const total = [0, 1, 2].map((offset) => cells.reduce((sum, cell) => sum + sums[3 * cell + offset], 0));
  const [count, sum, squares] = [Math.max(total[0], 1), total[1], total[2]];
  return Math.sqrt(Math.max(squares / count - (sum / count) ** 2, 0));
}
