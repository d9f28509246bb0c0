// The distances of the cells between two images, and the regions above a threshold. The rules are those of the server.

/// The share of the threshold that the cells around a changed one must exceed to belong to its region.
const EXTENT = 0.75;
/// The colours of a distance of the threshold, and of twice the threshold and more, and how much they cover at most.
const COLOURS = [[255, 200, 0], [220, 0, 40]];
const MOST_COVER = 0.65;

/// The distances of the cells, row by row. A cell is a square of `cell` pixels of the second image.
export class Distances {
  constructor({ rows, columns, values }, cell, { width, height }) {
    Object.assign(this, { rows, columns, values, cell, width, height });
  }

  get greatest() {
    return this.values.reduce((one, other) => Math.max(one, other), 0);
  }

  get median() {
    return this.values.slice().sort()[this.values.length >> 1];
  }

  /// The regions above a threshold, the most different first: cells that touch each other, also at their corners, of which
  /// one is changed and the others nearly.
  regions(threshold) {
    const isOpen = this.values.map((value) => (EXTENT * threshold < value ? 1 : 0));
    const found = [];
    for (let first = 0; first < isOpen.length; first += 1) {
      if (!isOpen[first]) continue;
      const cells = this.connected(first, isOpen);
      if (cells.some((index) => threshold < this.values[index])) found.push(this.region(cells));
    }
    return found.sort((one, other) => other.greatest - one.greatest);
  }

  /// Closes a cell and all open cells connected with it, and returns them.
  connected(first, isOpen) {
    const found = [first];
    isOpen[first] = 0;
    for (const index of found) {
      const [row, column] = this.place(index);
      for (let y = Math.max(row - 1, 0); y < Math.min(row + 2, this.rows); y += 1) {
        for (let x = Math.max(column - 1, 0); x < Math.min(column + 2, this.columns); x += 1) {
          const neighbour = y * this.columns + x;
          if (isOpen[neighbour]) found.push(neighbour);
          isOpen[neighbour] = 0;
        }
      }
    }
    return found;
  }

  /// The box (left, top, width, height) and the area in pixels, the greatest distance, and the outline as an SVG path.
  region(cells) {
    const box = [Infinity, Infinity, 0, 0];
    let [area, greatest] = [0, 0];
    for (const index of cells) {
      const [left, top, right, bottom] = this.edges(index);
      box[0] = Math.min(box[0], left);
      box[1] = Math.min(box[1], top);
      box[2] = Math.max(box[2], right);
      box[3] = Math.max(box[3], bottom);
      area += (right - left) * (bottom - top);
      greatest = Math.max(greatest, this.values[index]);
    }
    const [left, top, right, bottom] = box;
    return { cells, box: [left, top, right - left, bottom - top], area, greatest, outline: this.outline(cells) };
  }

  /// The edges between the given cells and others. The cells themselves are closed shapes without a line of their own.
  outline(cells) {
    const inside = new Set(cells);
    const edges = [];
    for (const index of cells) {
      const [left, top, right, bottom] = this.edges(index);
      const column = index % this.columns;
      if (!inside.has(index - this.columns)) edges.push(`M${left},${top}H${right}`);
      if (!inside.has(index + this.columns)) edges.push(`M${left},${bottom}H${right}`);
      if (column === 0 || !inside.has(index - 1)) edges.push(`M${left},${top}V${bottom}`);
      if (column === this.columns - 1 || !inside.has(index + 1)) edges.push(`M${right},${top}V${bottom}`);
    }
    return edges.join("");
  }

  /// The cell at a place of the second image; -1 if there is none.
  at([x, y]) {
    const [row, column] = [y, x].map((pixel) => Math.floor(pixel / this.cell));
    return 0 <= row && row < this.rows && 0 <= column && column < this.columns ? row * this.columns + column : -1;
  }

  /// An image with one pixel for each cell: the distances as colours, from half the threshold on.
  heat(threshold) {
    const pixels = new ImageData(this.columns, this.rows);
    this.values.forEach((value, index) => pixels.data.set(tint(value / Math.max(threshold, Number.MIN_VALUE)), 4 * index));
    return pixels;
  }

  place(index) {
    return [Math.floor(index / this.columns), index % this.columns];
  }

  /// Left, top, right and bottom of a cell. The last cells of a row or column may extend beyond the image.
  edges(index) {
    const [row, column] = this.place(index);
    const [x, y] = [(place) => Math.min(place * this.cell, this.width), (place) => Math.min(place * this.cell, this.height)];
    return [x(column), y(row), x(column + 1), y(row + 1)];
  }
}

/// The colour of a distance, which is given in thresholds: red, green, blue and cover, from 0 to 255.
function tint(times) {
  const strength = clamp(times - 1);
  const mixed = COLOURS[0].map((colour, channel) => colour * (1 - strength) + COLOURS[1][channel] * strength);
  return [...mixed, 255 * MOST_COVER * clamp(2 * times - 1)];
}

const clamp = (value) => Math.min(Math.max(value, 0), 1);
