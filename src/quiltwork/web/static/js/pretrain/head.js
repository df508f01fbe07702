// The top of a run's page: what is trained, where the loss is, what the round waits for, and what it took until now.
import { bar, h, keep } from "../dom.js";
import { amount, bytes, conditionWords, duration, percent } from "../words.js";
import { counted, lossWords } from "./words.js";

export function headView(run) {
  const name = h("h1", {}, run),
    about = h("p", { class: "lead" }),
    chip = h("span", { class: "state" }),
    serving = h("p", { class: "label serving" });
  const title = h("div", { class: "title" }, h("div", { class: "eyebrow" }, run, chip), name, about, serving);
  const said = h("div", { class: "said" }),
    now = h("div", { class: "now", role: "status" });
  const doing = h("div", {}),
    steps = h("div", {}),
    tally = h("ul", { class: "tally" });
  now.append(doing, steps);

  const drawSaid = keep(said, ({ loss, first, saving, payload }) => [
    h("span", { class: "label" }, "training loss, nats per token; less is better"),
    h("span", { class: "big num" }, loss === null ? "no loss yet" : lossWords(loss)),
    first !== null && h("p", { class: "label" }, `${lossWords(first)} at first`),
    payload !== null &&
      h(
        "p",
        { class: "label" },
        `${bytes(payload)} for an update`,
        saving !== null && [
          ", ",
          h("span", { class: "ahead" }, `${amount(Math.round(saving))} times less`),
          " than dense fp32",
        ],
      ),
  ]);

  const drawNow = keep(doing, ({ words, round }) => [
    h("h2", {}, words.charAt(0).toUpperCase() + words.slice(1)),
    round && [
      round.phase === "RoundTrain"
        ? progress(round.done, round.units, `${round.done} of ${counted(round.units, "unit")} are trained`)
        : progress(
            round.attested,
            round.witnesses,
            `${round.attested} of ${counted(round.witnesses, "witness", "witnesses")} hold the updates`,
          ),
      round.awaited.length > 0 &&
        h(
          "p",
          { class: "label waits" },
          "waits for ",
          round.awaited
            .slice(0, 6)
            .map((label, place) => [
              place > 0 && ", ",
              h(
                "span",
                { class: round.late.includes(label) ? "behind" : "stranger" },
                label,
                round.late.includes(label) && " (late)",
              ),
            ]),
          round.awaited.length > 6 && ` and ${round.awaited.length - 6} more`,
        ),
    ],
  ]);

  const drawSteps = keep(steps, ({ done, step, total, left }) =>
    h(
      "div",
      { class: "spend" },
      bar(done, `step ${step} of ${total}`),
      h(
        "span",
        { class: "label" },
        `${percent(done)}: step ${amount(step)} of ${amount(total)}`,
        left !== null && `, about ${duration(left)} left`,
      ),
    ),
  );
  const drawTally = keep(tally, (all) =>
    all.map(([value, words]) => h("li", {}, h("b", {}, value), h("span", {}, words))),
  );

  const condition = (news) => {
    chip.className = `state ${news.condition}`;
    chip.textContent = conditionWords(news.condition);
    const served = news.driver ? `Served by ${news.driver}; Ctrl-C there lays the run down.` : "";
    serving.replaceChildren(
      ...(news.standing === "budget"
        ? []
        : news.driver
          ? [served]
          : ["Nobody serves it now. To take it up again: ", h("code", {}, `quiltwork pretrain serve ${news.path}`)]),
    );
  };

  const update = ({ summary }) => {
    name.textContent = summary.run_id;
    about.textContent = [
      summary.model || "a model",
      summary.about.optimizer && `trained with ${summary.about.optimizer}`,
      `by ${counted(summary.here, "machine")}${summary.everybody > summary.here ? ` of ${summary.everybody} that came` : ""}`,
    ]
      .filter(Boolean)
      .join(", ");
    document.title = `${summary.loss === null ? "" : `${lossWords(summary.loss)} \u00b7 `}${summary.run_id} \u00b7 Quiltwork`;
    drawSaid({ loss: summary.loss, first: summary.first_loss, saving: summary.saving, payload: summary.payload });
    drawNow({ words: summary.words, round: summary.round && { ...summary.round, seconds: 0 } });
    drawSteps({
      done: Math.min(1, summary.step / summary.total_steps),
      step: summary.step,
      total: summary.total_steps,
      left: summary.seconds_left,
    });
    drawTally([
      [amount(summary.tokens), "tokens"],
      [amount(summary.last), summary.last === 1 ? "round" : "rounds"],
      [summary.seconds_per_round === null ? "\u2013" : duration(summary.seconds_per_round), "a round, lately"],
      [`${summary.healthy} of ${summary.here}`, "at work"],
      [bytes(summary.sent), "sent in all"],
      [amount(summary.lost_units), "units done again"],
      [amount(Object.values(summary.outcomes).reduce((sum, count) => sum + count, 0)), "audits"],
      [duration(summary.now - summary.began), "on the clock"],
    ]);
  };
  return {
    title,
    at: h("div", {}, h("section", { class: "verdict", "aria-label": "Where the run stands" }, said, now), tally),
    condition,
    update,
  };
}

const progress = (part, whole, words) =>
  h("div", { class: "spend" }, bar(whole ? part / whole : 0, words), h("span", { class: "label" }, words));
