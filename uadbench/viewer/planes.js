// Three orthogonal planes of a scan with score maps and a delineated lesion, drawn by NiiVue.
"use strict";

uad.Planes = class {
  // moved: called with the position of the crosshair in mm.
  static async open(canvas, moved) {
    // NiiVue itself would raise an alert.
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("this browser offers no WebGL 2");
    const library = await uad.library();
    const planes = new uad.Planes();
    planes.library = library;
    planes.viewer = new library.Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.3, 0.85, 0.6, 0.8],
      crosshairWidth: 0.7,
      crosshairGap: 8,
      crosshairWidthUnit: "mm",
      fontColor: [0.85, 0.85, 0.85, 1],
      isColorbar: false,
      showAllOrientationMarkers: true,
      dragAndDropEnabled: false,
      multiplanarShowRender: library.SHOW_RENDER.NEVER,
      multiplanarPadPixels: 12,
      tileMargin: 6, // else the last letter is cut
      logLevel: "error",
    });
    const viewer = planes.viewer;
    viewer.onLocationChange = (place) => moved((planes.mm = Array.from(place.mm).slice(0, 3)));
    // Before NiiVue's own, which would take every turn of the wheel.
    uad.wheel(canvas);
    uad.keys(canvas, () => ({ scan: planes.scan, mm: planes.mm, axis: 2 }), (mm) => planes.go(mm));
    await viewer.attachToCanvas(canvas);
    uad.printed(canvas, () => viewer.drawScene());
    viewer.addColormap("uad-score", uad.SCORE);
    viewer.addColormap("uad-opaque", { R: [0, 255], G: [0, 255], B: [0, 255], A: [255, 255], I: [0, 255] });
    viewer.setDrawColormap({ R: [0, uad.TRUTH[0]], G: [0, uad.TRUTH[1]], B: [0, uad.TRUTH[2]], A: [0, 255], I: [0, 1], labels: ["", "truth"] });
    viewer.drawRimOpacity = 1;
    viewer.setCustomSliceShader(outlineOnTop(viewer.gl, viewer.sliceMMShader.program));
    viewer.setSliceType(viewer.sliceTypeMultiplanar);
    return planes;
  }

  // Show a scan, then other layers above it, each {volume, colormap, opacity, from, to}, and a truth or null.
  async show(scan, layers, truth) {
    const viewer = this.viewer;
    for (let k = viewer.volumes.length - 1; k >= 0; k--) viewer.removeVolume(viewer.volumes[k]);
    if (viewer.drawBitmap) viewer.closeDrawing();
    this.layers = new Map();
    for (const layer of [{ volume: scan, colormap: "gray", opacity: 1, from: scan.low, to: scan.high }, ...layers]) {
      const image = await this.image(layer.volume, layer.colormap, layer.opacity, layer.from, layer.to);
      this.layers.set(layer.volume.id, image);
      viewer.addVolume(image);
    }
    Object.assign(this, { scan, truth });
    if (truth) {
      viewer.loadDrawing(await this.image(truth, "gray", 1, 0, 1));
      viewer.drawRimOpacity = 1;
    }
    this.outline(Boolean(truth));
  }

  async image(volume, colormap, opacity, from, to) {
    return this.library.NVImage.new(volume.file.slice(0), `${volume.id}.nii`, colormap, opacity, null, from, to);
  }

  // Colour the values of a layer from `from` on; lower ones are transparent.
  range(volume, from, to) {
    const image = this.layers.get(volume.id);
    // NiiVue colours values above its minimum, a mask those that reach the threshold.
    image.cal_min = volume.cut(from);
    image.cal_max = Math.max(to, from + volume.step);
    this.viewer.updateGLVolume();
  }

  opacity(volume, value) {
    this.viewer.setOpacity(this.viewer.volumes.indexOf(this.layers.get(volume.id)), value);
  }

  outline(shown) {
    this.viewer.setDrawOpacity(shown ? 0.08 : 0);
  }

  go(mm) {
    this.viewer.scene.crosshairPos = this.viewer.mm2frac(mm);
    this.viewer.createOnLocationChange();
    this.viewer.drawScene();
  }
};

// NiiVue's fragment shader of slices, changed: the rim of the truth is two pixels wide and lies above the scores.
function outlineOnTop(gl, program) {
  const fragment = gl.getAttachedShaders(program).find((shader) => gl.getShaderParameter(shader, gl.SHADER_TYPE) === gl.FRAGMENT_SHADER);
  const source = gl.getShaderSource(fragment);
  const [start, end, last] = [source.indexOf("float drawV"), source.indexOf("vec4 pcolor"), source.lastIndexOf("}")];
  if (start < 0 || end < start) throw new Error("this version of NiiVue has another shader");
  const wide = `${(2 * window.devicePixelRatio).toFixed(1)} * `;
  const rim = source.slice(start, end).replace(/dFd[xy]\(texPos\)/g, (step) => wide + step);
  return `${source.slice(0, start)}${source.slice(end, last)}${rim}}`;
}
