// A run of pretrain: one stream of events, and a view for each part of the page.
import { follow, runPath } from "../api.js";
import { h, put } from "../dom.js";
import { auditsView } from "./audits.js";
import { headView } from "./head.js";
import { latelyView } from "./lately.js";
import { lossView } from "./loss.js";
import { membersView } from "./members.js";
import { panelView } from "./panel.js";
import { proofsView } from "./proofs.js";
import { roundsView } from "./rounds.js";

const SECTIONS = [
  ["loss", "Loss"],
  ["members", "Members"],
  ["rounds", "Rounds"],
  ["audits", "Audits"],
  ["lately", "What happened"],
  ["proofs", "Proofs"],
];

export function show() {
  const run = document.body.dataset.run;
  put(
    document.getElementById("crumbs"),
    h("a", { href: "/" }, "Runs"),
    h("span", { "aria-hidden": "true" }, "/"),
    h("span", { class: "here" }, run),
  );
  const head = headView(run),
    reading = h("p", { class: "lead", role: "status" }, "Reading the log\u2026");
  const views = [lossView(), membersView(), roundsView(run), auditsView(), latelyView(), proofsView()];
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
  );
  const panel = panelView(run);
  put(document.getElementById("main"), head.title, reading, body, panel.at);

  let shown = false;
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
    head.condition(news);
    if (!news.summary) {
      reading.textContent = "The run has not begun: its log is empty.";
      return;
    }
    reading.hidden = true;
    body.hidden = false;
    const fresh = news.from === 0 || !shown;
    shown = true;
    head.update(news);
    for (const view of views) view.update(news, fresh);
    panel.update(news, fresh);
  });
}
