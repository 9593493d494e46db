// Texts whose colour is too close to that of the ground below them, in words: 4.5 to 1, large ones 3 to 1 (WCAG AA).
() => {
  const found = new Set();
  const parts = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, k) => a * value + (1 - a) * below[k]);
  const ground = (element) => {
    const below = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
    return over(parts(getComputedStyle(element).backgroundColor), below);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement, style = getComputedStyle(element);
    const hidden = style.visibility !== "visible" || style.opacity === "0" || element.closest("script, style, noscript, svg, [hidden]");
    if (!node.textContent.trim() || hidden || !element.getClientRects().length) continue;
    const below = ground(element), colour = over(parts(style.color), below);
    const [high, low] = [light(below), light(colour)].sort((a, b) => b - a), size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (high / low < wanted) found.add(`${(high / low).toFixed(2)}: ${element.tagName}.${element.className} ${node.textContent.trim().slice(0, 30)}`);
  }
  return [...found];
}
