// The steps, newest first, as they are committed; older ones by the page.
import { ask, runPath } from "../api.js";
import { h, put, section } from "../dom.js";
import { amount, dollars, duration, number } from "../words.js";
import { chipOf } from "./head.js";

const MOST_LIVE_ROWS = 100,
  MOST_ROWS = 600;

export function stepsView({ run, colourOf }) {
  const rows = h("ol", { class: "steps" }),
    count = h("span", { class: "label", role: "status" });
  const verdict = h("select", { id: "verdict", change: () => load() }),
    arm = h("select", { id: "arm", change: () => load() });
  const hold = h(
    "button",
    { "aria-pressed": "false", title: "Keep the rows where they are while new steps come" },
    "Hold",
  );
  const older = h("button", { click: () => load(next) }, "Older steps"),
    why = h("p", { class: "why", role: "alert" });
  const at = section(
    "steps",
    "Every step",
    "The newest first. Each opens with its source, what it changed, what its evaluator said, and why it was refused.",
    h("div", { class: "tools" }, h("label", {}, "show ", verdict), h("label", {}, "by ", arm), hold, count),
    rows,
    why,
    older,
  );
  let next = null,
    held = false,
    waiting = 0,
    known = "",
    paged = false;

  hold.addEventListener("click", () => {
    held = !held;
    hold.setAttribute("aria-pressed", String(held));
    if (!held) load();
  });
  addEventListener("show-verdict", (event) => {
    if (![...verdict.options].some((option) => option.value === event.detail)) return;
    verdict.value = event.detail;
    load();
    at.scrollIntoView();
    verdict.focus();
  });

  async function load(before) {
    const words = new URLSearchParams({
      verdict: verdict.value,
      arm: arm.value,
      ...(before === undefined || before === null ? {} : { before }),
    });
    older.disabled = true;
    why.textContent = "";
    try {
      const page = await ask(`${runPath(run, "views/steps")}?${words}`);
      paged = before !== undefined && before !== null;
      waiting = 0;
      const drawn = page.rows.map((row) => line(row, colourOf));
      if (paged) {
        rows.append(...drawn);
        while (rows.childElementCount > MOST_ROWS) rows.firstChild.remove();
      } else put(rows, drawn);
      ended(page.next);
      say(page.committed);
    } catch (error) {
      why.textContent = error.message;
    } finally {
      older.disabled = false;
    }
  }

  const ended = (step) => {
    next = step;
    older.hidden = step === null;
  };
  const say = (committed) => {
    count.textContent = `${amount(committed)} steps${waiting ? `, ${amount(waiting)} new ones above` : ""}`;
  };
  const fits = (row) =>
    (!arm.value || row.arm === arm.value) &&
    ({ "": true, ok: row.verdict === "ok", better: row.better, refused: row.value === null }[verdict.value] ??
      row.verdict === verdict.value);

  // Rows come in on top, unless the reader holds them, reads older ones, or has a row in focus.
  function add(news) {
    if (news.new_steps > news.rows.length) {
      load();
      return;
    }
    const fresh = news.rows.filter(fits).map((row) => line(row, colourOf));
    rows.prepend(...fresh);
    while (rows.childElementCount > MOST_LIVE_ROWS) rows.lastChild.remove();
    const last = rows.lastChild?.dataset.step;
    if (last !== undefined) ended(Number(last) > 0 ? Number(last) : null);
  }

  const update = (summary, news, fresh) => {
    filters(summary);
    if (fresh) load();
    else if (held || paged || rows.contains(document.activeElement)) waiting += news.new_steps;
    else if (news.new_steps) add(news);
    say(summary.steps);
  };

  function filters(summary) {
    const arms = ["seed", ...summary.arms.map((each) => each.name)].sort(),
      verdicts = summary.refusals.map(([name, words]) => [name, words]);
    const now = JSON.stringify([arms, verdicts.map(([name]) => name)]);
    if (now === known) return;
    known = now;
    const chosen = [verdict.value, arm.value];
    put(
      verdict,
      [
        ["", "all"],
        ["better", "new bests"],
        ["ok", "accepted"],
        ["refused", "refused"],
        ...verdicts.map(([name, words]) => [name, `refused: ${words}`]),
      ].map(([value, words]) => h("option", { value }, words)),
    );
    put(
      arm,
      [["", "everyone"], ...arms.map((name) => [name, name])].map(([value, words]) => h("option", { value }, words)),
    );
    [verdict.value, arm.value] = chosen.map((value) => value || "");
  }
  return { at, update };
}

function line(row, colourOf) {
  const badge = row.better
    ? h("span", { class: "badge better" }, "new best")
    : row.verdict === "ok"
      ? null
      : h("span", { class: "badge" }, row.verdict);
  return h(
    "li",
    { "data-step": row.step, class: row.value === null ? "refused" : "" },
    h(
      "a",
      { href: `#step-${row.step}` },
      h("span", { class: "num step" }, row.step),
      chipOf(row.arm, colourOf),
      h("span", { class: "num value" }, row.value === null ? "\u2013" : number(row.value)),
      h("span", { class: "note" }, row.note),
      badge,
      h("span", { class: "num cost" }, row.usd ? dollars(row.usd) : duration(row.cpu_s)),
    ),
  );
}
