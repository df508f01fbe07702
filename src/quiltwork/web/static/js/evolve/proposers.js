// Who proposes, what it costs, what models were asked, and why programs were refused.
import { bar, h, keep, section } from "../dom.js";
import { amount, dollars, duration, percent } from "../words.js";
import { chipOf } from "./head.js";

export function proposersView({ colourOf }) {
  const arms = h("div", { class: "scroll" }),
    asked = h("div", {}),
    told = h("div", {}),
    refused = h("div", {});
  const at = section(
    "proposers",
    "Who proposed",
    "Credit is a proposer's part of the gain expected per unit of cost, as the run has learned it; the budget follows it.",
    arms,
    asked,
    told,
    refused,
  );

  const drawArms = keep(arms, ({ all, paid }) =>
    h(
      "table",
      {},
      head(["proposer", "credit", "", "steps", "share", "bests", "processor", ...(paid ? ["tokens", "paid"] : [])]),
      h(
        "tbody",
        {},
        all.map((arm) =>
          h(
            "tr",
            {},
            h("td", {}, chipOf(arm.name, colourOf)),
            cell(percent(arm.credit)),
            h("td", { class: "barcell" }, bar(arm.credit, `credit ${percent(arm.credit)}`, `c${colourOf(arm.name)}`)),
            cell(amount(arm.steps)),
            cell(percent(arm.share)),
            cell(arm.gains),
            cell(duration(arm.cpu_s)),
            paid && [cell(arm.tokens ? amount(arm.tokens) : "\u2013"), cell(dollars(arm.usd))],
          ),
        ),
      ),
    ),
  );

  const drawAsked = keep(
    asked,
    (all) =>
      all.length > 0 && [
        h("h3", {}, "What models were asked"),
        h(
          "p",
          { class: "hint" },
          "A reply applies when it makes a program; some need a second request that shows what did not fit.",
        ),
        h(
          "div",
          { class: "scroll" },
          h(
            "table",
            {},
            head(["for", "replies", "applied", "", "repaired", "tokens in", "tokens out", "paid", "waited"]),
            h(
              "tbody",
              {},
              all.map((each) =>
                h(
                  "tr",
                  {},
                  h("td", {}, each.name),
                  cell(amount(each.replies)),
                  cell(each.steps ? `${percent(each.applied / each.steps)} of ${amount(each.steps)}` : "\u2013"),
                  h(
                    "td",
                    { class: "barcell" },
                    each.steps ? bar(each.applied / each.steps, `${each.applied} of ${each.steps} applied`) : "",
                  ),
                  cell(amount(each.repaired)),
                  cell(amount(each.prompt_tokens)),
                  cell(amount(each.completion_tokens)),
                  cell(dollars(each.usd)),
                  cell(duration(each.wall_s)),
                ),
              ),
            ),
          ),
        ),
      ],
  );

  const drawTold = keep(
    told,
    (all) =>
      all.length > 0 && [
        h("h3", {}, "What models are told to do"),
        h("p", { class: "hint" }, "Instructions compete as proposers do; models write new ones."),
        h(
          "ol",
          { class: "told" },
          all.map((each) =>
            h(
              "li",
              {},
              h("span", { class: "num" }, percent(each.credit)),
              h(
                "div",
                {},
                h("p", { class: "stranger" }, each.text),
                h(
                  "span",
                  { class: "label" },
                  `number ${each.number}, ${amount(each.steps)} steps`,
                  each.parent !== null && `, made from number ${each.parent}`,
                  each.step !== null && [" at step ", h("a", { class: "num", href: `#step-${each.step}` }, each.step)],
                ),
              ),
            ),
          ),
        ),
      ],
  );

  const drawRefused = keep(
    refused,
    ({ all, steps }) =>
      all.length > 0 && [
        h("h3", {}, "What was refused"),
        h(
          "table",
          { class: "refusals" },
          head(["reason", "programs", ""]),
          h(
            "tbody",
            {},
            all.map(([verdict, reason, count]) =>
              h(
                "tr",
                {},
                h(
                  "td",
                  {},
                  h(
                    "button",
                    { class: "link", click: () => dispatchEvent(new CustomEvent("show-verdict", { detail: verdict })) },
                    reason,
                  ),
                ),
                cell(amount(count)),
                h("td", { class: "barcell" }, bar(count / steps, `${percent(count / steps)} of all steps`, "c2")),
              ),
            ),
          ),
        ),
      ],
  );

  const update = (summary) => {
    drawArms({ all: summary.arms, paid: summary.tokens > 0 || summary.usd > 0 });
    drawAsked(summary.asked);
    drawTold(summary.asked.length ? summary.instructions : []);
    drawRefused({ all: summary.refusals, steps: Math.max(1, summary.steps) });
  };
  return { at, update };
}

const head = (names) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name, place) => h("th", { class: place ? "num" : "" }, name)),
    ),
  );
const cell = (text) => h("td", { class: "num" }, text);
