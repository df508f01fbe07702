// A round or a member, opened in a panel over the page.
import { ask, runPath } from "../api.js";
import { h, put } from "../dom.js";
import { amount, bytes, duration } from "../words.js";
import { auditTable } from "./audits.js";
import { cell, counted, HEALTHS, lossWords, memberLink, moment, now, tableHead } from "./words.js";

export function panelView(run) {
  const title = h("h2", { id: "panel-title" }),
    body = h("div", { class: "panelbody" });
  const before = h("button", { class: "quiet", "aria-label": "The round before", click: () => go(-1) }, "\u2190"),
    after = h("button", { class: "quiet", "aria-label": "The round after", click: () => go(1) }, "\u2192");
  const at = h(
    "dialog",
    { class: "sheet panel", "aria-labelledby": "panel-title" },
    h(
      "div",
      { class: "sheethead" },
      title,
      h(
        "span",
        { class: "buttons" },
        before,
        after,
        h("button", { class: "quiet", "aria-label": "Close", click: () => at.close() }, "\u00d7"),
      ),
    ),
    body,
  );
  let members = [],
    last = 0,
    path = "",
    shown = null,
    opened = false;

  const go = (by) => {
    const number = Number(shown?.slice("#round-".length)) + by;
    if (number >= 1 && number <= last) location.hash = `#round-${number}`;
  };
  at.addEventListener("close", () => {
    shown = null;
    if (/^#(round|member)-/.test(location.hash)) history.pushState(null, "", location.pathname);
  });
  at.addEventListener("click", (event) => {
    if (event.target === at) at.close();
  });

  async function open() {
    const round = /^#round-(\d+)$/.exec(location.hash),
      member = /^#member-([0-9a-f]{16})$/.exec(location.hash);
    if (!round && !member) {
      if (at.open) at.close();
      return;
    }
    shown = location.hash;
    before.hidden = after.hidden = !round;
    title.textContent = round ? `Round ${round[1]}` : "Member";
    if (!at.open) at.showModal();
    if (member) drawMember(member[1]);
    else
      try {
        const data = await ask(`${runPath(run, "views/round")}?round=${round[1]}`);
        if (shown === round[0]) put(body, roundContents(data, path));
      } catch (error) {
        put(body, h("p", { class: "why" }, error.message));
      }
    body.scrollTop = 0;
  }
  addEventListener("hashchange", open);

  function drawMember(key) {
    const found = members.find((each) => each.key.startsWith(key));
    title.textContent = found?.label ?? "Member";
    put(body, found ? memberContents(found) : h("p", { class: "why" }, "It is not among the members that are shown."));
  }

  const update = (news, fresh) => {
    members = news.members;
    last = news.summary.last;
    path = news.path;
    if (fresh || !opened) open();
    opened = true;
  };
  return { at, update };
}

const facts = (all) =>
  h(
    "dl",
    { class: "passport" },
    all.filter(Boolean).map(([what, value]) => [h("dt", {}, what), h("dd", { class: "num" }, value)]),
  );

const roundContents = (round, path) => [
  facts([
    ["loss", lossWords(round.loss)],
    ["took", duration(round.seconds)],
    ["closed", moment(round.closed)],
    ["step", round.accepted ? amount(round.step) : "none: nothing was accepted"],
    ["units", `${counted(round.units, "unit")} accepted, ${amount(round.returned)} went back to others`],
    ["sent", `${bytes(round.size)} by ${counted(round.committed, "member")} of ${amount(round.members)}`],
    ["model", round.hash || "not agreed on yet"],
  ]),
  h("h3", {}, "Commitments"),
  round.commits.length === 0 &&
    h("p", { class: "hint" }, round.committed ? "They are not remembered one by one any more." : "There were none."),
  round.commits.length > 0 &&
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Commitments" },
      h(
        "table",
        {},
        tableHead(["member", "units", "loss it said", "bytes", "", "entry"], [0, 4]),
        h(
          "tbody",
          {},
          round.commits.map((commit) =>
            h(
              "tr",
              {},
              h("td", {}, memberLink(commit.key, commit.label)),
              cell(amount(commit.units)),
              cell(lossWords(commit.loss)),
              cell(bytes(commit.size)),
              h("td", { class: commit.accepted ? "plus" : "behind" }, commit.accepted ? "accepted" : "not accepted"),
              cell(commit.entry),
            ),
          ),
        ),
      ),
    ),
  round.left_out > 0 && round.commits.length > 0 && h("p", { class: "hint" }, `and ${round.left_out} more`),
  round.audits.length > 0 && [
    h("h3", {}, "Audits"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Audits" },
      auditTable(round.audits, false),
    ),
  ],
  h("h3", {}, "Proof"),
  h("p", { class: "hint" }, "Who signed what about this round, and that nothing was changed since:"),
  h("pre", { tabindex: "0" }, `quiltwork explain ${path} ${round.model_entry ?? round.entry}`),
];

const memberContents = (member) =>
  facts([
    ["key", member.key],
    ["calls itself", h("span", { class: "stranger" }, member.name || "nothing")],
    ["is", `${HEALTHS[member.health]}${member.health === "healthy" ? `: ${now(member)}` : ""}`],
    ["computes in", `${member.dtype} on ${member.device}`],
    ["version", member.version || "\u2013"],
    [
      "reached at",
      member.addresses.length
        ? member.addresses.map((address) => h("div", { class: "stranger" }, address))
        : "the run's server alone",
    ],
    ["joined last before", `round ${amount(member.since)}`],
    ["came", member.came === 1 ? "once" : `${member.came} times`],
    ["dropped", member.dropped === 0 ? "never" : member.dropped === 1 ? "once" : `${member.dropped} times`],
    ["speed", member.speed ? `${member.speed.toFixed(2)} units a second` : "not known yet"],
    ["earned", `${counted(member.units, "unit")}${member.forfeited ? `, ${amount(member.forfeited)} forfeited` : ""}`],
    ["sent", `${bytes(member.sent)} in ${counted(member.payloads, "update")}`],
    [
      "lost",
      member.lost_units
        ? `${counted(member.lost_units, "unit")} in ${counted(member.lost_rounds, "round")}`
        : "nothing",
    ],
    ["too late", counted(member.late, "time")],
    member.diverged > 0 && ["held another model", counted(member.diverged, "time")],
    ["audits", `${member.passed} passed, ${member.failed} failed, ${member.refused} refused`],
    member.suspicion > 0 && ["suspicion", member.suspicion],
    ["its verdicts", `${member.agreed} with the majority, ${member.dissented} against`],
  ]);
