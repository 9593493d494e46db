// Pictures of the quality page: one picture of a stage replaces another in place, by click, by key or in alternation.
"use strict";
const FLICKER_MS = 700; // below three changes in a second
const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const timers = new Map();

function layersOf(stage) {
  return [...stage.querySelectorAll(".view > figure")];
}

function show(stage, index) {
  const before = Number(stage.dataset.shown);
  if (index !== before) stage.dataset.other = before;
  stage.dataset.shown = index;
  layersOf(stage).forEach((figure, i) => figure.classList.toggle("shown", i === index));
  stage.querySelectorAll(".layer").forEach((button, i) => button.setAttribute("aria-pressed", i === index));
}

function swap(stage) {
  if (layersOf(stage).length > 1) show(stage, Number(stage.dataset.other));
}

function stop(stage) {
  clearInterval(timers.get(stage));
  timers.delete(stage);
  stage.querySelector(".flicker")?.setAttribute("aria-pressed", "false");
}

function flicker(stage) {
  if (timers.has(stage)) return stop(stage);
  swap(stage);
  // A reader who asks for little motion gets one change for each press.
  if (still.matches || layersOf(stage).length === 1) return;
  timers.set(stage, setInterval(() => swap(stage), FLICKER_MS));
  stage.querySelector(".flicker").setAttribute("aria-pressed", "true");
}

function addTemplate(stage) {
  const original = document.querySelector("#page-template");
  if (!original || stage.dataset.scene !== "middle") return;
  const copy = original.cloneNode(true);
  copy.removeAttribute("id");
  copy.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
  const view = stage.querySelector(".view");
  view.insertBefore(copy, view.querySelector("svg")); // below the outlines
}

function button(text, title, action, kind) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.title = title;
  made.setAttribute("aria-pressed", "false");
  made.addEventListener("click", action);
  return made;
}

function prepare(stage) {
  addTemplate(stage);
  const figures = layersOf(stage);
  const names = figures.map((figure) => figure.querySelector("figcaption").textContent);
  const packed = names.findIndex((name) => name.includes("packed"));
  const shown = Math.max(packed, 0);
  stage.dataset.shown = shown;
  stage.dataset.other = shown > 0 ? 0 : Math.min(1, figures.length - 1);
  if (figures.length > 1) {
    const change = (action) => () => (stop(stage), action());
    const buttons = names.map((name, i) =>
      button(name.split(",")[0], `Key ${i + 1}`, change(() => show(stage, i)), "layer"),
    );
    const pair = "Key b, or a click on the picture: the two pictures that were visible last";
    const swapping = button("⇄ Swap", pair, change(() => swap(stage)), "swap");
    swapping.removeAttribute("aria-pressed");
    const alternating = button("Flicker", "Key f: alternates the same two pictures", () => flicker(stage), "flicker");
    stage.querySelector(".layers").append(...buttons, swapping, alternating);
    stage.querySelector(".view").addEventListener("click", change(() => swap(stage)));
  }
  show(stage, shown);
}

function outlines() {
  for (const box of document.querySelectorAll(".outline")) {
    document.documentElement.classList.toggle(`hide-${box.value}`, !box.checked);
  }
}

document.querySelectorAll(".subject .stage").forEach(prepare);
document.querySelectorAll(".outline").forEach((box) => box.addEventListener("change", outlines));
outlines();
