// Maps of all methods of one subject side by side: one panel each, and three planes of one of them, all linked.
"use strict";

uad.RATES = [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001]; // fractions of this brain

uad.Comparison = class {
  constructor(facts) {
    this.facts = facts;
    this.find = (id) => document.getElementById(`ex-${id}`);
    this.planes = null;
    this.opened = {};
  }

  async start() {
    const on = (id, kind, action) => this.find(id).addEventListener(kind, action);
    on("task", "change", () => this.open(+this.find("task").value));
    on("method", "change", () => this.choose(+this.find("method").value));
    on("truth", "change", () => { if (this.planes) this.planes.outline(this.find("truth").checked); this.draw(); });
    on("kind", "change", () => { this.levels(); this.draw(); });
    on("level", "input", () => this.draw());
    on("axis", "change", () => this.draw());
    on("lesion", "click", () => this.go(this.task.truth.middle() || this.task.scan.peak()));
    on("slice", "input", () => {
      const [axis, scan] = [+this.find("axis").value, this.task.scan];
      const voxel = scan.voxel(this.mm);
      voxel[axis] = +this.find("slice").value;
      this.go(scan.mm(voxel));
    });
    if (!this.facts.tasks.some((task) => task.methods.some((method) => method.thresholds.length))) {
      this.find("kind").value = "brain";
      this.find("kind").disabled = true;
    }
    this.levels();
    await this.open(0);
    try {
      this.planes = await uad.Planes.open(this.find("planes"), (mm) => this.moved(mm));
      await this.choose(this.chosen);
    } catch (error) {
      this.planes = null;
      this.find("planes").parentElement.hidden = true;
      this.find("trouble").hidden = false;
      this.find("trouble").textContent = `The three planes cannot be shown: ${error.message}. The panels below work without them.`;
    }
  }

  get healthy() {
    return this.find("kind").value === "healthy";
  }

  get rates() {
    return this.healthy ? this.facts.rates : uad.RATES;
  }

  levels() {
    const slider = this.find("level");
    slider.max = this.rates.length - 1;
    slider.value = Math.max(0, this.rates.indexOf(0.01));
  }

  async read(number) {
    if (!this.opened[number]) {
      const { scan, truth, methods } = this.facts.tasks[number];
      const task = { scan: await uad.Volume.read(scan), truth: await uad.Volume.read(truth), methods: [] };
      for (const method of methods) {
        const score = await uad.Volume.read(method.id);
        const counts = new Array(256).fill(0);
        score.bytes.forEach((byte, k) => { if (task.scan.bytes[k]) counts[byte] += 1; });
        task.methods.push({ ...method, score, counts, voxels: counts.reduce((a, b) => a + b) || 1 });
      }
      this.opened[number] = task;
    }
    return this.opened[number];
  }

  async open(number) {
    this.task = await this.read(number);
    const title = (this.chosen !== undefined && this.find("method").selectedOptions[0].textContent) || this.facts.first;
    this.mm = this.task.truth.middle() || this.task.scan.peak();
    const [panels, select] = [this.find("panels"), this.find("method")];
    panels.replaceChildren();
    select.replaceChildren();
    this.panels = [{ title: "Scan", score: null }, ...this.task.methods].map((method, k) => {
      const panel = document.createElement("button");
      panel.type = "button";
      panel.className = "panel";
      panel.append(document.createElement("canvas"), document.createElement("span"), document.createElement("span"));
      panel.children[1].textContent = method.title;
      panels.append(panel);
      if (method.score) select.append(new Option(method.title, k - 1));
      panel.children[0].setAttribute("aria-hidden", "true"); // the text of the button names it
      const drawn = new uad.Panel(panel.children[0], (mm) => this.go(mm));
      uad.keys(panel, () => ({ scan: this.task.scan, mm: this.mm, axis: +this.find("axis").value }), (mm) => this.go(mm));
      panel.addEventListener("click", () => { if (method.score && this.chosen !== k - 1) this.choose(k - 1); });
      return { panel, drawn, method };
    });
    await this.choose(Math.max(0, this.task.methods.findIndex((method) => method.title === title)));
  }

  // Show the map of a method in the planes.
  async choose(number) {
    this.chosen = number;
    this.find("method").value = number;
    const { scan, truth, methods } = this.task;
    if (this.planes) {
      const { score } = methods[number];
      await this.planes.show(scan, [{ volume: score, colormap: "uad-score", opacity: 0.85, from: 0, to: score.high }], truth);
      this.planes.outline(this.find("truth").checked);
      this.planes.go(this.mm);
    }
    this.draw();
  }

  go(mm) {
    if (this.planes) this.planes.go(mm);
    else this.moved(mm);
  }

  moved(mm) {
    this.mm = mm;
    if (this.task) this.draw();
  }

  // Threshold of a method; null where it has none from healthy subjects.
  threshold(method) {
    const level = +this.find("level").value;
    if (this.healthy) return method.thresholds.length ? method.thresholds[level] : null;
    const allowed = this.rates[level] * method.voxels;
    let reached = 0;
    for (let byte = 255; byte > 0; byte--) {
      reached += method.counts[byte];
      if (reached > allowed) return method.score.step * (byte + 1);
    }
    return method.score.step;
  }

  draw() {
    const { scan, truth, methods } = this.task;
    const axis = +this.find("axis").value;
    this.find("rate").textContent = `${uad.text(100 * this.rates[+this.find("level").value])} %`;
    this.find("position").textContent = uad.position(this.mm);
    this.find("place").textContent = this.mm[axis].toFixed(1);
    this.find("slice").max = scan.shape[axis] - 1;
    this.find("slice").value = scan.voxel(this.mm)[axis];
    this.panels.forEach(({ panel, drawn, method }, k) => {
      const threshold = method.score ? this.threshold(method) : null;
      const outline = this.find("truth").checked ? truth : null;
      drawn.draw({ scan, score: method.score, threshold, truth: outline, axis, mm: this.mm });
      panel.classList.toggle("chosen", k - 1 === this.chosen);
      panel.children[2].textContent = method.score ? this.note(method, threshold) : `grey value ${uad.text(scan.value(this.mm))}\nat the crosshair`;
    });
    if (this.planes && this.planes.layers) {
      const { score } = methods[this.chosen];
      const threshold = this.threshold(methods[this.chosen]);
      if (this.planes.layers.has(score.id)) this.planes.range(score, threshold === null ? 2 * score.high : threshold, score.high);
    }
  }

  note(method, threshold) {
    if (threshold === null) return "no threshold from healthy subjects";
    const reached = method.counts.reduce((sum, count, byte) => sum + (method.score.reaches(byte, threshold) ? count : 0), 0);
    const share = uad.text((100 * reached) / method.voxels);
    return `${share} % reach ${uad.text(threshold)}\nat the crosshair ${uad.text(method.score.value(this.mm))}`;
  }
};

// The viewer starts when its section comes into view.
(() => {
  const section = document.getElementById("examples-viewer");
  const start = async () => {
    section.dataset.state = "starting";
    const comparison = new uad.Comparison(JSON.parse(document.getElementById("ex-facts").textContent));
    try {
      await comparison.start();
      window.uadComparison = comparison;
      document.body.dataset.ready = section.dataset.state = "yes";
    } catch (error) {
      const trouble = document.getElementById("ex-trouble");
      trouble.hidden = false;
      trouble.textContent = `The viewer cannot start: ${error.message}. A current browser is needed.`;
      document.body.dataset.ready = "failed";
    }
  };
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    start();
  }, { rootMargin: "300px" });
  seen.observe(section);
})();
