// Volumes embedded in the page: decompression, values at a position, and the start of NiiVue.
"use strict";
const uad = {};

// Colours of a score above its threshold, from dark orange to pale yellow: lightness rises throughout.
uad.SCORE = { R: [150, 190, 235, 255], G: [45, 75, 150, 245], B: [0, 0, 20, 150], A: [0, 255, 255, 255], I: [0, 1, 128, 255] };
uad.TRUTH = [86, 180, 233];

uad.decoded = (id) => {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
};

uad.inflated = async (bytes) =>
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

// The library runs once, when the first viewer of the page starts.
uad.library = async () => {
  if (!window.niivue) {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await uad.inflated(uad.decoded("niivue-script")));
    document.head.append(script);
  }
  return window.niivue;
};

// A NIfTI file of one byte per voxel as written by uadbench/viewer/volumes.py.
uad.Volume = class {
  static async read(id) {
    const file = await uad.inflated(uad.decoded(id));
    return new uad.Volume(id, file);
  }

  constructor(id, file) {
    const header = new DataView(file);
    this.id = id;
    this.file = file;
    this.shape = [1, 2, 3].map((axis) => header.getInt16(40 + 2 * axis, true));
    this.step = header.getFloat32(112, true);
    this.low = header.getFloat32(116, true);
    this.high = this.low + 255 * this.step;
    this.affine = [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => header.getFloat32(280 + 16 * row + 4 * column, true)));
    this.bytes = new Uint8Array(file, header.getFloat32(108, true));
    this.inverse = inverse(this.affine);
  }

  spacing(axis) {
    return Math.hypot(...this.affine.map((row) => row[axis]));
  }

  mm(voxel) {
    return this.affine.map((row) => row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]);
  }

  voxel(mm) {
    const from = mm.slice(0, 3).map((value, axis) => value - this.affine[axis][3]);
    return this.inverse.map((row) => Math.round(row[0] * from[0] + row[1] * from[1] + row[2] * from[2]));
  }

  index([x, y, z]) {
    return x + this.shape[0] * (y + this.shape[1] * z);
  }

  // Whether the value of a byte is at or above a threshold, but for rounding of single precision.
  reaches(byte, threshold) {
    return this.low + this.step * byte >= this.cut(threshold);
  }

  cut(threshold) {
    return threshold - 1e-5 * this.high;
  }

  // The value at a position in mm; null outside of the volume.
  value(mm) {
    const voxel = this.voxel(mm);
    if (voxel.some((place, axis) => !(place >= 0 && place < this.shape[axis]))) return null;
    return this.low + this.step * this.bytes[this.index(voxel)];
  }

  // The position in mm of the voxel of the highest value.
  peak() {
    let best = 0;
    for (let k = 1; k < this.bytes.length; k++) if (this.bytes[k] > this.bytes[best]) best = k;
    const [nx, ny] = this.shape;
    return this.mm([best % nx, Math.floor(best / nx) % ny, Math.floor(best / (nx * ny))]);
  }

  // The position in mm, in the middle of the axial slice with most voxels above 0, of one of these voxels.
  middle() {
    const [nx, ny, nz] = this.shape;
    const inside = Array.from({ length: nz }, () => []);
    for (let k = 0; k < this.bytes.length; k++) if (this.bytes[k]) inside[Math.floor(k / (nx * ny))].push(k);
    const z = inside.reduce((best, voxels, slice) => (voxels.length > inside[best].length ? slice : best), 0);
    const places = inside[z].map((k) => [k % nx, Math.floor(k / nx) % ny]);
    if (!places.length) return null;
    const centre = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
    const off = (place) => Math.hypot(place[0] - centre[0], place[1] - centre[1]);
    const nearest = places.reduce((best, place) => (off(place) < off(best) ? place : best));
    return this.mm([...nearest, z]);
  }
};

function inverse(affine) {
  const [[a, b, c], [d, e, f], [g, h, i]] = affine;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / determinant));
}

// A number of three significant digits.
uad.text = (value) => (value === null ? "–" : String(Number(value.toPrecision(3))));
uad.position = (mm) => mm.slice(0, 3).map((value) => value.toFixed(1)).join(", ");
