// A run of evolve: one stream of events, and a view for each part of the page.
import { follow, runPath } from "../api.js";
import { h, put } from "../dom.js";
import { palette } from "../scale.js";
import { archiveView } from "./archive.js";
import { controls } from "./controls.js";
import { curveView } from "./curve.js";
import { headView } from "./head.js";
import { lineageView } from "./lineage.js";
import { programPanel } from "./program.js";
import { proposersView } from "./proposers.js";
import { stepsView } from "./steps.js";

const SECTIONS = [
  ["curve", "Curve"],
  ["lineage", "Lineage"],
  ["archive", "Archive"],
  ["proposers", "Proposers"],
  ["steps", "Steps"],
];

export function show() {
  const run = document.body.dataset.run,
    colourOf = palette();
  const context = { run, colourOf };
  put(
    document.getElementById("crumbs"),
    h("a", { href: "/" }, "Runs"),
    h("span", { "aria-hidden": "true" }, "/"),
    h("span", { class: "here" }, run),
  );
  const control = controls(run),
    head = headView(context),
    reading = h("p", { class: "lead", role: "status" }, "Reading the log\u2026");
  const views = [
    curveView(context),
    lineageView(context),
    archiveView(context),
    proposersView(context),
    stepsView(context),
  ];
  const body = h(
    "div",
    { hidden: true },
    head.at,
    h(
      "nav",
      { class: "jump", "aria-label": "Parts of this page" },
      SECTIONS.map(([id, name]) => h("a", { href: `#${id}` }, name)),
    ),
    views.map((view) => view.at),
    head.passport,
  );
  const panel = programPanel(context);
  put(document.getElementById("main"), head.title, control.at, reading, body, panel.at);

  let shown = null;
  follow(runPath(run, "events"), (news) => {
    if (news.error) {
      reading.hidden = false;
      reading.textContent = news.error;
      return;
    }
    if (news.reading !== undefined) {
      reading.textContent = `Reading the log: ${Math.floor(100 * news.reading)}%`;
      return;
    }
    control.update(news, news.summary);
    head.condition(news);
    if (!news.summary) {
      reading.textContent = news.condition === "failed" ? "The run could not begin." : "The run is being made\u2026";
      return;
    }
    reading.hidden = true;
    body.hidden = false;
    const fresh = news.from === 0 || shown === null;
    shown = news.summary;
    // Colours go by the proposers' names, so that they are the same on every visit.
    for (const arm of shown.arms.map((each) => each.name).sort()) colourOf(arm);
    head.update(shown, news);
    for (const view of views) view.update(shown, news, fresh);
    if (fresh) panel.open();
  });
}
