// What a page lacks for readers who do not see it, in words: rules of WCAG that its own markup can break.
() => {
  const found = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.getClientRects().length && !element.closest("[aria-hidden=true]");
  const named = (element) =>
    element.getAttribute("aria-label") || element.getAttribute("title") || element.getAttribute("alt") ||
    (element.labels && element.labels.length) || (element.matches("button, a, summary") && element.textContent.trim());
  const wanted = { image: "img:not([alt=''])", drawing: "svg", canvas: "canvas", control: "button, a[href], input, select, textarea" };
  for (const [kind, selector] of Object.entries(wanted)) {
    for (const element of all(selector).filter((one) => shown(one) && !named(one))) found.push(`${kind} without a name: ${element.outerHTML.slice(0, 80)}`);
  }
  for (const one of all("svg, canvas").filter((each) => shown(each) && !each.hasAttribute("role"))) found.push(`no role: ${one.outerHTML.slice(0, 80)}`);
  const mains = all("main");
  if (mains.length !== 1) found.push(`${mains.length} elements main`);
  for (const one of all("h1, h2, p, table, section")) if (!one.closest("main") && shown(one)) found.push(`beside main: ${one.outerHTML.slice(0, 80)}`);
  for (const one of all("body *").filter(shown)) {
    const scrolls = one.scrollWidth > one.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(one).overflowX);
    if (scrolls && one.tabIndex < 0 && !one.querySelector("a[href], button, input, select, [tabindex='0']")) found.push(`scrolls without keys: ${one.outerHTML.slice(0, 80)}`);
  }
  const ids = all("[id]").map((one) => one.id);
  for (const id of ids.filter((each, k) => ids.indexOf(each) !== k)) found.push(`twice: #${id}`);
  for (const one of all("[aria-describedby]")) if (!document.getElementById(one.getAttribute("aria-describedby"))) found.push(`describes nothing: ${one.id}`);
  return found;
}
