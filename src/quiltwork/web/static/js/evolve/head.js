// The top of a run's page: what it is, how it stands against what is known, what it spent; and its passport at the bottom.
import { ask, runPath } from "../api.js";
import { bar, h, keep, section } from "../dom.js";
import { amount, conditionWords, dollars, duration, number, spent } from "../words.js";

export function headView({ run, colourOf }) {
  const name = h("h1", {}, run),
    about = h("p", { class: "lead" }),
    chip = h("span", { class: "state" });
  const title = h("div", { class: "title" }, h("div", { class: "eyebrow" }, run, chip), name, about);
  const verdict = h("section", { class: "verdict", "aria-label": "Where the run stands" });
  const budgets = h("div", { class: "budgets" }),
    tally = h("ul", { class: "tally" });
  const facts = h("dl", { class: "passport" });
  let pictured = null;

  const said = h("div", { class: "said" }),
    known = h("div", {}),
    hero = h("a", { class: "hero", hidden: true });
  verdict.append(said, hero, known);
  const drawSaid = keep(said, ({ best, metric, maximize }) => [
    h("span", { class: "label" }, `${metric}, ${maximize ? "more" : "less"} is better`),
    h("span", { class: "big num" }, best ? number(best.value) : "no valid program yet"),
    best &&
      h(
        "p",
        { class: "label" },
        "step ",
        h("a", { class: "num", href: `#step-${best.step}` }, best.step),
        ", by ",
        chipOf(best.arm, colourOf),
        best.note && `: ${best.note.slice(0, 240)}`,
      ),
    best?.certified && h("p", { class: "ahead" }, "certified in exact arithmetic"),
    best?.held_out &&
      Object.entries(best.held_out).map(([metric, value]) =>
        h(
          "p",
          { class: "label" },
          `held out, never seen by selection: ${metric} `,
          h("span", { class: "num" }, number(value)),
        ),
      ),
  ]);
  const drawKnown = keep(
    known,
    (all) =>
      all.length > 0 &&
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h("tr", {}, h("th", {}, "known"), h("th", { class: "num" }, "value"), h("th", {}, "this run is")),
        ),
        h(
          "tbody",
          {},
          all.map((each) =>
            h(
              "tr",
              {},
              h("td", {}, each.who, each.source && h("span", { class: "source" }, each.source)),
              h("td", { class: "num" }, number(each.value)),
              h("td", { class: each.word }, each.words),
            ),
          ),
        ),
      ),
  );
  const drawBudgets = keep(budgets, (all) =>
    all.map((each) =>
      h(
        "div",
        { class: "spend" },
        bar(each.spent / each.total, spent(each)),
        h("span", { class: "label" }, spent(each)),
      ),
    ),
  );
  const drawTally = keep(tally, (all) =>
    all.map(([value, words]) => h("li", {}, h("b", {}, value), h("span", {}, words))),
  );
  const drawFacts = keep(facts, (all) =>
    all.map(([what, value]) => [
      h("dt", {}, what),
      h(
        "dd",
        { class: "num" },
        what === "began" ? new Date(1000 * value).toISOString().replace("T", " ").slice(0, 19) + " UTC" : value,
      ),
    ]),
  );

  // The best program's own picture, if its evaluator draws one.
  const picture = async (step) => {
    if (step === pictured) return;
    pictured = step;
    const shown = await ask(runPath(run, "views/step") + `?step=${step}`).catch(() => null);
    const found = shown?.artifacts.find((each) => each.picture);
    hero.hidden = !found;
    verdict.classList.toggle("pictured", Boolean(found));
    if (!found) return;
    hero.href = `#step-${step}`;
    hero.replaceChildren(
      h("img", {
        src: runPath(run, "files/artifact") + `?step=${step}&index=${found.index}`,
        alt: `${found.name} of the best program, step ${step}`,
      }),
    );
  };

  const condition = (news) => {
    chip.className = `state ${news.condition}`;
    chip.textContent = conditionWords(news.condition);
  };
  const update = (summary) => {
    name.textContent = summary.problem;
    about.textContent = summary.about;
    document.title = `${summary.best ? number(summary.best.value, 8) + " \u00b7 " : ""}${summary.problem} \u00b7 Quiltwork`;
    drawSaid({ best: summary.best, metric: summary.metric, maximize: summary.maximize });
    drawKnown(summary.known);
    drawBudgets(summary.budgets);
    drawTally([
      [amount(summary.steps), "steps"],
      [amount(summary.evaluations), "evaluated"],
      [amount(summary.valid), "valid"],
      [amount(summary.duplicates), "seen before"],
      [duration(summary.cpu_s), "of processor"],
      [duration(summary.wall_s), "on the clock"],
      ...(summary.tokens
        ? [
            [amount(summary.tokens), "tokens"],
            [dollars(summary.usd), "paid"],
          ]
        : []),
    ]);
    drawFacts([
      ["seed", summary.seed],
      ["budget", summary.budget],
      ...summary.passport,
      ...(summary.issues ? [["entries that did not fit", summary.issues]] : []),
    ]);
    if (summary.best) picture(summary.best.step);
  };
  const passport = section(
    "passport",
    "Passport",
    "A run is a function of its seed and its log. These lines say which one this is.",
    facts,
  );
  return { title, at: h("div", {}, verdict, budgets, tally), passport, condition, update };
}

export const chipOf = (arm, colourOf) => h("span", { class: "chip" }, h("i", { class: `c${colourOf(arm)}` }), arm);
