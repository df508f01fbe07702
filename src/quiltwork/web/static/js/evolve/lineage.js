// How the best came to be: its ancestors as a graph (Cytoscape, dagre) and as a list, each with what it changed.
import { ask, runPath } from "../api.js";
import { colour, h, onScheme, put, section } from "../dom.js";
import { number } from "../words.js";
import { diffOf } from "./diff.js";
import { chipOf } from "./head.js";

const EVERY_MS = 3000;

export function lineageView({ run, colourOf }) {
  const canvas = h("div", {
    class: "graph",
    role: "img",
    "aria-label": "The ancestors of the best program, as a graph; the list beside it says the same",
  });
  const list = h("ol", { class: "story" }),
    note = h("p", { class: "hint", hidden: true }),
    empty = h("p", { class: "hint" }, "No program has been accepted yet.");
  const fit = h("button", { class: "quiet", click: () => graph?.fit(undefined, 24) }, "Fit");
  const both = h(
    "div",
    { class: "lineage", hidden: true },
    h("div", { class: "graphbox" }, canvas, fit),
    h("div", {}, list, note),
  );
  const at = section(
    "lineage",
    "How the best came to be",
    "The best program and its ancestors, the newest on top. Green ones are better than their parent; dashed lines come from programs that gave a part. Choose one to see what it changed.",
    empty,
    both,
  );
  let graph = null,
    shown = -1,
    asked = 0,
    timer = 0,
    wanted = null,
    data = null;

  const refresh = async () => {
    timer = 0;
    asked = Date.now();
    try {
      data = await ask(`${runPath(run, "views/lineage")}?step=${wanted}`);
    } catch (error) {
      note.hidden = false;
      note.textContent = error.message;
      return;
    }
    shown = data.step;
    empty.hidden = true;
    both.hidden = false;
    drawList();
    drawGraph();
  };

  function drawList() {
    const byStep = new Map(data.nodes.map((node) => [node.step, node]));
    const opened = new Set([...list.querySelectorAll("details[open]")].map((each) => each.dataset.step));
    put(
      list,
      data.line.map((step) => generation(run, byStep.get(step), colourOf, opened.has(String(step)))),
    );
    note.hidden = !data.left_out;
    note.textContent = `${data.left_out} generations before the last one shown are left out.`;
  }

  function drawGraph() {
    graph?.destroy();
    const main = new Set(data.line);
    const elements = [
      ...data.nodes.map((node) => ({
        data: { id: String(node.step), label: `${node.step}`, value: number(node.value, 7) },
        classes: [
          main.has(node.step) ? "main" : "aside",
          node.gained ? "gained" : "",
          node.step === data.step ? "best" : "",
          `arm${colourOf(node.arm)}`,
        ].join(" "),
      })),
      ...data.edges.map(([from, to, first]) => ({
        data: { source: String(from), target: String(to) },
        classes: first ? "" : "aside",
      })),
    ];
    graph = cytoscape({
      container: canvas,
      elements,
      style: styles(),
      layout: { name: "dagre", rankDir: "BT", nodeSep: 18, rankSep: 30, animate: false, fit: false },
      minZoom: 0.05,
      maxZoom: 2.5,
      autoungrabify: true,
      boxSelectionEnabled: false,
      userZoomingEnabled: false,
    });
    graph.on("tap", "node", (event) => {
      location.hash = `#step-${event.target.id()}`;
    });
    const newest = graph.$id(String(data.step));
    // A short line is shown whole, a long one at its newest end in a size that can be read.
    graph.fit(undefined, 24);
    if (graph.zoom() > 1.2) (graph.zoom(1.2), graph.center());
    if (graph.zoom() < 0.55) {
      graph.zoom(0.8);
      graph.center(newest);
      graph.panBy({ x: 0, y: -canvas.clientHeight / 2 + 60 });
    }
  }

  onScheme(() => graph?.style(styles()));
  new ResizeObserver(() => graph?.resize()).observe(canvas);
  // Wheel and pinch belong to the page until the graph is chosen: nobody should be caught in it while scrolling.
  canvas.addEventListener("pointerdown", () => graph?.userZoomingEnabled(true));
  canvas.addEventListener("pointerleave", () => graph?.userZoomingEnabled(false));

  const update = (summary) => {
    wanted = summary.best?.step ?? null;
    if (wanted !== null && wanted !== shown && !timer)
      timer = setTimeout(refresh, Math.max(0, asked + EVERY_MS - Date.now()));
  };
  return { at, update };
}

function styles() {
  const ink = colour("--ink"),
    soft = colour("--soft"),
    line = colour("--line"),
    paper = colour("--sheet"),
    good = colour("--good"),
    crown = colour("--crown");
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle",
        width: 92,
        height: 34,
        "background-color": paper,
        "border-width": 1.5,
        "border-color": soft,
        label: (node) => `${node.data("label")}\n${node.data("value")}`,
        "text-wrap": "wrap",
        "text-valign": "center",
        "font-size": 11,
        "line-height": 1.15,
        color: ink,
        "font-family": "system-ui, sans-serif",
      },
    },
    ...[...Array(8).keys()].map((place) => ({
      selector: `.arm${place}`,
      style: { "border-color": colour(`--c${place}`) },
    })),
    { selector: ".gained", style: { "border-width": 3 } },
    { selector: ".best", style: { "border-width": 4, "border-color": crown } },
    { selector: "node.aside", style: { opacity: 0.75, width: 78, height: 30, "font-size": 10 } },
    {
      selector: "edge",
      style: {
        width: 2,
        "line-color": good,
        "target-arrow-color": good,
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.9,
        "curve-style": "bezier",
      },
    },
    {
      selector: "edge.aside",
      style: { width: 1.5, "line-style": "dashed", "line-color": soft, "target-arrow-color": soft },
    },
    { selector: "node:selected", style: { "background-color": line } },
  ];
}

function generation(run, node, colourOf, opened) {
  const changes = h("div", {});
  const details = h(
    "details",
    { class: "small", "data-step": node.step, open: opened },
    h("summary", {}, "what it changed"),
    changes,
  );
  const load = async () => {
    if (!details.open || changes.childElementCount) return;
    try {
      put(changes, diffOf(await ask(`${runPath(run, "views/step")}?step=${node.step}`)));
    } catch (error) {
      put(changes, h("p", { class: "why" }, error.message));
    }
  };
  details.addEventListener("toggle", load);
  if (opened) load();
  return h(
    "li",
    { class: node.gained ? "better" : "" },
    h(
      "div",
      { class: "storyhead" },
      h("span", {}, "step ", h("a", { class: "num", href: `#step-${node.step}` }, node.step)),
      chipOf(node.arm, colourOf),
      h("span", { class: "num" }, number(node.value)),
      node.gain && h("span", { class: `num ${node.gained ? "plus" : "minus"}` }, node.gain),
    ),
    node.note && h("div", { class: "label" }, node.note),
    node.parents.length > 0 && details,
  );
}
