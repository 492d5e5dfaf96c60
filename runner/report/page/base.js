// The data, elements, and numbers in words. Text reaches the page as text alone, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.columns.map((column, index) => ({ ...column, index }));
const byId = new Map(columns.map((column) => [column.id, column]));
const rows = data.rows;
const shownColumns = columns.filter((column) => column.kind !== "extra");
const nameColumn = byId.get("name");
const statusColumn = byId.get("status");
const pooled = (number) => data.pool[number];
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

const cell = (row, column) => row.c[column.index];
const status = (row) => cell(row, statusColumn);
const name = (row) => cell(row, nameColumn);
const isNumber = (value) => typeof value === "number";
const numeric = (column) => rows.some((row) => isNumber(cell(row, column)));

function digits(value, count) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4)
    return value
      .toExponential(Math.max(0, count - 1))
      .replace(/\.?0+e/, "e")
      .replace("e+", "e");
  return String(Number(value.toPrecision(count)));
}

function bytes(value) {
  if (value >= 1e9) return (value / 1e9).toFixed(2) + " GB";
  if (value >= 1e6) return (value / 1e6).toPrecision(3) + " MB";
  return value >= 1e3 ? digits(value / 1e3, 3) + " kB" : value + " B";
}

function seconds(value) {
  if (value < 60) return value.toFixed(value < 10 ? 1 : 0) + " s";
  return Math.floor(value / 60) + " min " + String(Math.floor(value % 60)).padStart(2, "0") + " s";
}

const date = (text) => text.replace("T", " ").slice(0, 16);

// Settings that are fractions somewhere are worded as fractions everywhere: 0.6 and 1.0.
for (const column of columns) {
  column.fraction =
    column.kind === "setting" &&
    rows.some((row) => isNumber(cell(row, column)) && !Number.isInteger(cell(row, column)));
}

function words(value, column) {
  if (value === null || value === undefined) return "–";
  if (column.fraction && Number.isInteger(value)) return value.toFixed(1);
  if (column.kind === "bytes") return bytes(value);
  if (column.kind === "seconds") return seconds(value);
  if (column.kind === "ratio") return value.toFixed(3);
  if (column.id === "created") return date(value);
  if (column.kind === "setting" || !isNumber(value)) return String(value);
  return digits(value, 4);
}

// What is said of a row where there is no table around it.
function summary(row) {
  const settings = columns.filter((column) => column.kind === "setting" && cell(row, column) !== null);
  return settings.map((column) => `${column.label} ${words(cell(row, column), column)}`).join(", ");
}

// The row's name in one line: what a point is called says its settings again, so its sweep stands for it.
function shortName(row) {
  const full = row.id;
  const sweep = row.s === undefined ? null : data.sweeps[row.s].name;
  if (sweep === null || !full.startsWith(sweep + "--")) return full;
  return row.v ? `${sweep}/…/${row.v}` : `${sweep}/…`;
}

const address = (row) => "#v/" + encodeURIComponent(row.id);
