// The page of one scan: controls of thresholds, opacities and layers, and values at the crosshair.
"use strict";

(async () => {
  const find = (id) => document.getElementById(id);
  const facts = JSON.parse(find("facts").textContent);
  try {
    const volumes = {};
    for (const id of facts.layers) volumes[id] = await uad.Volume.read(id);
    const read = (mm) => {
      find("at-position").textContent = uad.position(mm);
      for (const id of facts.layers) find(`at-${id}`).textContent = uad.text(volumes[id].value(mm));
    };
    // Levels of the scores of all voxels above 0, to count how many reach a threshold.
    const counts = {};
    for (const id of facts.scores) {
      counts[id] = new Array(256).fill(0);
      for (const level of volumes[id].bytes) counts[id][level] += 1;
    }
    const planes = await uad.Planes.open(find("planes"), read);
    const layers = [];
    if (volumes.restoration) {
      const image = volumes.restoration;
      layers.push({ volume: image, colormap: "uad-opaque", opacity: 0, from: image.low, to: image.high });
    }
    for (const id of facts.scores) {
      layers.push({ volume: volumes[id], colormap: "uad-score", opacity: +find(`opacity-${id}`).value, from: 0, to: volumes[id].high });
    }
    await planes.show(volumes.scan, layers, volumes.truth || null);

    const threshold = (id) => {
      const level = +find(`threshold-${id}`).value;
      planes.range(volumes[id], level, volumes[id].high);
      const reached = counts[id].reduce((sum, count, byte) => sum + (volumes[id].reaches(byte, level) ? count : 0), 0);
      find(`level-${id}`).textContent = find(`low-${id}`).textContent = uad.text(level);
      find(`share-${id}`).textContent = `${uad.text(Math.min(100, (100 * reached) / facts.brain))} %`;
    };
    for (const id of facts.scores) {
      find(`threshold-${id}`).addEventListener("input", () => threshold(id));
      find(`opacity-${id}`).addEventListener("input", (event) => planes.opacity(volumes[id], +event.target.value));
      threshold(id);
    }
    if (volumes.truth) {
      find("truth-shown").addEventListener("change", (event) => planes.outline(event.target.checked));
      find("to-truth").addEventListener("click", () => { const mm = volumes.truth.middle(); if (mm) planes.go(mm); });
    }
    if (volumes.restoration) {
      find("base").addEventListener("change", (event) => planes.opacity(volumes.restoration, event.target.value === "restoration" ? 1 : 0));
    }
    find("to-peak").addEventListener("click", () => planes.go(volumes[facts.scores[0]].peak()));
    planes.go((volumes.truth && volumes.truth.middle()) || volumes[facts.scores[0]].peak());
    window.uadPlanes = planes;
    document.body.dataset.ready = document.body.dataset.state = "yes";
  } catch (error) {
    find("trouble").hidden = false;
    find("trouble").textContent = `The viewer cannot start: ${error.message}. A current browser with WebGL 2 is needed.`;
    document.body.dataset.ready = "failed";
  }
})();
