// Elements from data. Text is only ever a text node: nothing here, or anywhere in these pages, parses markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(at, words, children) {
  for (const [name, value] of Object.entries(words ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") at.addEventListener(name, value);
    else if (name === "value") at.value = value;
    else at.setAttribute(name, value === true ? "" : String(value));
  }
  at.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return at;
}

export const h = (tag, words, ...children) => fill(document.createElement(tag), words, children);
export const svg = (tag, words, ...children) => fill(document.createElementNS(SVG, tag), words, children);

export function put(at, ...children) {
  at.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return at;
}

// A part that is drawn again only when what it shows has changed: focus, selections and open details stay.
export function keep(at, draw) {
  let before;
  return (data) => {
    const now = JSON.stringify(data);
    if (now === before) return;
    before = now;
    put(at, draw(data));
  };
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function onScheme(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

// A bar: `part` of its length is filled.
export function bar(part, label, kind = "") {
  const filled = h("i", {});
  filled.style.width = `${Math.min(100, Math.max(0, 100 * part)).toFixed(2)}%`;
  return h("span", { class: `barline ${kind}`, role: "img", "aria-label": label }, filled);
}

export function section(id, title, hint, ...children) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    hint && h("p", { class: "hint" }, hint),
    children,
  );
}
