// Pause, stop and resume.
import { order, runPath } from "../api.js";
import { h } from "../dom.js";

export function controls(run) {
  const why = h("p", { class: "why", role: "alert" });
  const act = (action, what) => async () => {
    why.textContent = "";
    at.dataset.busy = "yes";
    for (const each of [pause, stop, resume]) each.disabled = true;
    try {
      await order(runPath(run, action), what?.());
      more.value = "";
    } catch (error) {
      why.textContent = error.message;
      ready();
    }
  };
  const ready = () => {
    delete at.dataset.busy;
    for (const each of [pause, stop, resume]) each.disabled = false;
  };
  const pause = h("button", { id: "pause", class: "primary", click: act("pause") }, "Pause");
  const stop = h(
    "button",
    {
      id: "stop",
      title: "Pause, and end the driver if that takes longer than 20 seconds. Nothing in the log is lost.",
      click: act("stop"),
    },
    "Stop",
  );
  const more = h("input", {
    id: "more",
    type: "text",
    size: 16,
    placeholder: "300evals",
    "aria-label": "Budget to add",
    autocomplete: "off",
  });
  const resume = h(
    "button",
    { id: "resume", class: "primary", click: act("resume", () => ({ budget: more.value })) },
    "Resume",
  );
  const going = h("div", { class: "buttons" }, pause, stop);
  const resting = h(
    "div",
    { class: "buttons" },
    h("label", { for: "more", class: "label" }, "add to the budget"),
    more,
    resume,
  );
  const last = h("pre", { class: "wrap", hidden: true }),
    failed = h("div", { class: "proof bad", hidden: true }, h("strong", {}), last);
  const at = h("div", { class: "controls" }, going, resting, why, failed);

  let before = "";
  const update = (news, summary) => {
    const drives = ["running", "starting"].includes(news.condition);
    going.hidden = !drives;
    resting.hidden = drives || news.condition === "new";
    const done = news.condition === "finished";
    resume.textContent = done ? "Go on with more" : "Resume";
    more.required = done;
    if (summary)
      more.placeholder = {
        evals: "300evals",
        "cpu-s": "120cpu-s",
        "wall-s": "5min",
        tokens: "100ktokens",
        usd: "1usd",
      }[summary.budgets[0].unit];
    if (before !== `${news.condition} ${news.driver}`) ready();
    before = `${news.condition} ${news.driver}`;
    failed.hidden = !news.last_words?.length && !(news.exit < 0);
    failed.firstChild.textContent =
      news.exit < 0
        ? `The driver was ended by signal ${-news.exit}.`
        : `The driver ended with status ${news.exit}. Its last words:`;
    last.textContent = (news.last_words ?? []).join("\n");
    last.hidden = !news.last_words?.length;
  };
  return { at, update };
}
