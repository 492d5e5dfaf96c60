// What each swept key does: small charts, one a key and measure.
const EFFECT_SWEEPS = 3;

function drawEffects(list) {
  const sweeps = data.sweeps
    .map((sweep, index) => ({ ...sweep, index, rows: list.filter((row) => row.s === index) }))
    .filter((sweep) => sweep.rows.length > 1);
  $("effects").hidden = !sweeps.length;
  const measures = [...new Set([byId.get($("x").value), byId.get($("y").value)])].filter(
    (column) => column && column.kind !== "setting",
  );
  const more = sweeps.length - EFFECT_SWEEPS;
  $("effects-body").replaceChildren(
    el(
      "p",
      { class: "muted" },
      "Diamonds are means over all points with that value of the key. Each grey line joins points that differ in this key " +
        "alone, all other keys held. The measures are the two axes chosen above.",
    ),
    ...sweeps.slice(0, EFFECT_SWEEPS).map((sweep) => effectBlock(sweep, measures, sweeps.length > 1)),
    more > 0 ? el("p", { class: "muted" }, `${more} more: choose a sweep at the top of the page.`) : "",
  );
}

function effectBlock(sweep, measures, named) {
  const several = (key) =>
    new Set(sweep.rows.filter((row) => row.p[key] !== undefined).map((row) => settingText(row.p[key]))).size > 1;
  const charts = sweep.keys
    .filter(several)
    .flatMap((key) => measures.map((measure) => effectChart(sweep, key, measure)));
  return el("div", {}, named ? el("h3", {}, sweep.name) : null, el("div", { class: "small-multiples" }, charts));
}

const settingText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const settingWords = (row, key) =>
  isNumber(row.p[key]) && byId.has(key) ? words(row.p[key], byId.get(key)) : settingText(row.p[key]);

// Points by what all their other keys are: each group is one grey line.
function groupsOf(points, key) {
  const groups = new Map();
  for (const point of points) {
    const rest = JSON.stringify(Object.entries(point.row.p).filter(([other]) => other !== key));
    groups.set(rest, [...(groups.get(rest) || []), point]);
  }
  return [...groups.values()];
}

function effectChart(sweep, key, measure) {
  const points = sweep.rows
    .filter((row) => isNumber(cell(row, measure)) && row.p[key] !== undefined)
    .map((row) => ({ row, text: settingWords(row, key), raw: row.p[key], y: cell(row, measure) }));
  const heading = `${axisName(measure)} against ${byId.get(key) ? byId.get(key).label : key}`;
  const values = [...new Map(points.map((point) => [point.text, point.raw]))]
    .sort((a, b) => (isNumber(a[1]) && isNumber(b[1]) ? a[1] - b[1] : 0))
    .map(([text]) => text);
  if (!values.length) return el("figure", {}, el("figcaption", {}, heading), el("p", { class: "empty" }, "no numbers"));
  const means = values.map((value) => {
    const own = points.filter((point) => point.text === value);
    return own.reduce((sum, point) => sum + point.y, 0) / own.length;
  });
  const said = values.map((value, index) => `${value}: ${words(means[index], measure)}`).join(", ");
  return el(
    "figure",
    {},
    el("figcaption", {}, heading),
    effectSvg(points, values, means, key, measure, `${heading}, means: ${said}`),
  );
}

function effectSvg(points, values, means, key, measure, label) {
  const [width, height] = [300, 190];
  const all = points.map((point) => point.y);
  const spread = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 50;
  const scale = makeScale(measure, all, height - 28, 24, spread, 4);
  const left = 12 + 6.5 * Math.max(...scale.ticks.map((tick) => tick.label.length));
  const step = (width - left - 10) / values.length;
  const place = (value) => left + step * (values.indexOf(value) + 0.5);
  const lines = groupsOf(points, key)
    .filter((group) => group.length > 1)
    .map(
      (group) =>
        "M" +
        [...group]
          .sort((a, b) => place(a.text) - place(b.text))
          .map((point) => `${place(point.text).toFixed(1)} ${scale.place(point.y).toFixed(1)}`)
          .join("L"),
    );
  const every = Math.ceil(values.length / Math.max(1, Math.floor((width - left) / 44)));
  const room = Math.max(4, Math.floor((step * every) / 6.2));
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    yAxis(scale, left, width - 6),
    svg("text", { class: "axis", x: 2, y: 13 }, scale.title),
    svg("path", { class: "held", d: lines.join(""), "stroke-opacity": Math.max(0.25, Math.min(1, 30 / lines.length)) }),
    points.length <= 300
      ? points.map((point) => svg("circle", { class: "one", cx: place(point.text), cy: scale.place(point.y), r: 2 }))
      : null,
    svg("polyline", {
      class: "mean-line",
      points: means.map((mean, index) => `${place(values[index])},${scale.place(mean)}`).join(" "),
    }),
    means.map((mean, index) =>
      svg(
        "g",
        { class: "mark mean" },
        shape("front", place(values[index]), scale.place(mean), 4),
        svg("title", {}, `${values[index]}: mean ${words(mean, measure)}`),
      ),
    ),
    values.map((value, index) =>
      index % every
        ? null
        : svg(
            "text",
            { class: "tick", x: place(value), y: height - 10, "text-anchor": "middle" },
            value.length > room ? value.slice(0, room - 1) + "…" : value,
            svg("title", {}, value),
          ),
    ),
  );
}
