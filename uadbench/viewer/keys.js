// Keys and the wheel of a viewer: both move the crosshair, and neither takes over the page.
"use strict";

uad.AXES = { 0: [1, 2], 1: [0, 2], 2: [0, 1] }; // across and up, of the planes through x, y and z
uad.KEYS = { // across, up or through a plane, and the sign
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1], PageDown: [2, -1], PageUp: [2, 1],
};

// Move the crosshair by a voxel for each key while an element has the focus.
// state: gives {scan, mm, axis}, with axis that of the plane; go: called with the new position in mm.
uad.keys = (element, state, go) => element.addEventListener("keydown", (event) => {
  const [direction, sign] = uad.KEYS[event.key] || [];
  const { scan, mm, axis } = state();
  if (!sign || !scan || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const along = [...uad.AXES[axis], axis][direction];
  const voxel = scan.voxel(mm);
  voxel[along] = Math.min(scan.shape[along] - 1, Math.max(0, voxel[along] + sign));
  go(scan.mm(voxel));
}, { capture: true });

// Leave the wheel to the page unless a canvas has the focus, as after a click, or Ctrl is pressed.
uad.wheel = (canvas) => canvas.addEventListener("wheel", (event) => {
  if (document.activeElement !== canvas && !event.ctrlKey) event.stopImmediatePropagation();
}, { capture: true });

// WebGL keeps no picture for the printer: a copy of the canvas, which `draw` fills, replaces it on paper.
uad.printed = (canvas, draw) => {
  const copy = document.createElement("canvas");
  copy.className = "copy";
  copy.setAttribute("aria-hidden", "true");
  canvas.after(copy);
  addEventListener("beforeprint", () => {
    draw();
    [copy.width, copy.height] = [canvas.width, canvas.height];
    copy.getContext("2d").drawImage(canvas, 0, 0);
  });
};
