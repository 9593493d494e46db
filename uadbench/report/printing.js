
// All details are open on paper.
const closed = [];
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach(one => { closed.push(one); one.open = true; }));
addEventListener("afterprint", () => closed.splice(0).forEach(one => { one.open = false; }));
