// The table: filters, sorting, rows.
const CHUNK = 300;
const state = { sort: null, down: false, all: false };

const UNITS = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, s: 1, min: 60, h: 3600 };
const CONDITION = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/;
const COMPARE = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

function columnNamed(word) {
  const wanted = word.toLowerCase();
  const same = (column) => [column.id, column.label].some((text) => text.toLowerCase() === wanted);
  return columns.find(same) || columns.find((column) => column.id.toLowerCase().endsWith("." + wanted));
}

// A word of the filter as a test of a row; a condition on no known column is a word like any other.
function condition(word) {
  const parts = CONDITION.exec(word);
  const column = parts && columnNamed(parts[1]);
  if (!column) {
    const wanted = word.toLowerCase();
    return (row) => textOf(row).includes(wanted);
  }
  const wanted = parts[3].toLowerCase();
  const amount = /^([-+]?[\d.]+(?:e[-+]?\d+)?)\s*([a-z]*)$/.exec(wanted);
  const value = amount && (amount[2] === "" || amount[2] in UNITS) ? Number(amount[1]) * (UNITS[amount[2]] || 1) : NaN;
  if (parts[2] in COMPARE) return (row) => isNumber(cell(row, column)) && COMPARE[parts[2]](cell(row, column), value);
  const equal = (row) => {
    const own = cell(row, column);
    return isNumber(own) && !Number.isNaN(value) ? own === value : String(own).toLowerCase() === wanted;
  };
  return parts[2] === "=" ? equal : (row) => !equal(row);
}

const texts = new Map();
function textOf(row) {
  if (!texts.has(row)) {
    const cells = shownColumns.map((column) => words(cell(row, column), column));
    texts.set(
      row,
      [row.id, row.r || "", row.s === undefined ? "" : data.sweeps[row.s].name, ...cells].join("\n").toLowerCase(),
    );
  }
  return texts.get(row);
}

function chosenRows() {
  const tests = $("filter").value.trim().split(/\s+/).filter(Boolean).map(condition);
  const sweep = $("sweep").value;
  const wanted = $("status").value;
  if (sweep !== "") tests.push((row) => (sweep === "none" ? row.s === undefined : row.s === Number(sweep)));
  if (wanted !== "") tests.push((row) => status(row) === wanted);
  return rows.filter((row) => tests.every((test) => test(row)));
}

function compare(a, b) {
  if (isNumber(a) && isNumber(b)) return a - b;
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

// Rows without a value come last in either direction.
function sorted(list) {
  const column = state.sort;
  if (!column) return list;
  const filled = list.filter((row) => cell(row, column) !== null);
  const empty = list.filter((row) => cell(row, column) === null);
  const way = state.down ? -1 : 1;
  return filled.sort((a, b) => way * compare(cell(a, column), cell(b, column))).concat(empty);
}

function sortBy(column, down) {
  state.down = down === undefined ? (state.sort === column ? !state.down : column.better === "higher") : down;
  state.sort = column;
  $("sort").value = column.id + (state.down ? ":down" : "");
  drawTable(chosenRows());
}

// Columns that say something about the rows that are shown.
function columnsOf(list) {
  return shownColumns.filter((column) => list.some((row) => cell(row, column) !== null || row.g[column.index]));
}

// The gate of a metric where all rows have the same, for its heading to say once.
function sameGate(column, list) {
  const gates = new Set(list.filter((row) => row.g[column.index]).map((row) => pooled(row.g[column.index][1])));
  return gates.size === 1 ? [...gates][0] : "";
}

function drawTable(list) {
  const count = list.length === rows.length ? `${rows.length} in all.` : `${list.length} of ${rows.length}.`;
  const used = columnsOf(list).map((column) => ({ ...column, gate: sameGate(column, list) }));
  const visible = sorted(list).slice(0, state.all ? undefined : CHUNK);
  const hidden = list.length - visible.length;
  const focused = document.activeElement && document.activeElement.dataset.column;
  $("table-box").replaceChildren(
    el(
      "table",
      { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, used.map(heading))),
      el(
        "tbody",
        { role: "rowgroup" },
        visible.map((row) => bodyRow(row, used)),
      ),
    ),
  );
  $("more").replaceChildren(
    ...(hidden ? [el("button", { type: "button", onclick: showAll }, `Show ${hidden} more`)] : []),
  );
  const wide = $("table-box").scrollWidth > $("table-box").clientWidth + 1 ? " Scroll sideways for more columns." : "";
  $("count").replaceChildren(
    list.length ? count : "Nothing fits the filter.",
    el("span", { class: "desk" }, list.length ? " A heading sorts by its column." + wide : ""),
  );
  const back =
    focused && [...document.querySelectorAll("th button")].find((button) => button.dataset.column === focused);
  if (back) back.focus();
}

function showAll() {
  state.all = true;
  drawTable(chosenRows());
  $("table-box").focus();
}

function heading(column) {
  const on = state.sort && state.sort.id === column.id;
  const order = on ? (state.down ? "descending" : "ascending") : "none";
  const arrow = el("span", { class: "arrow", "aria-hidden": "true" }, on ? (state.down ? "▼" : "▲") : "↕");
  const button = el(
    "button",
    { type: "button", "data-column": column.id, title: column.id, onclick: () => sortBy(columns[column.index]) },
    headOf(column),
    arrow,
  );
  const gate = column.gate ? el("span", { class: "gate" }, column.gate) : null;
  return el("th", { scope: "col", role: "columnheader", "aria-sort": order, class: kindClass(column) }, button, gate);
}

const headOf = (column) => column.label.replace("x converted", "× converted");
const kindClass = (column) => (["text", "setting"].includes(column.kind) ? "left" : "right");

function bodyRow(row, used) {
  return el(
    "tr",
    { role: "row", class: status(row).replace(" ", "-") },
    used.map((column) => {
      const empty = cell(row, column) === null && !row.g[column.index];
      return el(
        "td",
        { role: "cell", class: kindClass(column) + (empty ? " none" : ""), "data-label": headOf(column) },
        content(row, column),
      );
    }),
  );
}

function content(row, column) {
  if (column.id === "name") {
    return el("a", { href: address(row), title: row.id, "aria-label": row.id }, shortName(row));
  }
  if (column.id === "status") return statusBadge(row);
  const text = words(cell(row, column), column);
  const judged = row.g[column.index];
  if (!judged || !pooled(judged[1])) return text;
  const gate = pooled(judged[1]);
  const mark = el(
    "span",
    {
      class: judged[0] ? "met" : judged[0] === null ? "undecided" : "missed",
      title: (judged[0] ? "meets " : judged[0] === null ? "undecided: " : "misses ") + gate,
      role: "img",
      "aria-label": judged[0] ? "meets its gate" : judged[0] === null ? "undecided" : "misses its gate",
    },
    judged[0] ? "✓" : judged[0] === null ? "?" : "✗",
  );
  return [
    text,
    "\u00a0",
    mark,
    column.gate ? null : el("span", { class: "gate" }, gate),
    column.gate ? el("span", { class: "gate phone" }, column.gate) : null,
  ].filter((part) => part !== null);
}

function statusBadge(row) {
  const word = status(row);
  const badge = el("span", { class: "badge " + word.replace(" ", "-") }, word);
  return row.r ? [badge, el("span", { class: "reason" }, row.r)] : badge;
}
