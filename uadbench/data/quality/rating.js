// Ratings of the quality page: decisions of the reader, kept in the browser, and the config lines of the excluded.
const subjects = [...document.querySelectorAll(".subject")];
const data = JSON.parse(document.querySelector("#page-data").textContent);
const find = (selector) => document.querySelector(selector);
let ratings = {}; // by subject: { decision: "accept", "exclude" or "", reason }
let current = null;

const nameOf = (subject) => subject.dataset.name;
const ratingOf = (subject) => ratings[nameOf(subject)] ?? { decision: "", reason: "" };

// Storage

function load() {
  try {
    const stored = JSON.parse(localStorage.getItem(data.key) ?? "{}");
    for (const [name, rating] of Object.entries(stored)) {
      const decision = ["accept", "exclude"].includes(rating?.decision) ? rating.decision : "";
      ratings[name] = { decision, reason: oneLine(String(rating?.reason ?? "")) };
    }
  } catch {
    find(".unsaved").hidden = false;
  }
}

function save() {
  try {
    localStorage.setItem(data.key, JSON.stringify(ratings));
  } catch {
    find(".unsaved").hidden = false;
  }
}

// Output

function oneLine(text) {
  // A comment of YAML ends with its line and holds printable characters alone.
  const others = /[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]+/gu;
  return text.replace(others, " ").trim();
}

