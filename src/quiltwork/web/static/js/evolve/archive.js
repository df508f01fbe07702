// What the islands keep, as quilts: a patch per cell. The fuller its ground, the better its program; its corner says who made it.
import { ask, runPath } from "../api.js";
import { h, put, section, svg } from "../dom.js";
import { gapScale } from "../scale.js";
import { amount, number } from "../words.js";

const SHADES = 8,
  MOST_ISLANDS = 8,
  EVERY_MS = 2500,
  SIZE = 600;

export function archiveView({ run, colourOf }) {
  const maps = h("div", { class: "quilts" }),
    islands = h("div", { class: "scroll" });
  const scale = h(
    "div",
    { class: "scale", "aria-hidden": "true" },
    "worse ",
    [...Array(SHADES).keys()].map((shade) => h("i", { class: `s${shade}` })),
    " better",
  );
  const at = section(
    "archive",
    "What the islands keep",
    "One patch per cell of the descriptors, the best program that was found there. The fuller its ground, the better; the colour of its corner says who proposed it. The framed one is the run's best.",
    scale,
    maps,
    islands,
  );
  let drawn = -1,
    asked = 0,
    timer = 0,
    summary = null;

  const refresh = async () => {
    timer = 0;
    asked = Date.now();
    const wanted = summary;
    const count = Math.min(MOST_ISLANDS, wanted.islands.length);
    try {
      const all = await Promise.all(
        [...Array(count).keys()].map((index) => ask(`${runPath(run, "views/archive")}?island=${index}`)),
      );
      drawn = wanted.steps;
      put(maps, quilts(all, wanted.maximize, colourOf));
    } catch (error) {
      put(maps, h("p", { class: "why" }, error.message));
    }
  };
  const update = (now) => {
    summary = now;
    put(islands, islandTable(now));
    if (drawn !== now.steps && !timer) timer = setTimeout(refresh, Math.max(0, asked + EVERY_MS - Date.now()));
  };
  return { at, update };
}

