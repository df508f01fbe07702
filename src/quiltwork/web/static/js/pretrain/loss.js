// The loss, along rounds, bytes or time; below it, when members came, were lost or were ejected.
import { colour, h, section } from "../dom.js";
import { amount, bytes, duration } from "../words.js";
import { axis, chartIn, placeOf, SPAN, spanList } from "./charts.js";
import { lossWords } from "./words.js";

const HEIGHT = 300;
const ALONG = [
  ["rounds", (span) => span[SPAN.last], amount],
  ["bytes sent", (span) => span[SPAN.sent], bytes],
  ["time", (span, began) => span[SPAN.ended] - began, duration],
];
const INK = { ejected: "--bad", dropped: "--c4", left: "--c0", diverged: "--c5", joined: "--c1", restarted: "--c1" };

export function lossView() {
  const chart = h("div", { class: "chart", role: "img", "aria-label": "no loss yet" }),
    readout = h("p", { class: "label readout" }, "\u00a0");
  const buttons = ALONG.map(([name], place) =>
    h("button", { "aria-pressed": String(place === 0), click: () => choose(place) }, name),
  );
  const at = section(
    "loss",
    "Loss",
    "Of the middle unit of each round. Marks below: members that joined, were dropped, or were ejected.",
    h("div", { class: "choice", role: "group", "aria-label": "Along" }, buttons),
    chart,
    readout,
  );
  const spans = spanList();
  let along = 0,
    began = 0,
    marks = [];

  const choose = (place) => {
    along = place;
    for (const [other, button] of buttons.entries()) button.setAttribute("aria-pressed", String(other === place));
    plot.draw(true);
  };
  const known = () => spans.all.filter((span) => span[SPAN.loss] !== null);
  const x = (span) => ALONG[along][1](span, began);

  const plot = chartIn(chart, HEIGHT, () => {
    const shown = known();
    return {
      data: shown.length ? [shown.map(x), shown.map((span) => span[SPAN.loss])] : [[0], [null]],
      options: {
        padding: [14, 14, 0, 0],
        cursor: { y: false, points: { size: 8 } },
        scales: { x: { time: false }, y: { range: (_, low, high) => room(low, high) } },
        axes: [axis(ALONG[along][2], { space: 80, size: 34 }), axis((value) => lossWords(value), { size: 58 })],
        series: [
          {},
          {
            stroke: colour("--accent"),
            width: 2.25,
            points: { show: shown.length < 80, size: 5, fill: colour("--accent") },
          },
        ],
        hooks: { draw: [paintMarks], setCursor: [tell] },
      },
    };
  });

  function paintMarks(u) {
    const { ctx } = u,
      { left, top, width, height } = u.bbox,
      tall = 11 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    for (const [when, kind] of marks) {
      const span = spans.all.find((each) => each[SPAN.ended] >= when) ?? spans.all.at(-1);
      if (!span) continue;
      const place = u.valToPos(along === 2 ? when - began : x(span), "x", true);
      ctx.fillStyle = colour(INK[kind] ?? "--c0");
      ctx.fillRect(place - devicePixelRatio, top + height - tall, 2.5 * devicePixelRatio, tall);
    }
    ctx.restore();
  }

  function tell(u) {
    const shown = known();
    if (!shown.length) return;
    const span = shown[placeOf(u, shown.length)],
      rounds =
        span[SPAN.first] === span[SPAN.last]
          ? `round ${amount(span[SPAN.last])}`
          : `rounds ${amount(span[SPAN.first])} to ${amount(span[SPAN.last])}`;
    readout.textContent = `${rounds}: loss ${lossWords(span[SPAN.loss])} after ${amount(span[SPAN.tokens])} tokens, ${bytes(span[SPAN.sent])} and ${duration(span[SPAN.ended] - began)}, ${span[SPAN.members]} members`;
  }

  const update = (news, fresh) => {
    const changed = spans.take(news, fresh);
    began = news.summary.began;
    if (news.marks) marks = news.marks;
    const shown = known();
    chart.setAttribute(
      "aria-label",
      shown.length
        ? `Loss: ${lossWords(shown[0][SPAN.loss])} at first, ${lossWords(shown.at(-1)[SPAN.loss])} after ${amount(news.summary.last)} rounds`
        : "No loss yet",
    );
    if (changed || fresh || news.marks) plot.draw(fresh);
  };
  return { at, update };
}

function room(low, high) {
  if (low === null || high === null) return [0, 1];
  const air = 0.06 * (high - low || Math.abs(high) || 1);
  return [low - 1.6 * air, high + air];
}
