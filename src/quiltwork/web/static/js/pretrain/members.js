// Who takes part: their lives on a line of time, and what everybody did.
import { bar, h, keep, section, svg } from "../dom.js";
import { amount, bytes, duration } from "../words.js";
import { cell, clock, counted, HEALTHS, memberLink, now, tableHead } from "./words.js";

const WIDTH = 1000,
  HEIGHT = 22,
  TICKS = 5;

export function membersView() {
  const lines = h("ol", { class: "lives" }),
    times = h("div", { class: "times num", "aria-hidden": "true" }),
    table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "What everybody did" }),
    more = h("p", { class: "hint" });
  const at = section(
    "members",
    "Members",
    "Everybody's life in the run, by its own clock (UTC). A name opens what is known of its machine.",
    h(
      "p",
      { class: "legend" },
      Object.entries(HEALTHS).map(([health, words]) =>
        h("span", { class: "chip" }, h("i", { class: `life ${health}` }), words),
      ),
    ),
    lines,
    times,
    h("h3", {}, "What everybody did"),
    table,
    more,
  );
  let lives = new Map();

  const drawLines = keep(lines, ({ members, began, until }) =>
    members.map((member) => {
      const stretches = lives.get(member.key) ?? [];
      return h(
        "li",
        {},
        memberLink(member.key, member.label),
        svg(
          "svg",
          {
            viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
            preserveAspectRatio: "none",
            role: "img",
            "aria-label": `${member.label}: ${inWords(stretches, until)}`,
          },
          stretches.map((stretch, place) => piece(stretch, stretches[place + 1]?.[0] ?? until, began, until)),
        ),
      );
    }),
  );

  const drawTimes = keep(times, ({ began, until }) =>
    [...Array(TICKS).keys()].map((place) => h("span", {}, clock(began + ((until - began) * place) / (TICKS - 1)))),
  );

  const drawTable = keep(table, (members) => {
    const most = Math.max(1, ...members.map((member) => member.units));
    return h(
      "table",
      { class: "people" },
      tableHead(
        ["member", "now", "units earned", "", "speed", "sent", "lost", "late", "audits passed", "verdicts"],
        [0, 1],
      ),
      h(
        "tbody",
        {},
        members.map((member) =>
          h(
            "tr",
            { class: member.health },
            h(
              "td",
              {},
              memberLink(member.key, member.label),
              member.name && h("span", { class: "source num" }, member.key.slice(0, 8)),
            ),
            h("td", { class: tone(member) }, now(member)),
            cell(
              amount(member.units),
              member.forfeited > 0 && h("span", { class: "source minus" }, `${amount(member.forfeited)} forfeited`),
            ),
            h("td", { class: "barcell" }, bar(member.units / most, counted(member.units, "unit"), "c3")),
            cell(member.speed ? `${member.speed.toFixed(1)}/s` : "\u2013"),
            cell(bytes(member.sent)),
            cell(member.lost_units ? amount(member.lost_units) : "\u2013"),
            cell(member.late ? amount(member.late) : "\u2013"),
            h(
              "td",
              { class: `num ${member.failed ? "minus" : ""}` },
              member.passed + member.failed ? `${member.passed} of ${member.passed + member.failed}` : "\u2013",
            ),
            cell(
              member.agreed + member.dissented ? `${member.agreed} of ${member.agreed + member.dissented}` : "\u2013",
            ),
          ),
        ),
      ),
    );
  });

  const update = (news, fresh) => {
    if (fresh) lives = new Map();
    for (const [key, stretches] of Object.entries(news.lives)) lives.set(key, stretches);
    const { began, now: until, everybody } = news.summary;
    const scale = { began, until: Math.max(until, began + 1) };
    drawLines({
      members: news.members.map(({ key, label }) => ({ key, label, count: lives.get(key)?.length })),
      ...scale,
    });
    drawTimes(scale);
    drawTable(news.members);
    const hidden = everybody - news.members.length;
    more.textContent =
      everybody === 0
        ? "Nobody has joined yet."
        : hidden > 0
          ? `and ${counted(hidden, "member")} more, who did less or are gone`
          : "";
  };
  return { at, update };
}

// A stretch of somebody's life. What it is can be seen without colours, too: by its height.
const TALL = { healthy: 1, joining: 0.5, dropped: 0.18, withdrawn: 0.1, ejected: 0.18 };

function piece([from, health], to, began, until) {
  const x = (time) => (WIDTH * (time - began)) / (until - began);
  const height = HEIGHT * (TALL[health] ?? 0.1);
  const rect = (left, wide, tall) =>
    svg(
      "rect",
      {
        class: `life ${health}`,
        x: left.toFixed(2),
        y: ((HEIGHT - tall) / 2).toFixed(2),
        width: wide.toFixed(2),
        height: tall.toFixed(2),
      },
      svg("title", {}, `${HEALTHS[health]} from ${clock(from)} on, for ${duration(to - from)}`),
    );
  const found = [rect(x(from), Math.max(1.2, x(to) - x(from)), height)];
  if (health === "ejected") found.push(rect(Math.min(x(from), WIDTH - 5), 5, HEIGHT));
  return found;
}

const inWords = (stretches, until) =>
  stretches
    .slice(-12)
    .map(([from, health], place, all) => `${HEALTHS[health]} for ${duration((all[place + 1]?.[0] ?? until) - from)}`)
    .join(", ");

const tone = (member) =>
  member.health === "ejected"
    ? "minus"
    : member.health === "dropped" || member.doing === "late" || member.sanction !== "none"
      ? "behind"
      : "";
