// One step opened, in a panel over the page. All that a stranger wrote is text, or a picture in a box of its own.
import { ask, runPath } from "../api.js";
import { h, put } from "../dom.js";
import { amount, dollars, duration, number } from "../words.js";
import { diffOf } from "./diff.js";
import { chipOf } from "./head.js";

export function programPanel({ run, colourOf }) {
  const title = h("h2", { id: "panel-title" }),
    body = h("div", { class: "panelbody" });
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
        h("button", { class: "quiet", "aria-label": "The step before", click: () => go(-1) }, "\u2190"),
        h("button", { class: "quiet", "aria-label": "The step after", click: () => go(1) }, "\u2192"),
        h("button", { class: "quiet", "aria-label": "Close", click: () => at.close() }, "\u00d7"),
      ),
    ),
    body,
  );
  let shown = null,
    last = Infinity;

  const go = (by) => {
    if (shown + by >= 0 && shown + by < last) location.hash = `#step-${shown + by}`;
  };
  at.addEventListener("close", () => {
    shown = null;
    if (location.hash.startsWith("#step-")) history.pushState(null, "", location.pathname);
  });
  at.addEventListener("click", (event) => {
    if (event.target === at) at.close();
  });

  async function open() {
    const found = /^#step-(\d+)$/.exec(location.hash);
    if (!found) {
      if (at.open) at.close();
      return;
    }
    const step = Number(found[1]);
    shown = step;
    title.textContent = `Step ${step}`;
    if (!at.open) at.showModal();
    try {
      const data = await ask(`${runPath(run, "views/step")}?step=${step}`);
      if (shown !== step) return;
      last = data.committed;
      put(body, contents(data));
    } catch (error) {
      put(body, h("p", { class: "why" }, error.message));
    }
    body.scrollTop = 0;
  }
  addEventListener("hashchange", open);

  const contents = (data) => [
    h(
      "div",
      { class: "storyhead" },
      chipOf(data.arm, colourOf),
      h("span", { class: "big num" }, data.value === null ? "" : number(data.value)),
      data.better && h("span", { class: "badge better" }, "new best"),
      data.verdict !== "ok" && h("span", { class: "badge" }, data.verdict),
    ),
    data.verdict !== "ok" &&
      data.verdict !== "instruction" &&
      h(
        "div",
        { class: "proof bad" },
        h("strong", {}, `Refused: ${data.verdict}`),
        data.detail && h("pre", { class: "wrap" }, data.detail),
      ),
    data.verdict === "ok" && data.detail && h("pre", { class: "wrap" }, data.detail),
    h(
      "dl",
      { class: "passport" },
      data.note && [h("dt", {}, "note"), h("dd", { class: "stranger" }, data.note)],
      h("dt", {}, "from"),
      h(
        "dd",
        {},
        data.parents.length
          ? [
              "step ",
              data.parents.map((parent, place) => [
                place > 0 && ", ",
                h("a", { class: "num", href: `#step-${parent}` }, parent),
              ]),
            ]
          : "the problem",
        `, island ${data.island + 1}`,
      ),
      [...data.metrics, ...data.descriptors.filter(([name]) => !data.metrics.some(([other]) => other === name))].map(
        ([name, value]) => [h("dt", {}, name), h("dd", { class: "num" }, number(value, 15))],
      ),
      data.held_out.map(([name, value]) => [
        h("dt", {}, `${name}, held out`),
        h("dd", { class: "num" }, number(value, 15)),
      ]),
      data.certified && [h("dt", {}, "certified"), h("dd", {}, data.certified.claim)],
      data.samples > 1 && [h("dt", {}, "runs"), h("dd", { class: "num" }, data.samples)],
      data.instruction !== null && [h("dt", {}, "told"), h("dd", {}, `instruction ${data.instruction}`)],
      h("dt", {}, "cost"),
      h(
        "dd",
        {},
        `${duration(data.cpu_s)} of processor`,
        data.tokens > 0 && `, ${amount(data.tokens)} tokens, ${dollars(data.usd)}`,
      ),
    ),
    pictures(data),
    data.artifacts
      .filter((each) => !each.picture)
      .map((each) => block(each.name, h("pre", { class: "wrap", tabindex: 0 }, each.text), true)),
    data.parents.length > 0 &&
      data.files.length > 0 &&
      block(`what changed since step ${data.parents[0]}  +${data.added} \u2212${data.gone}`, diffOf(data), true),
    data.replies.map(conversation),
    data.files.map(([path, text]) =>
      block(path, h("pre", { class: "source", tabindex: 0 }, text), !data.parents.length),
    ),
  ];

  function pictures(data) {
    const all = data.artifacts.filter((each) => each.picture);
    return (
      all.length > 0 &&
      h(
        "div",
        { class: "art" },
        all.map((each) =>
          h(
            "figure",
            {},
            h("figcaption", {}, each.name),
            h("img", {
              src: `${runPath(run, "files/artifact")}?step=${data.step}&index=${each.index}`,
              alt: `${each.name}, step ${data.step}`,
              loading: "lazy",
            }),
          ),
        ),
      )
    );
  }
  return { at, open };
}

const block = (name, inner, open) => h("details", { class: "small", open }, h("summary", {}, name), inner);

function conversation(reply) {
  const words = [
    reply.model,
    `${amount(reply.prompt_tokens)} tokens in, ${amount(reply.completion_tokens)} out`,
    reply.usd > 0 && dollars(reply.usd),
    duration(reply.wall_s),
    reply.attempts > 1 && `${reply.attempts} attempts`,
  ];
  return h(
    "section",
    { class: "talk" },
    h(
      "h3",
      {},
      {
        propose: "What the model was asked",
        repair: "Asked again, with what did not fit",
        meta: "Asked for a new instruction",
        agent: "What the agent did",
      }[reply.purpose] ?? reply.purpose,
    ),
    h("p", { class: "label" }, words.filter(Boolean).join(" \u00b7 ")),
    reply.asked.map(([role, text]) => block(role, h("pre", { class: "wrap", tabindex: 0 }, text), false)),
    reply.answers.map(([why, text], place) =>
      block(
        reply.answers.length > 1
          ? `reply ${place + 1}${why ? ` (${why})` : ""}`
          : `reply${why && why !== "stop" ? ` (${why})` : ""}`,
        h("pre", { class: "wrap", tabindex: 0 }, text),
        true,
      ),
    ),
  );
}
