// What the page does when it is opened and used.
const option = (value, text) => el("option", { value }, text);

function fillFilters() {
  const outside = rows.some((row) => row.s === undefined);
  $("sweep").replaceChildren(
    option("", "all"),
    ...data.sweeps.map((sweep, index) => option(index, sweep.name)),
    ...(outside ? [option("none", "outside of sweeps")] : []),
  );
  $("sweep-label").hidden = !data.sweeps.length;
  const counts = new Map();
  for (const row of rows) counts.set(status(row), (counts.get(status(row)) || 0) + 1);
  $("status").replaceChildren(
    option("", "all"),
    ...[...counts].map(([word, count]) => option(word, `${word} (${count})`)),
  );
  $("sort").replaceChildren(
    option("", "as it came"),
    ...shownColumns.flatMap((column) => [
      option(column.id, column.label + " ▲"),
      option(column.id + ":down", column.label + " ▼"),
    ]),
  );
}

function draw() {
  const list = chosenRows();
  drawPlot(list);
  drawTable(list);
  drawEffects(list);
}

function sortChosen() {
  const [id, down] = $("sort").value.split(":");
  if (id) return sortBy(byId.get(id), down === "down");
  state.sort = null;
  return drawTable(chosenRows());
}

function axesChosen(event) {
  if (event.target.type !== "checkbox") suggestLog(event.target.id);
  const list = chosenRows();
  drawPlot(list);
  drawEffects(list);
}

// Which view the address asks for; the page stays where it was when one comes back.
let lastScroll = 0;
function route(event) {
  const wanted = location.hash.startsWith("#v/") ? decodeURIComponent(location.hash.slice(3)) : null;
  const row = wanted === null ? null : rows.find((one) => one.id === wanted);
  if (!row && event && !$("overview").hidden) return;
  hideTip();
  if (row && !$("overview").hidden) lastScroll = window.scrollY;
  $("overview").hidden = Boolean(row);
  $("version").hidden = !row;
  document.title = row ? `${row.id} · ovrun report` : title;
  if (row) {
    drawVersion(row);
    window.scrollTo(0, 0);
    $("version").querySelector("h1").focus({ preventScroll: true });
  } else if (event) {
    draw();
    window.scrollTo(0, lastScroll);
    const link = opened && [...document.querySelectorAll("td a")].find((one) => one.getAttribute("href") === opened);
    (link || $("title")).focus({ preventScroll: true });
  }
  opened = row ? address(row) : null;
}
let opened = null;

const title = document.title;
$("title").textContent = title.replace(" · ovrun report", "");
const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
$("subtitle").textContent = [
  counted(rows.length, "model"),
  data.sweeps.length ? counted(data.sweeps.length, "sweep") : "",
  `made ${date(data.created)} UTC by ovrun ${data.ovrun}`,
]
  .filter(Boolean)
  .join(" · ");
$("notes").replaceChildren(...data.notes.map((note) => el("p", { class: "note" }, note)));
$("trade-off").hidden = rows.length < 2;
fillFilters();
fillAxes();
$("filters").addEventListener("submit", (event) => event.preventDefault());
let waiting = 0;
$("filter").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(draw, rows.length > 200 ? 150 : 0);
});
for (const id of ["sweep", "status"]) $(id).addEventListener("change", draw);
for (const id of ["x", "y", "log-x", "log-y"]) $(id).addEventListener("change", axesChosen);
$("sort").addEventListener("change", sortChosen);
window.addEventListener("hashchange", route);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".mark, #tip")) hideTip();
});
let width = 0;
new ResizeObserver(([entry]) => {
  if (entry.contentRect.width && Math.abs(entry.contentRect.width - width) > 1) {
    width = entry.contentRect.width;
    drawPlot(chosenRows());
  }
}).observe($("plot"));
route();
if (!$("overview").hidden) draw();
