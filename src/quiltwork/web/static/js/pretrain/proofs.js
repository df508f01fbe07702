// How anybody can check all this: the log's head, the model of each round, and the commands.
import { h, keep, section } from "../dom.js";
import { counted, moment } from "./words.js";

export function proofsView() {
  const facts = h("dl", { class: "passport" }),
    ways = h("div", { class: "ways" });
  const at = section(
    "proofs",
    "Proofs",
    "Everything on this page is computed from a log in which each entry is signed and names the one before. Every member hashes its model after every round.",
    facts,
    ways,
  );
  const drawFacts = keep(facts, (all) =>
    all.map(([what, value]) => [h("dt", {}, what), h("dd", { class: "num" }, value)]),
  );
  const drawWays = keep(ways, (all) =>
    all.map(([words, command]) =>
      h("div", {}, h("p", { class: "label" }, words), h("pre", { tabindex: "0" }, command)),
    ),
  );

  const update = (news) => {
    const { summary, path } = news;
    const last = summary.checkpoints[0];
    drawFacts([
      ["run", summary.run_id],
      ["version", summary.version || "\u2013"],
      ["begun", moment(summary.began)],
      ["owner's key", summary.owner],
      [
        "log",
        `${counted(summary.entries, "entry", "entries")}${summary.issue_count ? `, ${summary.issue_count.toLocaleString("en-GB")} of which did not fit` : ""}`,
      ],
      ["head of the log", summary.head],
      ...(summary.agreed_round === null ? [] : [[`model ${summary.agreed_round}, agreed on`, summary.agreed_model]]),
      ...(last ? [["newest checkpoint", `model ${last[0]}, kept by ${last[1]}`]] : []),
    ]);
    drawWays([
      ["Every hash and every signature:", `quiltwork log verify ${path} --expect ${summary.entries}:${summary.head}`],
      [
        "Why something is so: the numbers of entries are on this page, beside rounds, audits and events. Of this round, say:",
        `quiltwork explain ${path} ${news.rounds[0]?.model_entry ?? news.rounds[0]?.entry ?? explained ?? 0}`,
      ],
    ]);
    explained = news.rounds[0]?.model_entry ?? news.rounds[0]?.entry ?? explained;
    const issues = summary.issues.slice(0, 5);
    at.querySelector(".issues")?.remove();
    if (issues.length)
      at.append(
        h(
          "details",
          { class: "small issues" },
          h("summary", {}, "Entries that did not fit"),
          h("p", { class: "hint" }, "They changed nothing: late, malformed, or not their author's to say."),
          issues.map(([entry, why]) => h("p", { class: "stranger" }, h("span", { class: "num" }, `#${entry} `), why)),
        ),
      );
  };
  let explained = null;
  return { at, update };
}
