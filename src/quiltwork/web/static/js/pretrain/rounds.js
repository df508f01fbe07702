// The rounds: how long they took, what was accepted and what went back; then one by one, newest first, older ones by the page.
import { ask, runPath } from "../api.js";
import { colour, h, put, section } from "../dom.js";
import { amount, bytes, duration } from "../words.js";
import { axis, chartIn, placeOf, SPAN, spanList } from "./charts.js";
import { cell, counted, lossWords, roundLink, tableHead } from "./words.js";

const HEIGHT = 260,
  BARS = 0.42,
  AIR = 0.06,
  MOST_LIVE_ROWS = 60,
  MOST_ROWS = 600;

export function roundsView(run) {
  const chart = h("div", { class: "chart rounds", role: "img", "aria-label": "no round yet" }),
    readout = h("p", { class: "label readout" }, "\u00a0"),
    rows = h("tbody", {}),
    why = h("p", { class: "why", role: "alert" }),
    older = h("button", { click: () => load() }, "Older rounds");
  const at = section(
    "rounds",
    "Rounds",
    "How long a round took, and its units: those that were accepted, and those that went back to others. A number opens its round.",
    h(
      "p",
      { class: "legend" },
      [
        ["c1", "seconds"],
        ["c3", "units accepted"],
        ["c2", "units that went back"],
      ].map(([ink, words]) => h("span", { class: "chip" }, h("i", { class: ink }), words)),
    ),
    chart,
    readout,
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Rounds, one by one" },
      h(
        "table",
        { class: "rounds" },
        tableHead(["round", "loss", "took", "committed", "units", "went back", "bytes", "model", "entry"], [0, 7]),
        rows,
      ),
    ),
    why,
    older,
  );
  const spans = spanList();
  let next = null,
    paged = false;

  const plot = chartIn(chart, HEIGHT, () => {
    const shown = spans.all,
      bars = uPlot.paths.bars({ size: [0.8, 24] });
    const units = shown.map((span) => span[SPAN.units] / (span[SPAN.last] - span[SPAN.first] + 1)),
      returned = shown.map((span) => span[SPAN.returned] / (span[SPAN.last] - span[SPAN.first] + 1));
    const most = Math.max(1, ...units.map((count, place) => count + returned[place]));
    return {
      data: shown.length
        ? [
            shown.map((span) => span[SPAN.last]),
            units.map((count, place) => count + returned[place]),
            units,
            shown.map((span) => span[SPAN.seconds]),
          ]
        : [[0], [null], [null], [null]],
      options: {
        padding: [14, 8, 0, 0],
        cursor: { y: false, points: { show: false } },
        scales: {
          x: { time: false },
          units: { range: () => [0, most / BARS] }, // the bars have the lower part to themselves, the line the upper
          s: { range: (_, __, high) => [(-1.1 * (high || 1) * (BARS + AIR)) / (1 - BARS - AIR), 1.1 * (high || 1)] },
        },
        axes: [
          axis(amount, { space: 80, size: 34 }),
          axis((value) => (value === null ? "" : duration(value)), {
            scale: "s",
            size: 66,
            filter: (_, all) => all.map((value) => (value < 0 ? null : value)),
          }),
          axis((value) => (value === null ? "" : amount(value)), {
            scale: "units",
            side: 1,
            size: 44,
            grid: { show: false },
            filter: (_, all) => all.map((value) => (value > most || !Number.isInteger(value) ? null : value)),
          }),
        ],
        series: [
          {},
          {
            scale: "units",
            fill: colour("--c2"),
            stroke: colour("--c2"),
            width: 0,
            paths: bars,
            points: { show: false },
          },
          {
            scale: "units",
            fill: colour("--c3"),
            stroke: colour("--c3"),
            width: 0,
            paths: bars,
            points: { show: false },
          },
          {
            scale: "s",
            stroke: colour("--c1"),
            width: 2,
            points: { show: shown.length < 80, size: 4, fill: colour("--c1") },
          },
        ],
        hooks: { setCursor: [tell] },
      },
    };
  });

  function tell(u) {
    const shown = spans.all;
    if (!shown.length) return;
    const span = shown[placeOf(u, shown.length)],
      rounds = span[SPAN.last] - span[SPAN.first] + 1;
    const name =
      rounds === 1
        ? `round ${amount(span[SPAN.last])}`
        : `rounds ${amount(span[SPAN.first])} to ${amount(span[SPAN.last])}, on average`;
    readout.textContent = `${name}: ${duration(span[SPAN.seconds])}, ${amount(span[SPAN.units] / rounds)} units accepted, ${amount(span[SPAN.returned] / rounds)} went back`;
  }

  async function load() {
    older.disabled = true;
    why.textContent = "";
    try {
      const page = await ask(
        `${runPath(run, "views/rounds")}?${new URLSearchParams(next === null ? {} : { before: next })}`,
      );
      paged = next !== null;
      if (paged) rows.append(...page.rows.map(line));
      else put(rows, page.rows.map(line));
      while (rows.childElementCount > MOST_ROWS) rows.firstChild.remove();
      next = page.next;
      older.hidden = next === null;
    } catch (error) {
      why.textContent = error.message;
    } finally {
      older.disabled = false;
    }
  }

  // Rounds that are new come in on top; one whose model has been agreed on since is drawn anew.
  function add(news) {
    for (const row of [...news.rounds].reverse()) {
      const drawn = rows.querySelector(`[data-round="${row.number}"]`);
      if (drawn?.contains(document.activeElement)) continue;
      if (drawn) drawn.replaceWith(line(row));
      else if (!rows.firstChild || row.number > Number(rows.firstChild.dataset.round)) rows.prepend(line(row));
    }
    while (!paged && rows.childElementCount > MOST_LIVE_ROWS) rows.lastChild.remove();
    const last = Number(rows.lastChild?.dataset.round ?? 1);
    if (!paged) {
      next = last > 1 ? last : null;
      older.hidden = next === null;
    }
  }

  const update = (news, fresh) => {
    const changed = spans.take(news, fresh);
    chart.setAttribute("aria-label", `Seconds and units of ${counted(news.summary.last, "round")}`);
    if (fresh || news.new_rounds > news.rounds.length) {
      next = null;
      load();
    } else add(news);
    if (changed || fresh) plot.draw(fresh);
  };
  return { at, update };
}

const line = (row) =>
  h(
    "tr",
    { "data-round": row.number, class: row.accepted ? "" : "barren" },
    h("td", {}, roundLink(row.number)),
    cell(lossWords(row.loss)),
    cell(duration(row.seconds)),
    cell(`${row.committed} of ${row.members}`),
    cell(amount(row.units)),
    h("td", { class: `num ${row.returned ? "behind" : ""}` }, row.returned ? amount(row.returned) : "\u2013"),
    cell(bytes(row.size)),
    h("td", { class: "num hash" }, row.model || "not agreed on"),
    cell(row.entry),
  );
