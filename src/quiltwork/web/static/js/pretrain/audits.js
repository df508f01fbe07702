// What was computed again, by whom, and what was found.
import { bar, h, keep, put, section } from "../dom.js";
import { amount, percent } from "../words.js";
import { cell, clock, counted, memberLink, OUTCOMES, roundLink, tableHead } from "./words.js";

const FEW = 12;
const MEANING = {
  unanswered: "the member did not disclose its state in time",
  refused: "nor did it at its second chance",
  undecided: "too few verifiers, or too late",
};
const INK = { passed: "c3", failed: "c2", refused: "c4", unanswered: "c4", undecided: "c0" };

export function auditsView() {
  const counts = h("div", {}),
    all = h("button", { "aria-pressed": "false", click: () => toggle() }, "All that are remembered"),
    list = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Audits, the newest first" });
  const at = section(
    "audits",
    "Audits",
    "Some commitments, drawn after they were made, are computed again by two others, a third if they differ. Likeness is 1 where the same update comes out.",
    counts,
    list,
    all,
  );
  let audits = [],
    whole = false;

  const toggle = () => {
    whole = !whole;
    all.setAttribute("aria-pressed", String(whole));
    draw();
  };
  const draw = () => {
    put(list, audits.length > 0 && auditTable(whole ? audits : audits.slice(0, FEW), true));
    all.hidden = audits.length <= FEW;
  };

  const drawCounts = keep(counts, ({ outcomes, open }) => {
    const all = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
    return [
      all + open === 0 && h("p", { class: "hint" }, "None was drawn yet."),
      all > 0 &&
        h(
          "table",
          { class: "refusals" },
          tableHead(["how they ended", "audits", ""]),
          h(
            "tbody",
            {},
            Object.entries(outcomes)
              .sort((one, other) => other[1] - one[1])
              .map(([outcome, count]) =>
                h(
                  "tr",
                  {},
                  h(
                    "td",
                    {},
                    OUTCOMES[outcome] ?? outcome,
                    MEANING[outcome] && h("span", { class: "source" }, MEANING[outcome]),
                  ),
                  cell(amount(count)),
                  h(
                    "td",
                    { class: "barcell" },
                    bar(count / all, `${percent(count / all)} of all audits`, INK[outcome] ?? ""),
                  ),
                ),
              ),
          ),
        ),
      open > 0 && h("p", { class: "label" }, `${counted(open, "audit")} going on`),
    ];
  });

  const update = (news) => {
    drawCounts({ outcomes: news.summary.outcomes, open: news.summary.open_audits });
    if (!news.audits) return;
    if (list.contains(document.activeElement) && document.activeElement !== list) return; // somebody reads
    audits = news.audits;
    draw();
  };
  return { at, update };
}

export const auditTable = (audits, rounds) =>
  h(
    "table",
    { class: "audits" },
    tableHead(["at", ...(rounds ? ["round"] : []), "member", "outcome", "what verifiers found", "entry"], [0, 2, 3, 4]),
    h(
      "tbody",
      {},
      audits.map((audit) =>
        h(
          "tr",
          { class: audit.outcome },
          h("td", {}, h("span", { class: "num" }, clock(audit.at))),
          rounds && cell(roundLink(audit.round)),
          h("td", {}, memberLink(audit.key, audit.label)),
          h(
            "td",
            { class: audit.outcome === "failed" ? "minus" : audit.outcome === "passed" ? "plus" : "behind" },
            OUTCOMES[audit.outcome] ?? audit.outcome,
          ),
          h("td", { class: "found" }, found(audit)),
          cell(audit.entry),
        ),
      ),
    ),
  );

// Where all agree, one line; where a verifier found something else, what it says.
const found = ({ verdicts, outcome }) =>
  verdicts.length === 0
    ? h("span", { class: "none" }, "no verdict")
    : outcome === "passed" && verdicts.every((verdict) => verdict.honest)
      ? h(
          "p",
          { title: verdicts[0].why },
          verdicts.map((verdict, place) => [place > 0 && ", ", h("span", { class: "stranger" }, verdict.label)]),
          ": the same, ",
          likeness(Math.min(...verdicts.map((verdict) => verdict.score ?? NaN))),
        )
      : verdicts.map((verdict) =>
          h(
            "p",
            {},
            h("span", { class: "stranger" }, verdict.label),
            verdict.honest ? ": the same, " : ": another update, ",
            likeness(verdict.score ?? NaN),
            verdict.why && h("span", { class: "source stranger" }, verdict.why),
          ),
        );

const likeness = (score) =>
  h("span", { class: "num" }, Number.isFinite(score) ? `likeness ${score.toFixed(3)}` : "no likeness");
