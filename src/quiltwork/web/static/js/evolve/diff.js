// What changed from a parent to its child, line by line.
import { h } from "../dom.js";

export function diffOf(shown) {
  if (!shown.changes.length)
    return h(
      "p",
      { class: "label" },
      shown.files.length ? "The same program, started from another construction." : "There is no program to compare.",
    );
  return h(
    "pre",
    { class: "diff", tabindex: 0, "aria-label": `what changed: ${shown.added} lines added, ${shown.gone} taken away` },
    shown.changes.map(([kind, text]) => h("span", { class: kind }, text || " ")),
  );
}
