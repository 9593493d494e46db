// A panel: one plane of a scan, coloured where a score reaches its threshold, with the outline of the lesion.
"use strict";

uad.SIDE = 340; // pixels, longer side of a panel

// Colour of a fraction 0…1 of the range of a score.
uad.colour = (fraction) => {
  const level = 1 + 254 * Math.min(1, Math.max(0, fraction));
  const at = level <= 128 ? 1 : 2;
  const part = (level - uad.SCORE.I[at]) / (uad.SCORE.I[at + 1] - uad.SCORE.I[at]);
  return ["R", "G", "B"].map((key) => uad.SCORE[key][at] + part * (uad.SCORE[key][at + 1] - uad.SCORE[key][at]));
};

uad.Panel = class {
  // picked: called with the position in mm of a click.
  constructor(canvas, picked) {
    this.canvas = canvas;
    canvas.addEventListener("click", (event) => {
      if (!this.scan) return;
      const box = canvas.getBoundingClientRect();
      const voxel = this.scan.voxel(this.mm);
      const [u, v] = uad.AXES[this.axis];
      const inside = (fraction, axis) => Math.min(this.scan.shape[axis] - 1, Math.max(0, Math.floor(fraction * this.scan.shape[axis])));
      voxel[u] = inside((event.clientX - box.left) / box.width, u);
      voxel[v] = inside(1 - (event.clientY - box.top) / box.height, v);
      picked(this.scan.mm(voxel));
    });
  }

  // Draw the plane through position mm across an axis; score and threshold may be null, truth too.
  draw({ scan, score, threshold, truth, axis, mm }) {
    Object.assign(this, { scan, axis, mm });
    const [u, v] = uad.AXES[axis];
    const [width, height] = [scan.shape[u], scan.shape[v]];
    const size = [width * scan.spacing(u), height * scan.spacing(v)];
    const scale = uad.SIDE / Math.max(...size);
    this.canvas.width = Math.round(size[0] * scale);
    this.canvas.height = Math.round(size[1] * scale);
    const voxel = scan.voxel(mm).map((place, k) => Math.min(scan.shape[k] - 1, Math.max(0, place)));
    const index = (i, j) => { voxel[u] = i; voxel[v] = height - 1 - j; return scan.index(voxel); };
    const crossed = [voxel[u], height - 1 - voxel[v]];
    const [grey, colours] = [new ImageData(width, height), new ImageData(width, height)];
    const table = score && threshold !== null ? this.table(score, threshold) : null;
    for (let j = 0; j < height; j++) {
      for (let i = 0; i < width; i++) {
        const [at, to] = [index(i, j), 4 * (j * width + i)];
        grey.data.fill(scan.bytes[at], to, to + 3);
        grey.data[to + 3] = 255;
        const colour = table && table[score.bytes[at]];
        if (colour) colours.data.set(colour, to);
      }
    }
    const context = this.canvas.getContext("2d");
    const stretch = (image, smooth) => {
      const small = new OffscreenCanvas(width, height);
      small.getContext("2d").putImageData(image, 0, 0);
      context.imageSmoothingEnabled = smooth;
      context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    };
    stretch(grey, true);
    stretch(colours, false);
    const step = [this.canvas.width / width, this.canvas.height / height];
    if (truth) this.outline(context, width, height, step, (i, j) => i >= 0 && j >= 0 && i < width && j < height && truth.bytes[index(i, j)] > 0);
    context.fillStyle = "rgba(80, 215, 150, .55)";
    context.fillRect((crossed[0] + 0.5) * step[0], 0, 1, this.canvas.height);
    context.fillRect(0, (crossed[1] + 0.5) * step[1], this.canvas.width, 1);
  }

  // Colours by the byte of a score; null below the threshold.
  table(score, threshold) {
    const range = Math.max(score.high - threshold, score.step);
    return Array.from({ length: 256 }, (_, byte) =>
      score.reaches(byte, threshold) ? [...uad.colour((score.low + score.step * byte - threshold) / range), 217] : null);
  }

  outline(context, width, height, step, inside) {
    context.strokeStyle = `rgb(${uad.TRUTH})`;
    context.lineWidth = 2;
    context.beginPath();
    for (let j = 0; j <= height; j++) {
      for (let i = 0; i <= width; i++) {
        const [x, y] = [i * step[0], j * step[1]];
        const here = inside(i, j);
        if (here !== inside(i - 1, j)) { context.moveTo(x, y); context.lineTo(x, y + step[1]); }
        if (here !== inside(i, j - 1)) { context.moveTo(x, y); context.lineTo(x + step[0], y); }
      }
    }
    context.stroke();
  }
};
