// What is said in several places of the page.
import { h } from "../dom.js";
import { number } from "../words.js";

export const lossWords = (loss) => (loss === null || loss === undefined ? "\u2013" : number(loss, 5));

export const clock = (seconds) => new Date(1000 * seconds).toISOString().slice(11, 19);
export const moment = (seconds) => `${new Date(1000 * seconds).toISOString().replace("T", " ").slice(0, 19)} UTC`;

export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`;

export const memberLink = (key, label) =>
  h("a", { class: "member", href: `#member-${key.slice(0, 16)}`, title: key }, label);
export const roundLink = (number) => h("a", { class: "num", href: `#round-${number}` }, number.toLocaleString("en-GB"));

export const HEALTHS = {
  healthy: "at work",
  joining: "loads the model",
  dropped: "dropped",
  withdrawn: "left",
  ejected: "ejected",
};

const DOING = {
  trains: "trains",
  late: "late",
  committed: "has committed",
  witness: "looks at updates",
  attested: "has attested",
};

export function now(member) {
  const words = member.health === "healthy" ? (DOING[member.doing] ?? "rests") : HEALTHS[member.health];
  return member.sanction === "none" || member.health === "ejected" ? words : `${words}, ${member.sanction}`;
}

export const OUTCOMES = {
  passed: "passed",
  failed: "failed",
  unanswered: "not answered",
  refused: "refused",
  undecided: "laid down",
};

export const cell = (...children) => h("td", { class: "num" }, children);

export const tableHead = (names, left = [0]) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name, place) => h("th", { class: left.includes(place) ? "" : "num", scope: "col" }, name)),
    ),
  );
