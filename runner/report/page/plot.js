// The trade-off between two columns, with its Pareto front.
const plotState = { points: [], current: 0 };

// The points that no other beats: sorted across, each one better than all before it.
function paretoFront(points, x, y) {
  if (!x.better || !y.better || x === y) return [];
  const sign = (column) => (column.better === "lower" ? 1 : -1);
  const ranked = points
    .filter((point) => point.candidate)
    .sort((a, b) => sign(x) * (a.x - b.x) || sign(y) * (a.y - b.y));
  const front = [];
  for (const point of ranked) {
    const last = front[front.length - 1];
    if (!last || sign(y) * point.y < sign(y) * last.y || (point.x === last.x && point.y === last.y)) front.push(point);
  }
  return front;
}

// A model that missed a gate, or of which it can't be told, is no choice, so it is never on the front.
const isCandidate = (row) => !["rejected", "undecided"].includes(status(row));

function axisColumns() {
  return columns.filter((column) => column.id !== "created" && numeric(column));
}

function fillAxes() {
  const able = axisColumns();
  const groups = [
    ["Cost", ["bytes", "ratio", "seconds"]],
    ["Checks", ["metric"]],
    ["Settings", ["setting"]],
    ["Other measurements", ["extra"]],
  ];
  for (const id of ["x", "y"]) {
    $(id).replaceChildren(
      ...groups
        .map(([label, kinds]) => {
          const options = able.filter((column) => kinds.includes(column.kind));
          return options.length
            ? el(
                "optgroup",
                { label },
                options.map((column) => el("option", { value: column.id }, axisName(column))),
              )
            : null;
        })
        .filter(Boolean),
    );
  }
  const first =
    able.find((column) => column.id.startsWith("kl_divergence")) || able.find((column) => column.kind === "metric");
  $("x").value = byId.has("size") && numeric(byId.get("size")) ? "size" : able[0]?.id;
  $("y").value = (first || byId.get("seconds")).id;
  for (const id of ["x", "y"]) suggestLog(id);
}

// Logarithmic from the start where the values span more than a factor of fifty.
function suggestLog(id) {
  const column = byId.get($(id).value);
  const values = column ? rows.map((row) => cell(row, column)).filter(isNumber) : [];
  const low = Math.min(...values);
  $("log-" + id).checked = low > 0 && Math.max(...values) / low > 50;
  $("log-" + id).disabled = !(low > 0);
}

function drawPlot(list) {
  const box = $("plot");
  const [x, y] = [byId.get($("x").value), byId.get($("y").value)];
  const points =
    x && y
      ? list
          .filter((row) => isNumber(cell(row, x)) && isNumber(cell(row, y)))
          .map((row) => ({ row, x: cell(row, x), y: cell(row, y), candidate: isCandidate(row) }))
      : [];
  hideTip();
  plotState.points = points;
  if (!points.length) {
    box.replaceChildren(el("p", { class: "empty" }, "No model here has a number for both axes."));
    $("legend").replaceChildren();
    $("plot-note").textContent = "";
    return;
  }
  const front = paretoFront(points, x, y);
  for (const point of front) point.front = true;
  box.replaceChildren(plotSvg(points, front, x, y));
  drawLegend(points, front);
  $("plot-note").replaceChildren(
    frontNote(points, front, x, y, list.length),
    el("span", { class: "desk" }, " Arrow keys go from point to point, Enter opens one."),
  );
}

function frontNote(points, front, x, y, count) {
  const missing = count - points.length;
  const left = missing ? ` ${missing} without both numbers ${missing === 1 ? "is" : "are"} left out.` : "";
  if (!x.better || !y.better)
    return `There is no front: neither direction of ${x.better ? axisName(y) : axisName(x)} is better.${left}`;
  if (x === y) return `Choose two different columns for a front.${left}`;
  const said = `${front.length} of ${points.length} ${front.length === 1 ? "is" : "are"} on the front`;
  return `${said}: no other is better in both.${left}`;
}

function plotSvg(points, front, x, y) {
  const width = Math.max(280, $("plot").clientWidth || 640);
  const height = Math.min(420, Math.max(260, width * 0.55));
  const yValues = points.map((point) => point.y);
  const upright = makeScale(y, yValues, height - 46, 26, $("log-y").checked, 6);
  const left = 14 + 7 * Math.max(...upright.ticks.map((tick) => tick.label.length));
  const across = makeScale(
    x,
    points.map((point) => point.x),
    left,
    width - 14,
    $("log-x").checked,
    width < 480 ? 4 : 7,
  );
  for (const point of points) [point.left, point.top] = [across.place(point.x), upright.place(point.y)];
  points.sort((a, b) => a.left - b.left || a.top - b.top);
  plotState.current = Math.max(
    0,
    points.findIndex((point) => point.front),
  );
  const label = `${axisName(y)} against ${axisName(x)}, ${points.length} models, ${front.length} on the Pareto front`;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label, onkeydown: plotKey },
    yAxis(upright, left, width - 14),
    across.ticks.map((tick) =>
      svg(
        "g",
        {},
        svg("line", {
          class: "grid",
          x1: across.place(tick.value),
          x2: across.place(tick.value),
          y1: 26,
          y2: height - 46,
        }),
        svg(
          "text",
          { class: "tick", x: across.place(tick.value), y: height - 30, "text-anchor": "middle" },
          tick.label,
        ),
      ),
    ),
    svg("text", { class: "axis", x: 2, y: 13 }, "↑ " + upright.title),
    svg("text", { class: "axis", x: width - 14, y: height - 8, "text-anchor": "end" }, across.title + " →"),
    front.length > 1
      ? svg("polyline", { class: "front-line", points: front.map((point) => `${point.left},${point.top}`).join(" ") })
      : null,
    [...points].sort((a, b) => Boolean(a.front) - Boolean(b.front)).map((point) => mark(point, points.indexOf(point))),
  );
}

