// A scale on which the last digits can be seen: what is missing to the best value shown, in powers of ten.
// The same rules as `display/gap.py`.
const MOST_DECADES = 12,
  AIR = 0.6;

export function gapScale(values, maximize) {
  const finite = values.filter(Number.isFinite);
  const target = finite.length ? (maximize ? Math.max(...finite) : Math.min(...finite)) : 0;
  const gaps = finite
    .map((value) => Math.abs(target - value))
    .filter((gap) => gap > 0)
    .sort((a, b) => a - b);
  const largest = gaps.at(-1) ?? 0;
  const smallest = gaps.length ? Math.max(gaps[0], largest * 10 ** -MOST_DECADES) : 0;
  const logarithmic = smallest > 0 && largest / smallest > 10;
  const ofGap = (gap) => {
    if (largest <= 0) return gap <= 0 ? 1 : 0;
    if (!logarithmic) return Math.min(1, Math.max(0, 1 - gap / largest));
    if (gap <= 0) return 1;
    const floor = Math.log10(smallest) - AIR,
      top = Math.log10(largest);
    return Math.min(1, Math.max(0, (top - Math.max(floor, Math.log10(gap))) / (top - floor)));
  };
  const height = (value) =>
    Number.isFinite(value) ? ofGap(Math.max(0, maximize ? target - value : value - target)) : 0;
  const ticks = [];
  if (logarithmic) {
    const first = Math.ceil(Math.log10(smallest)),
      last = Math.floor(Math.log10(largest));
    const every = Math.max(1, Math.ceil((last - first + 1) / 7));
    for (let power = last; power >= first; power -= every) ticks.push({ at: ofGap(10 ** power), text: raised(power) });
  } else if (largest > 0) {
    for (const at of [0, 0.5, 1]) ticks.push({ at, text: Number((largest * (1 - at)).toPrecision(3)).toString() });
  }
  return {
    height,
    ticks,
    target,
    largest,
    logarithmic,
    worse: (value) => (maximize ? target - value : value - target) > largest,
  };
}

const raised = (power) =>
  power === 0
    ? "1"
    : power === 1
      ? "10"
      : "10" +
        String(power).replace(
          /[-0-9]/g,
          (c) => "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"["-0123456789".indexOf(c)],
        );

// Proposers keep their colours over the whole page: the order in which they are first seen.
export function palette() {
  const known = new Map([["seed", 0]]);
  return (arm) => {
    if (!known.has(arm)) known.set(arm, 1 + ((known.size - 1) % 7));
    return known.get(arm);
  };
}
