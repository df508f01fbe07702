// The best value so far against the known ones, on a scale where the last digits can be seen (uPlot).
import { colour, h, onScheme, section } from "../dom.js";
import { gapScale } from "../scale.js";
import { amount, duration, number } from "../words.js";

const HEIGHT = 300,
  MOST_DOTS = 1200;

export function curveView({ colourOf }) {
  const chart = h("div", { class: "chart", role: "img", "aria-label": "no value yet" }),
    readout = h("p", { class: "label readout" }, "\u00a0");
  const byCost = h("button", { "aria-pressed": "false" }, "processor time"),
    byCount = h("button", { "aria-pressed": "true" }, "evaluations");
  const at = section(
    "curve",
    "The best value so far",
    "The height is what is missing to the best value shown, in powers of ten where it spans several. Pale dots are programs.",
    h("div", { class: "choice", role: "group", "aria-label": "Along" }, byCount, byCost),
    chart,
    readout,
  );
  let plot = null,
    points = [],
    dots = [],
    known = [],
    now = [0, 0],
    maximize = true,
    along = 0,
    scale = gapScale([], true),
    wanted = false;

  for (const [button, which] of [
    [byCount, 0],
    [byCost, 1],
  ]) {
    button.addEventListener("click", () => {
      along = which;
      byCount.setAttribute("aria-pressed", String(which === 0));
      byCost.setAttribute("aria-pressed", String(which === 1));
      draw(true);
    });
  }

  const data = () => {
    const xs = points.map((point) => point[along]),
      ys = points.map((point) => scale.height(point[2]));
    return points.length
      ? [
          [...xs, Math.max(now[along], xs.at(-1))],
          [...ys, ys.at(-1)],
        ]
      : [[0], [null]];
  };
  const words = (value) => (along === 0 ? amount(value) : duration(value));

  function options() {
    const ink = colour("--soft"),
      line = colour("--line");
    const axis = {
      stroke: ink,
      font: "12px system-ui, sans-serif",
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 4 },
    };
    return {
      width: chart.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      padding: [22, 14, 0, 0],
      cursor: { y: false, points: { size: 8 } },
      scales: { x: { time: false }, y: { range: [-0.03, 1.05] } },
      axes: [
        { ...axis, space: 80, values: (_, all) => all.map(words) },
        {
          ...axis,
          size: 54,
          splits: () => scale.ticks.map((tick) => tick.at),
          values: (_, all) =>
            all.map((value) => scale.ticks.find((tick) => Math.abs(tick.at - value) < 1e-9)?.text ?? ""),
        },
      ],
      series: [
        {},
        {
          stroke: colour("--accent"),
          width: 2.25,
          paths: uPlot.paths.stepped({ align: 1 }),
          points: { show: points.length < 80, size: 5, fill: colour("--accent") },
        },
      ],
      hooks: { drawAxes: [paintDots], draw: [paintKnown], setCursor: [tell] },
    };
  }

  function paintDots(u) {
    if (along !== 0) return;
    const { ctx } = u,
      { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.globalAlpha = 0.4;
    const inks = [...Array(8).keys()].map((place) => colour(`--c${place}`));
    for (const [x, value, , arm] of dots) {
      if (scale.worse(value)) continue;
      ctx.fillStyle = inks[colourOf(arm)];
      ctx.beginPath();
      ctx.arc(u.valToPos(x, "x", true), u.valToPos(scale.height(value), "y", true), 2.2 * devicePixelRatio, 0, 7);
      ctx.fill();
    }
    ctx.restore();
  }

  function paintKnown(u) {
    const { ctx } = u,
      { left, width } = u.bbox,
      ink = colour("--known"),
      ground = colour("--paper");
    ctx.save();
    ctx.font = `500 ${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.lineWidth = 1.25 * devicePixelRatio;
    let before = -Infinity;
    const placed = known
      .map((each) => ({ ...each, y: u.valToPos(scale.height(each.value), "y", true) }))
      .sort((a, b) => a.y - b.y);
    for (const each of placed) {
      ctx.strokeStyle = ctx.fillStyle = ink;
      ctx.beginPath();
      ctx.moveTo(left, each.y);
      ctx.lineTo(left + width, each.y);
      ctx.stroke();
      const y = Math.max(each.y - 5 * devicePixelRatio, before + 15 * devicePixelRatio),
        text = fitted(ctx, `${each.who}  ${number(each.value)}`, width - 16 * devicePixelRatio);
      before = y;
      ctx.setLineDash([]);
      ctx.textAlign = "left";
      ctx.strokeStyle = ground;
      ctx.lineWidth = 4 * devicePixelRatio;
      ctx.strokeText(text, left + 8, y);
      ctx.fillText(text, left + 8, y);
      ctx.lineWidth = 1.25 * devicePixelRatio;
      ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    }
    ctx.restore();
  }

  function tell(u) {
    const place = u.cursor.idx;
    const point = place === null || place === undefined ? points.at(-1) : points[Math.min(place, points.length - 1)];
    readout.textContent = point
      ? `${number(point[2])} after ${amount(point[0])} evaluations, ${duration(point[1])} of processor: step ${point[3]}`
      : "\u00a0";
  }

  function draw(anew) {
    if (!at.isConnected || !chart.clientWidth) return;
    scale = gapScale([...points.map((point) => point[2]), ...known.map((each) => each.value)], maximize);
    chart.setAttribute(
      "aria-label",
      points.length
        ? `The best value so far: ${number(points.at(-1)[2])} after ${points.length} improvements`
        : "No value yet",
    );
    if (plot && !anew) plot.setData(data());
    else {
      plot?.destroy();
      plot = new uPlot(options(), data(), chart);
    }
    tell(plot);
  }

  const soon = (anew) => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      draw(anew);
    });
  };
  new ResizeObserver(() => {
    if (plot && plot.width !== chart.clientWidth) plot.setSize({ width: chart.clientWidth, height: HEIGHT });
    else if (!plot) soon(true);
  }).observe(chart);
  onScheme(() => soon(true));

  const update = (summary, news, fresh) => {
    if (fresh) {
      points = [];
      dots = [];
    }
    points.push(...news.curve);
    dots.push(...news.dots);
    if (dots.length > MOST_DOTS) dots = dots.filter((_, place) => place % 2 === 0);
    const named = JSON.stringify(known) !== JSON.stringify(summary.known);
    ({ known, maximize } = summary);
    now = [summary.evaluations, summary.cpu_s];
    soon(fresh || named || news.curve.length > 0);
  };
  return { at, update };
}

function fitted(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let cut = text;
  while (cut && ctx.measureText(`${cut}\u2026`).width > width) cut = cut.slice(0, -1);
  return `${cut}\u2026`;
}
