// The list of runs.
import { follow } from "./api.js";
import { bar, h, put, svg } from "./dom.js";
import { startDialog } from "./start.js";
import { ago, amount, conditionWords, number, spent } from "./words.js";

const cards = new Map(),
  drawn = new Map();
const GOING = ["running", "starting"];

export function show() {
  const going = h("ol", { class: "cards", "aria-label": "Runs that go on" });
  const earlier = h("ol", { class: "cards", "aria-label": "Earlier runs" });
  const goingTitle = h("h2", {}, "Going on"),
    earlierTitle = h("h2", {}, "Earlier");
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    h("p", {}, "There is no run here yet."),
    h(
      "p",
      { class: "hint" },
      "Begin one with the button above, or in a terminal: ",
      h("code", {}, "quiltwork evolve run gallery/circle_packing_26"),
    ),
  );
  const count = h("p", { class: "lead", role: "status" }, "Reading the runs\u2026");
  const start = startDialog();
  put(
    document.getElementById("main"),
    h(
      "div",
      { class: "top" },
      h("div", {}, h("h1", {}, "Runs"), count),
      h("button", { class: "primary", id: "new-run", click: () => start.showModal() }, "New run"),
    ),
    goingTitle,
    going,
    earlierTitle,
    earlier,
    empty,
    start.dialog,
  );
  follow("/api/runs/events", (news) => {
    for (const card of news.cards) cards.set(card.name, card);
    for (const name of cards.keys())
      if (!news.names.includes(name)) {
        cards.delete(name);
        drawn.delete(name);
      }
    const all = news.names.map((name) => cards.get(name)).filter(Boolean);
    const now = all.filter((card) => GOING.includes(card.condition)),
      then = all.filter((card) => !GOING.includes(card.condition));
    arrange(going, now);
    arrange(earlier, then);
    goingTitle.hidden = going.hidden = !now.length;
    earlierTitle.hidden = earlier.hidden = !then.length;
    earlierTitle.textContent = now.length ? "Earlier" : "All runs";
    empty.hidden = all.length > 0;
    count.textContent = all.length
      ? `${amount(all.length)} ${all.length === 1 ? "run" : "runs"}, ${now.length ? `${now.length} going on` : "none going on"}`
      : "";
  });
}

// Puts the cards in order without taking the focus from the one that has it.
function arrange(list, wanted) {
  const items = wanted.map((card) => {
    const text = JSON.stringify(card);
    if (drawn.get(card.name)?.text !== text) {
      const at = item(card),
        before = drawn.get(card.name)?.at;
      const focused = before?.contains(document.activeElement);
      before?.replaceWith(at);
      drawn.set(card.name, { text, at });
      if (focused) at.querySelector("a").focus();
    }
    return drawn.get(card.name).at;
  });
  if (items.some((at, place) => list.children[place] !== at) || list.children.length !== items.length) put(list, items);
}

function item(card) {
  const name = h("a", { href: `/runs/${encodeURIComponent(card.name)}` }, card.name);
  const chip = h("span", { class: `state ${card.condition}` }, conditionWords(card.condition));
  if (card.broken)
    return h(
      "li",
      { class: "card" },
      h("div", { class: "who" }, h("h3", {}, name), chip),
      h("p", { class: "why wide" }, card.broken),
    );
  const value =
    card.best === null || card.best === undefined
      ? null
      : h(
          "div",
          { class: "value" },
          h("b", { class: "num" }, number(card.best)),
          card.label && h("span", { class: "label" }, card.label),
          card.known && [
            h("span", { class: card.known.word }, card.known.words),
            h("span", { class: "label" }, ` against ${card.known.who}`),
          ],
        );
  const budget = card.budgets?.map((each) =>
    h("div", { class: "spend" }, bar(each.spent / each.total, spent(each)), h("span", { class: "label" }, spent(each))),
  );
  return h(
    "li",
    { class: "card" },
    h(
      "div",
      { class: "who" },
      h("h3", {}, name),
      chip,
      card.problem && h("p", { class: "label" }, card.summary || card.problem),
    ),
    spark(card),
    value ?? h("div", { class: "value label" }, card.problem ? "no value yet" : ""),
    h(
      "div",
      { class: "spends" },
      budget,
      card.updated &&
        h(
          "span",
          { class: "label when" },
          [card.what ?? `seed ${card.seed}`, card.condition === "running" ? "" : ago(card.updated)]
            .filter(Boolean)
            .join(", "),
        ),
    ),
  );
}

function spark(card) {
  const heights = card.sparks ?? [];
  if (!heights.length) return h("span", { class: "spark" });
  const points = heights.map(
    (y, place) => `${((100 * place) / (heights.length - 1)).toFixed(1)},${(33 - 30 * y).toFixed(1)}`,
  );
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: "0 0 100 36",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${card.metric}, from the beginning until now`,
    },
    svg("polygon", { points: `0,36 ${points.join(" ")} 100,36` }),
    svg("polyline", { points: points.join(" ") }),
  );
}
