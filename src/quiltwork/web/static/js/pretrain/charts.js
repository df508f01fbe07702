// Curves (uPlot) that keep the width of their place and the colours of the scheme.
import { colour, onScheme } from "../dom.js";

// `make` gives the options and the data whenever something is drawn; `draw(true)` draws everything anew.
export function chartIn(at, height, make) {
  let plot = null,
    wanted = false,
    anew = true;
  const paint = () => {
    wanted = false;
    if (!at.isConnected || !at.clientWidth) return;
    const { options, data } = make();
    if (plot && !anew) plot.setData(data);
    else {
      plot?.destroy();
      plot = new uPlot({ width: at.clientWidth, height, legend: { show: false }, ...options }, data, at);
      anew = false;
    }
  };
  const draw = (everything = false) => {
    anew ||= everything;
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(paint);
  };
  new ResizeObserver(() => {
    if (!plot) draw();
    else if (plot.width !== at.clientWidth && at.clientWidth) plot.setSize({ width: at.clientWidth, height });
  }).observe(at);
  onScheme(() => draw(true));
  return { draw };
}

export function axis(values, more = {}) {
  const line = colour("--line");
  return {
    stroke: colour("--soft"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    values: (_, all) => all.map(values),
    ...more,
  };
}

// Where a reader is on a curve: the place under the cursor, or the last.
export const placeOf = (plot, count) => Math.min(plot.cursor.idx ?? count - 1, count - 1);

// What the numbers of a span of rounds are, in their order.
export const SPAN = Object.fromEntries(
  ["first", "last", "ended", "seconds", "units", "returned", "members", "sent", "tokens", "loss"].map((name, place) => [
    name,
    place,
  ]),
);

// Spans of rounds, as they come: those that are known already are replaced.
export function spanList() {
  let spans = [],
    stride = 0;
  return {
    get all() {
      return spans;
    },
    take(news, fresh) {
      if (fresh || news.stride !== stride) spans = [];
      stride = news.stride;
      if (!news.spans.length) return false;
      const first = news.spans[0][SPAN.first];
      const kept = spans.filter((span) => span[SPAN.first] < first);
      spans = [...kept, ...news.spans];
      return true;
    },
  };
}
