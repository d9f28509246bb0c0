// The format of numpy for arrays, as the server writes it: version 1.0, little-endian numbers of 32 bits, row by row.

/// Reads an array with two axes: rows, columns, and the values row by row.
export function readNpy(buffer) {
  const start = 10;
  const end = start + new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, end - start));
  const [rows, columns] = header.match(/'shape': \((\d+), (\d+)\)/).slice(1).map(Number);
  return { rows, columns, values: new Float32Array(buffer, end, rows * columns) };
}