// A diamond is on the front, a cross missed a gate, a ring was not selected, a dot is any other.
function shape(kind, left, top, size) {
  const at = (dx, dy) => `${left + dx * size} ${top + dy * size}`;
  if (kind === "front") return svg("path", { d: `M${at(0, -1.5)}L${at(1.5, 0)}L${at(0, 1.5)}L${at(-1.5, 0)}Z` });
  if (kind === "rejected") return svg("path", { d: `M${at(-1, -1)}L${at(1, 1)}M${at(1, -1)}L${at(-1, 1)}` });
  return svg("circle", { cx: left, cy: top, r: size });
}

function kindOf(point) {
  if (point.front) return "front";
  return point.candidate ? (status(point.row) === "not selected" ? "unselected" : "dot") : "rejected";
}

function mark(point, index) {
  const said =
    `${point.row.id}: ${$("x").selectedOptions[0].text} ${words(point.x, byId.get($("x").value))}, ` +
    `${$("y").selectedOptions[0].text} ${words(point.y, byId.get($("y").value))}${point.front ? ", on the front" : ""}`;
  const show = () => showTip(point);
  point.node = svg(
    "a",
    {
      class: "mark " + kindOf(point),
      href: address(point.row),
      tabindex: index === plotState.current ? 0 : -1,
      "aria-label": said,
      onmouseenter: show,
      onfocus: () => {
        plotState.current = index;
        show();
      },
      onmouseleave: hideTip,
      onblur: hideTip,
      onpointerdown: (event) => {
        point.touched = event.pointerType === "touch";
      },
      onclick: (event) => {
        if (point.touched) {
          event.preventDefault();
          show();
        }
      },
    },
    svg("circle", { class: "halo", cx: point.left, cy: point.top, r: 11 }),
    shape(kindOf(point), point.left, point.top, plotState.points.length > 300 ? 3 : 5),
  );
  return point.node;
}

function plotKey(event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const { points } = plotState;
  const next = Math.min(points.length - 1, Math.max(0, plotState.current + steps[event.key]));
  points[plotState.current].node.setAttribute("tabindex", -1);
  points[next].node.setAttribute("tabindex", 0);
  points[next].node.focus();
}

function showTip(point) {
  const { row } = point;
  const facts = [
    ["x", point.x],
    ["y", point.y],
  ].map(([id, value]) => {
    const column = byId.get($(id).value);
    return `${axisName(column)}: ${words(value, column)}`;
  });
  const tip = $("tip");
  tip.replaceChildren(
    el("strong", {}, shortName(row)),
    ...[summary(row), ...facts, row.r || ""].filter(Boolean).map((text) => el("div", {}, text)),
    point.touched ? el("a", { href: address(row) }, "Open") : "",
  );
  tip.hidden = false;
  const frame = point.node.getBoundingClientRect();
  const left = Math.min(frame.left + frame.width / 2 + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = frame.top - tip.offsetHeight - 4;
  tip.style.left = Math.max(8, left) + window.scrollX + "px";
  tip.style.top = (above > 4 ? above : frame.bottom + 4) + window.scrollY + "px";
  tip.classList.toggle("touch", Boolean(point.touched));
}

function hideTip(event) {
  if (event && plotState.points.some((point) => point.touched && point.node === event.currentTarget)) return;
  $("tip").hidden = true;
}

function drawLegend(points, front) {
  const names = { front: "on the Pareto front", dot: "other", unselected: "not selected", rejected: "missed a gate, or undecided" };
  const kinds = Object.keys(names).filter((kind) => points.some((point) => kindOf(point) === kind));
  if (!front.length) names.dot = "model";
  $("legend").replaceChildren(
    ...kinds.map((kind) =>
      el(
        "span",
        {},
        svg(
          "svg",
          { width: 18, height: 18, "aria-hidden": "true" },
          svg("g", { class: "mark " + kind }, shape(kind, 9, 9, 5)),
        ),
        names[kind],
      ),
    ),
  );
}
