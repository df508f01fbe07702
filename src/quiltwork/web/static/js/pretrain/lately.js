// What happened, newest first.
import { h, put, section } from "../dom.js";
import { clock } from "./words.js";

const FEW = 14;

export function latelyView() {
  const list = h("ol", { class: "events" }),
    all = h("button", { "aria-pressed": "false", click: () => toggle() }, "All that is remembered");
  const at = section(
    "lately",
    "What happened",
    "By the run's own clock (UTC), with the number of the entry that told it.",
    list,
    all,
  );
  let events = [],
    whole = false;

  const toggle = () => {
    whole = !whole;
    all.setAttribute("aria-pressed", String(whole));
    draw();
  };
  const draw = () => {
    put(
      list,
      (whole ? events : events.slice(0, FEW)).map((event) =>
        h(
          "li",
          { class: `event ${event.kind}` },
          h("span", { class: "num when" }, clock(event.at)),
          h("span", { class: "stranger" }, event.words),
          h("span", { class: "num entry" }, `#${event.entry}`),
        ),
      ),
    );
    all.hidden = events.length <= FEW;
  };
  const update = (news) => {
    if (!news.events) return;
    events = news.events;
    draw();
  };
  return { at, update };
}
