// How numbers are written for people; the same rules as in the terminal.
export function number(value, digits = 11) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
  return Number(value.toPrecision(digits)).toString();
}

export function amount(value) {
  if (!Number.isFinite(value)) return "\u2013";
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-GB");
  return value.toFixed(1);
}

export function duration(seconds) {
  if (!(seconds >= 0)) return "?";
  if (seconds > 0 && seconds < 0.0995) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  for (const [size, name, part, partName] of [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ]) {
    if (whole >= size)
      return `${Math.floor(whole / size)} ${name} ${String(Math.floor((whole % size) / part)).padStart(2, "0")} ${partName}`;
  }
  return `${whole} s`;
}

export function bytes(count) {
  if (!(count >= 0)) return "\u2013";
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 1000) return `${unit === "B" ? count.toFixed(0) : count.toFixed(1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} TB`;
}

export function dollars(value) {
  if (!value) return "\u2013";
  return `$${value < 0.01 ? value.toPrecision(2) : value.toFixed(2)}`;
}

export function spent(budget) {
  switch (budget.unit) {
    case "evals":
      return `${amount(budget.spent)} of ${amount(budget.total)} evaluations`;
    case "steps":
      return `${amount(budget.spent)} of ${amount(budget.total)} steps`;
    case "cpu-s":
      return `${duration(budget.spent)} of ${duration(budget.total)} of processor`;
    case "wall-s":
      return `${duration(budget.spent)} of ${duration(budget.total)}`;
    case "tokens":
      return `${amount(budget.spent)} of ${amount(budget.total)} tokens`;
    default:
      return `$${budget.spent.toFixed(2)} of $${budget.total.toFixed(2)}`;
  }
}

export function ago(seconds) {
  const gone = Date.now() / 1000 - seconds;
  return gone < 5 ? "now" : `${duration(gone)} ago`;
}

export const percent = (part) => `${(100 * part).toFixed(part > 0 && part < 0.095 ? 1 : 0)}%`;

const CONDITIONS = {
  running: "running",
  starting: "starting",
  failed: "failed",
  finished: "finished",
  paused: "paused",
  lost: "interrupted without a word",
  new: "new",
  broken: "cannot be read",
  unread: "reading",
};
export const conditionWords = (condition) => CONDITIONS[condition] ?? condition;