function lines() {
  const rows = data.excluded.map((before) => `      - ${before.token}  # excluded before\n`);
  for (const subject of subjects) {
    const { decision, reason } = ratingOf(subject);
    if (decision === "exclude") rows.push(`      - ${subject.dataset.token}${reason ? `  # ${reason}` : ""}\n`);
  }
  return data.head + rows.join("");
}

function csv() {
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = [["subject", "decision", "reason"]];
  for (const subject of subjects) {
    const { decision, reason } = ratingOf(subject);
    if (decision || reason) rows.push([nameOf(subject), decision, reason]);
  }
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}

function download() {
  const link = document.createElement("a");
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
  link.href = address;
  link.download = `quality-ratings-${data.dataset}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function copy() {
  const text = find(".lines");
  const range = document.createRange();
  range.selectNodeContents(text);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  let done = false;
  try {
    await navigator.clipboard.writeText(text.textContent);
    done = true;
  } catch {
    done = document.execCommand("copy"); // pages from a file may lack the clipboard interface
  }
  find(".copied").textContent = done ? "Copied." : "The browser refuses; the lines are selected, press Ctrl+C.";
}

// Display

const matches = {
  all: () => true,
  flagged: (subject) => subject.classList.contains("flagged"),
  lost: (subject) => subject.dataset.status !== "done",
  unrated: (subject) => !ratingOf(subject).decision,
  accept: (subject) => ratingOf(subject).decision === "accept",
  exclude: (subject) => ratingOf(subject).decision === "exclude",
};

function filter() {
  const wanted = matches[find(".filter").value];
  // The current subject stays until the reader leaves it, whatever its rating.
  for (const subject of subjects) subject.hidden = !(wanted(subject) || subject === current);
  find(".empty").hidden = subjects.some((subject) => !subject.hidden);
}

function refresh() {
  for (const subject of subjects) {
    const { decision, reason } = ratingOf(subject);
    subject.dataset.decision = decision;
    for (const choice of subject.querySelectorAll(".decision")) choice.checked = choice.value === decision;
    const field = subject.querySelector(".reason");
    if (field !== document.activeElement) field.value = reason;
  }
  const rated = subjects.filter((subject) => ratingOf(subject).decision).length;
  const excluded = subjects.filter(matches.exclude).length;
  find(".progress").textContent = `${rated} of ${subjects.length} rated, ${excluded} excluded`;
  find(".lines").textContent = excluded ? lines() : "";
  for (const part of document.querySelectorAll(".some")) part.hidden = !excluded;
  find(".none").hidden = excluded > 0;
  find(".copied").textContent = "";
  filter();
}

function rate(subject, change) {
  const rating = { ...ratingOf(subject), ...change };
  if (rating.decision || rating.reason) ratings[nameOf(subject)] = rating;
  else delete ratings[nameOf(subject)];
  save();
  refresh();
}

function toggle(subject, decision) {
  rate(subject, { decision: ratingOf(subject).decision === decision ? "" : decision });
}

// Movement

function select(subject, move) {
  current = subject;
  for (const other of subjects) other.classList.toggle("current", other === subject);
  filter();
  if (!move) return;
  subject.focus({ preventScroll: true });
  subject.scrollIntoView({ block: "start", behavior: "instant" });
}

function step(direction) {
  const wanted = matches[find(".filter").value];
  const from = current ? subjects.indexOf(current) : -1;
  for (let i = from + direction; subjects[i]; i += direction) {
    if (wanted(subjects[i])) return select(subjects[i], true);
  }
}

const keys = {
  j: () => step(1),
  n: () => step(1),
  k: () => step(-1),
  p: () => step(-1),
  x: () => current && toggle(current, "exclude"),
  a: () => current && toggle(current, "accept"),
  u: () => current && rate(current, { decision: "" }),
  r: () => current?.querySelector(".reason").focus(),
  b: () => current?.querySelectorAll(".stage").forEach((stage) => (stop(stage), swap(stage))),
  f: () => current?.querySelectorAll(".stage").forEach(flicker),
  o: () => {
    const boxes = [...document.querySelectorAll(".outline")];
    const any = boxes.some((box) => box.checked);
    boxes.forEach((box) => (box.checked = !any && box.value !== "template"));
    outlines();
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && document.activeElement.matches(".reason")) return current?.focus();
  if (event.target.matches("input[type=text], select")) return;
  const stage = current?.querySelector(".stage:has(button)");
  const digit = Number(event.key) - 1;
  const chosen = stage && layersOf(stage)[digit];
  const action = keys[event.key] ?? (chosen && (() => (stop(stage), show(stage, digit))));
  if (!action) return;
  event.preventDefault();
  action();
});

for (const subject of subjects) {
  subject.addEventListener("focusin", () => current !== subject && select(subject, false));
  subject.addEventListener("pointerdown", () => current !== subject && select(subject, false));
  for (const choice of subject.querySelectorAll(".decision")) {
    choice.addEventListener("change", () => rate(subject, { decision: choice.value }));
  }
  const field = subject.querySelector(".reason");
  field.addEventListener("input", () => rate(subject, { reason: oneLine(field.value) }));
}
find(".filter").addEventListener("change", () => {
  current?.classList.remove("current");
  current = null;
  filter();
});
find(".next").addEventListener("click", () => step(1));
find(".previous").addEventListener("click", () => step(-1));
find(".copy").addEventListener("click", copy);
find(".download").addEventListener("click", download);
find(".propose").addEventListener("click", () => {
  for (const subject of subjects) {
    const open = subject.dataset.proposed === "yes" && !ratingOf(subject).decision;
    if (open) ratings[nameOf(subject)] = { decision: "exclude", reason: ratingOf(subject).reason || subject.dataset.why };
  }
  save();
  refresh();
});
find(".reset").addEventListener("click", () => {
  if (!confirm(`Delete all ratings of ${data.dataset} in this browser?`)) return;
  ratings = {};
  save();
  refresh();
});
find(".open").addEventListener("click", (event) => {
  const panel = find(".panel");
  panel.hidden = !panel.hidden;
  event.target.setAttribute("aria-expanded", !panel.hidden);
});
window.addEventListener("hashchange", () => jump());

function jump() {
  const name = decodeURIComponent(location.hash.slice(1));
  const subject = subjects.find((one) => nameOf(one) === name);
  if (subject) select(subject, true);
}

load();
refresh();
jump();
