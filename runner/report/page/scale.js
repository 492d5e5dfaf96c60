// Axes: units, ticks, and the way from a value to a place.
function unitOf(column, values) {
  const top = Math.max(...values.map(Math.abs));
  if (column.kind === "bytes") {
    const [size, unit] = top >= 1e9 ? [1e9, "GB"] : top >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
    return { size, unit };
  }
  if (column.kind === "seconds") return top >= 600 ? { size: 60, unit: "min" } : { size: 1, unit: "s" };
  return { size: 1, unit: column.unit };
}

function linearTicks(low, high, wanted) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

function logTicks(low, high, wanted) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** power;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  if (ticks.length < 2) return linearTicks(low, high, wanted);
  const tens = ticks.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
  return ticks.length > wanted + 2 && tens.length > 1 ? tens : ticks;
}

// A scale from values to [from, to]; `title` has the unit, `label` words a tick without it.
function makeScale(column, values, from, to, log, wanted) {
  const { size, unit } = unitOf(column, values);
  let low = Math.min(...values) / size;
  let high = Math.max(...values) / size;
  const logarithmic = log && low > 0;
  if (low === high)
    [low, high] = logarithmic
      ? [low / 2, high * 2]
      : low
        ? [low - Math.abs(low) / 4, high + Math.abs(high) / 4]
        : [-1, 1];
  else if (logarithmic) [low, high] = [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  else [low, high] = [low - (high - low) * 0.06, high + (high - low) * 0.06];
  const at = logarithmic ? Math.log : (value) => value;
  const ticks = logarithmic ? logTicks(low, high, wanted) : linearTicks(low, high, wanted);
  const step =
    ticks.length > 1 ? Math.min(...ticks.slice(1).map((tick, k) => tick - ticks[k])) : Math.abs(ticks[0]) || 1;
  const decimals = Math.max(0, Math.min(12, 1 - Math.floor(Math.log10(step))));
  const label = (tick) =>
    logarithmic || Math.abs(tick) >= 1e5 || step < 1e-5 ? digits(tick, 3) : String(Number(tick.toFixed(decimals)));
  const better = column.better ? `${column.better} is better` : "";
  const notes = [better, logarithmic ? "logarithmic" : ""].filter(Boolean).join("; ");
  return {
    place: (value) => from + ((at(value / size) - at(low)) / (at(high) - at(low))) * (to - from),
    ticks: ticks.map((tick) => ({ value: tick * size, label: label(tick) })),
    title: axisName(column) + (unit ? `, ${unit}` : "") + (notes ? ` (${notes})` : ""),
    logarithmic,
  };
}

const axisName = (column) => column.label.replace("x converted", "size / converted size");

// Horizontal lines with labels for the upright axis.
function yAxis(scale, left, right) {
  return scale.ticks.map((tick) =>
    svg(
      "g",
      {},
      svg("line", { class: "grid", x1: left, x2: right, y1: scale.place(tick.value), y2: scale.place(tick.value) }),
      svg("text", { class: "tick", x: left - 6, y: scale.place(tick.value) + 4, "text-anchor": "end" }, tick.label),
    ),
  );
}