function islandTable(summary) {
  return h(
    "table",
    { class: "islands" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["island", "best", "kept", "steps without a better best", "restarts"].map((name, place) =>
          h("th", { class: place ? "num" : "" }, name),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      summary.islands.map((each) =>
        h(
          "tr",
          {},
          h("td", {}, each.index + 1),
          h("td", { class: "num" }, number(each.best)),
          h("td", { class: "num" }, each.cells ? `${amount(each.size)} of ${amount(each.cells)}` : amount(each.size)),
          h("td", { class: "num" }, amount(each.stagnant_for)),
          h("td", { class: "num" }, each.restarts),
        ),
      ),
    ),
  );
}

function quilts(all, maximize, colourOf) {
  const ladder = gapScale(
    all.flatMap((each) => each.elites.map((elite) => elite[1])),
    maximize,
  );
  const shade = (value) => Math.min(SHADES - 1, Math.floor(ladder.height(value) * SHADES));
  const patch = (elite, corners, view) => patchOf(elite, corners, view, shade, colourOf);
  if (!all.length || !all[0].axes.length) return h("p", { class: "hint" }, "This run keeps no map.");
  if (all[0].kind !== "front" && all[0].axes.length === 1) return strips(all, patch);
  return all.map((view) => {
    const title = `Island ${view.island + 1} \u00b7 ${amount(view.elites.length)}${view.cells_of ? ` of ${amount(view.cells_of)} cells` : ""}${view.left_out ? `, ${amount(view.left_out)} not drawn` : ""}`;
    const flat = view.axes.length === 2 && view.kind !== "front";
    const drawing =
      flat && view.kind === "grid"
        ? grid(view, patch)
        : flat && view.cells.length
          ? cells(view, patch)
          : scatter(view, patch);
    return h("figure", {}, h("figcaption", {}, title), drawing);
  });
}

// A patch of any shape: its ground, and a corner of half the way to each end.
function patchOf([step, value, arm, ...place], corners, view, shade, colourOf) {
  const points = (all) => all.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const [a, b] = [corners[0], corners[1]],
    z = corners.at(-1);
  const half = (p, q) => [p[0] + 0.48 * (q[0] - p[0]), p[1] + 0.48 * (q[1] - p[1])];
  const where = view.axes.map((axis, index) => `${axis[0]} ${number(place[index], 5)}`).join(", ");
  return svg(
    "a",
    {
      href: `#step-${step}`,
      class: `patch${step === view.best ? " crown" : ""}`,
      tabindex: step === view.best ? 0 : -1,
      "aria-label": `step ${step}`,
    },
    svg("title", {}, `step ${step}, ${arm}: ${number(value)}\n${where}`),
    svg("polygon", { class: `s${shade(value)}`, points: points(corners) }),
    svg("polygon", { class: `c${colourOf(arm)}`, points: points([a, half(a, b), half(a, z)]) }),
  );
}

const square = (x, y, wide, tall, seam = 1.5) => [
  [x + seam, y + seam],
  [x + wide - seam, y + seam],
  [x + wide - seam, y + tall - seam],
  [x + seam, y + tall - seam],
];
const scaled = (value, [, low, high]) => Math.min(1, Math.max(0, (value - low) / (high - low)));
const bin = (value, axis) => Math.min(axis[3] - 1, Math.floor(scaled(value, axis) * axis[3] + 1e-9));
const frame = (view, wide, tall, shapes, label) =>
  svg("svg", { class: "quilt", viewBox: `-1 -1 ${wide + 2} ${tall + 2}`, role: "group", "aria-label": label }, shapes);
const crownLast = (shapes) => shapes.sort((a, b) => a.classList.contains("crown") - b.classList.contains("crown"));

const ends = (axis) =>
  h(
    "div",
    { class: "ends" },
    h("span", {}, number(axis[1], 4)),
    h("span", { class: "name" }, `${axis[0]} \u2192`),
    h("span", {}, number(axis[2], 4)),
  );
const upwards = (axis) =>
  h("div", { class: "label" }, `${axis[0]} \u2191 from ${number(axis[1], 4)} to ${number(axis[2], 4)}`);

// One descriptor: every island is a row of one quilt.
function strips(all, patch) {
  const axis = all[0].axes[0],
    bins = Math.max(1, axis[3]),
    side = SIZE / Math.max(bins, 6);
  const shapes = all.flatMap((view, row) => {
    if (axis[3] > 1) {
      const floor = [...Array(bins).keys()].map((column) =>
        svg("polygon", { class: "none", points: square(column * side, row * side, side, side).join(" ") }),
      );
      return [
        ...floor,
        ...crownLast(
          view.elites.map((elite) => patch(elite, square(bin(elite[3], axis) * side, row * side, side, side), view)),
        ),
      ];
    }
    return [
      svg("polygon", { class: "none", points: square(0, row * 40, SIZE, 40).join(" ") }),
      ...crownLast(
        view.elites.map((elite) => patch(elite, square(scaled(elite[3], axis) * (SIZE - 12), row * 40, 12, 40), view)),
      ),
    ];
  });
  const tall = all.length * (axis[3] > 1 ? side : 40),
    wide = axis[3] > 1 ? bins * side : SIZE;
  const kept = all.map((view) => amount(view.elites.length)).join(", ");
  return h(
    "figure",
    { class: "whole" },
    h("figcaption", {}, all.length > 1 ? `One row per island, the first on top. Kept: ${kept}` : `Kept: ${kept}`),
    frame(all[0], wide, tall, shapes, "the archive's quilt"),
    ends(axis),
  );
}

function grid(view, patch) {
  const [across, up] = view.axes,
    wide = SIZE / across[3],
    tall = Math.min(wide, SIZE / up[3]);
  const at = (x, y) => square(x * wide, (up[3] - 1 - y) * tall, wide, tall, Math.min(1.5, wide / 12));
  const floor =
    across[3] * up[3] > 2500
      ? []
      : [...Array(across[3] * up[3]).keys()].map((cell) =>
          svg("polygon", { class: "none", points: at(cell % across[3], Math.floor(cell / across[3])).join(" ") }),
        );
  const shapes = crownLast(
    view.elites.map((elite) => patch(elite, at(bin(elite[3], across), bin(elite[4], up)), view)),
  );
  return [
    upwards(up),
    frame(view, SIZE, tall * up[3], [floor, shapes], `archive of island ${view.island + 1}`),
    ends(across),
  ];
}

function cells(view, patch) {
  const [across, up] = view.axes,
    tall = SIZE * 0.7;
  const there = view.cells.map((corners) => corners.map(([x, y]) => [x * SIZE, (1 - y) * tall]));
  const middles = view.cells.map((corners) => [mean(corners, 0), mean(corners, 1)]);
  const floor = there.map((corners) => svg("polygon", { class: "none", points: corners.join(" ") }));
  const shapes = crownLast(
    view.elites.map((elite) => {
      const x = scaled(elite[3], across),
        y = scaled(elite[4], up);
      const inside = view.cells.findIndex((corners) => within(corners, x, y));
      const found = inside >= 0 ? inside : nearest(middles, x, y);
      return patch(elite, there[found], view);
    }),
  );
  return [upwards(up), frame(view, SIZE, tall, [floor, shapes], `archive of island ${view.island + 1}`), ends(across)];
}

const mean = (corners, axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
const nearest = (middles, x, y) =>
  middles.reduce(
    (best, [a, b], index) => {
      const far = (a - x) ** 2 + (b - y) ** 2;
      return far < best[1] ? [index, far] : best;
    },
    [0, Infinity],
  )[0];

// Whether a point lies in a convex cell: on the same side of all its edges.
function within(corners, x, y) {
  const sides = corners.map(([a, b], index) => {
    const [c, d] = corners[(index + 1) % corners.length];
    return (c - a) * (y - b) - (d - b) * (x - a);
  });
  return sides.every((side) => side >= -1e-12) || sides.every((side) => side <= 1e-12);
}

// A front, or more than two descriptors: patches on the first two axes.
function scatter(view, patch) {
  const places = view.elites.map((elite) => [elite[3], elite[4] ?? 0]);
  const fitted = (axis, index) => {
    if (view.kind !== "front" || !places.length) return axis;
    const all = places.map((place) => place[index]),
      low = Math.min(...all),
      high = Math.max(...all);
    const air = 0.06 * (high - low) || Math.max(Math.abs(low) * 0.01, 1e-9);
    return [axis[0], low - air, high + air, 1];
  };
  const across = fitted(view.axes[0], 0),
    up = fitted(view.axes[1], 1),
    tall = SIZE * 0.7,
    side = 18;
  const shapes = crownLast(
    view.elites.map((elite) =>
      patch(
        elite,
        square(scaled(elite[3], across) * (SIZE - side), (1 - scaled(elite[4], up)) * (tall - side), side, side, 0.5),
        view,
      ),
    ),
  );
  const more = view.axes.length > 2 ? h("div", { class: "label" }, `the first two of ${view.axes.length} axes`) : null;
  return [
    more,
    upwards(up),
    frame(
      view,
      SIZE,
      tall,
      [svg("rect", { class: "none", width: SIZE, height: tall }), shapes],
      `archive of island ${view.island + 1}`,
    ),
    ends(across),
  ];
}
