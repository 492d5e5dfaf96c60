// One version: how it was made, what it measured, what it consists of.
function section(title, ...children) {
  return el("section", {}, el("h2", {}, title), children);
}

function facts(pairs) {
  return el(
    "dl",
    {},
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]),
  );
}

function plainTable(label, heads, lines) {
  const head = heads.map(([text, side]) => el("th", { scope: "col", role: "columnheader", class: side }, text));
  const body = lines.map((line) =>
    el(
      "tr",
      { role: "row" },
      line.map((content, index) =>
        el("td", { role: "cell", class: heads[index][1], "data-label": heads[index][0] }, content),
      ),
    ),
  );
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": label, tabindex: 0 },
    el(
      "table",
      { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
      el("tbody", { role: "rowgroup" }, body),
    ),
  );
}

function drawVersion(row) {
  const details = row.d || {};
  const parts = [
    el("p", {}, el("a", { href: "#" }, "← all models")),
    el(
      "h1",
      { tabindex: -1 },
      row.id.split(/(?<=--|\/)/).flatMap((piece) => [piece, el("wbr")]),
    ),
    el("p", {}, statusBadge(row)),
    details.description === undefined || !pooled(details.description) ? null : el("p", {}, pooled(details.description)),
    ...(details.notes || []).map((note) => el("p", { class: "note" }, "Note: " + pooled(note))),
    summarySection(row, details),
    details.checks && details.checks.length ? checksSection(details) : null,
    details.stages ? stagesSection(details) : null,
    details.recipe ? recipeSection(row, details) : null,
    details.files ? filesSection(row, details) : null,
    details.libraries === undefined ? null : environmentSection(details),
  ];
  $("version").replaceChildren(...parts.filter(Boolean));
}

function summarySection(row, details) {
  const value = (id) => words(cell(row, byId.get(id)), byId.get(id));
  const has = (id) => cell(row, byId.get(id)) !== null;
  const model = details.model === undefined ? null : pooled(details.model);
  const settings = Object.keys(row.p || {}).map((key) => [key, settingWords(row, key)]);
  return section(
    "In short",
    facts([
      ["Sweep", row.s === undefined ? null : data.sweeps[row.s].name],
      ...settings,
      [
        "Size",
        has("size")
          ? `${value("size")}${has("size_ratio") ? `, ${value("size_ratio")} × the converted model` : ""}`
          : null,
      ],
      ["Time of all stages", has("seconds") ? value("seconds") : null],
      ["Peak memory", has("peak_memory") ? value("peak_memory") : null],
      [
        "Model",
        model &&
          `${model.id || model.path} (${model.source}${model.revision ? `, ${model.revision.slice(0, 12)}` : ""})`,
      ],
      ["Task", model && model.task],
      ["Made", has("created") ? `${value("created")} UTC, by ovrun ${pooled(details.ovrun)}` : null],
      ["Seed", details.seed === undefined ? null : String(pooled(details.seed))],
      ["Identity", details.identity && el("code", {}, details.identity)],
    ]),
  );
}

function checksSection(details) {
  const checks = details.checks.map(pooled);
  const unit = (check) => (columns.find((column) => column.id.split(/[@#]/)[0] === check.metric) || {}).unit || "";
  const number = (value, error) => (isNumber(value) ? digits(value, 4) + (error ? ` ± ${digits(error, 2)}` : "") : "–");
  const between = (ends) => (ends ? ` [${digits(ends[0], 4)}, ${digits(ends[1], 4)}]` : "");
  const verdict = (gate) =>
    gate.passed ? ["met", "✓ met"] : gate.undecided ? ["undecided", "? undecided"] : ["missed", "✗ missed"];
  const noisy = checks.some((check) => check.noise);
  const lines = checks.flatMap((check) =>
    check.gates.map((gate) => [
      check.metric,
      check.dataset,
      number(check.value, check.interval ? null : pooled(check.errors)[check.metric]) +
        between(check.interval) +
        (unit(check) ? " " + unit(check) : ""),
      number(check.reference_value) + between(check.reference_interval),
      gate.gate ? `${gate.gate.replaceAll("_", " ")} ${digits(gate.limit, 4)}` : "no gate",
      number(gate.measured) + (gate.gate === "max" || gate.gate === "min" ? "" : between(gate.interval)),
      el("span", { class: verdict(gate)[0] }, verdict(gate)[1]),
      ...(noisy ? [noiseFloor(check.noise)] : []),
    ]),
  );
  const heads = [
    ["Metric", "left"],
    ["Dataset", "left"],
    ["Value", "right"],
    ["Converted model", "right"],
    ["Gate", "left"],
    ["Measured", "right"],
    ["Result", "left"],
    ...(noisy ? [["Noise floor", "right"]] : []),
  ];
  return section(
    "Checks",
    plainTable("Checks", heads, lines),
    el("p", { class: "muted" }, "Brackets hold 95 % intervals; ± is one standard error."),
    noiseSection(checks),
    ...checks.map(flippedRows).filter(Boolean),
    ...checks.map(confusedClasses).filter(Boolean),
    ...measuredWith(checks),
  );
}

const noiseNumber = (noise, value) =>
  isNumber(value) ? (noise.kind === "difference" ? "± " : "") + digits(value, 4) : "–";

function noiseFloor(noise) {
  return noise ? noiseNumber(noise, noise.floor) + (noise.within ? ", within noise" : "") : "–";
}

// What the reference differs from itself by, in each way in which it was measured again.
function noiseSection(checks) {
  const noisy = checks.filter((check) => check.noise);
  if (!noisy.length) return null;
  const ways = [...new Set(noisy.flatMap((check) => Object.keys(check.noise.ways)))];
  const lines = noisy.map(({ metric, dataset, noise }) => [
    metric,
    dataset,
    ...ways.map((way) => noiseNumber(noise, noise.ways[way])),
    noiseFloor(noise),
  ]);
  const heads = [["Metric", "left"], ["Dataset", "left"], ...[...ways, "Noise floor"].map((way) => [way, "right"])];
  return el(
    "details",
    {},
    el("summary", {}, "What the reference differs from itself by"),
    plainTable("Noise", heads, lines),
  );
}

// The rows that are worse with the model than with its reference.
function flippedRows(check) {
  const flipped = pooled(check.flipped);
  if (!flipped || !(flipped.worse || flipped.better)) return null;
  const score = (value) => (isNumber(value) ? digits(value, 4) : "–");
  const lines = flipped.rows.map((row) => [String(row.row), score(row.reference), score(row.model)]);
  const heads = [
    ["Row", "right"],
    ["Reference", "right"],
    ["Model", "right"],
  ];
  const title = `Rows that flipped: ${check.metric} on ${check.dataset}`;
  return el(
    "details",
    {},
    el("summary", {}, `${title}: ${flipped.worse} worse, ${flipped.better} better of ${check.rows}`),
    lines.length ? plainTable(title, heads, lines) : null,
  );
}

// How often each class was taken for each other.
function confusedClasses(check) {
  const matrix = pooled(check.confusion);
  if (!matrix) return null;
  const heads = [["Label", "right"], ...matrix.map((_, given) => [`given ${given}`, "right"])];
  const lines = matrix.map((counts, label) => [String(label), ...counts.map(String)]);
  const title = `Confusion matrix: ${check.metric} on ${check.dataset}`;
  return el("details", {}, el("summary", {}, title), plainTable(title, heads, lines));
}

// All numbers of each evaluation and its protocol, once each.
function measuredWith(checks) {
  const seen = new Map(checks.map((check) => [`${check.dataset} ${check.values} ${check.protocol}`, check]));
  return [...seen.values()].map((check) => {
    const values = Object.entries(pooled(check.values)).map(([key, value]) => [
      key,
      isNumber(value) ? digits(value, 6) : String(value),
    ]);
    const protocol = flatten(pooled(check.protocol), "");
    return el(
      "details",
      {},
      el("summary", {}, `All that was measured with ${check.metric} on ${check.dataset}, and how`),
      facts([...values, ...protocol]),
    );
  });
}

function flatten(value, prefix) {
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return [[prefix, value === null ? null : settingText(value)]];
  return Object.entries(value).flatMap(([key, item]) => flatten(item, prefix ? `${prefix}.${key}` : key));
}

function stagesSection(details) {
  const stages = details.stages.map(pooled);
  const longest = Math.max(...stages.map((stage) => stage.seconds));
  const bar = (stage) =>
    svg(
      "svg",
      { class: "bar", width: 100, height: 10, "aria-hidden": "true" },
      svg("rect", { width: Math.max(1, (100 * stage.seconds) / (longest || 1)), height: 10, rx: 2 }),
    );
  const heads = [
    ["Stage", "left"],
    ["Time", "right"],
    ["", "left wide"],
    ["CPU time", "right"],
    ["Peak memory", "right"],
    ["Ran", "left"],
    ["Key", "left"],
  ];
  return section(
    "Stages",
    plainTable(
      "Stages",
      heads,
      stages.map((stage) => [
        [stage.label, stage.notes.map((note) => el("span", { class: "reason" }, "Note: " + note))],
        seconds(stage.seconds),
        bar(stage),
        seconds(stage.cpu_seconds),
        bytes(stage.peak_memory),
        date(stage.created),
        el("code", {}, stage.key),
      ]),
    ),
    el(
      "p",
      { class: "muted" },
      "Times are those of the run that did the work; stages that several models share are counted for each.",
    ),
  );
}

const folder = (row) => data.base + row.id.split("/").map(encodeURIComponent).join("/") + "/";

function recipeSection(row, details) {
  return section(
    "Recipe",
    el(
      "p",
      { class: "muted" },
      "As resolved, without presets; ",
      el("a", { href: folder(row) + "recipe.yaml" }, "recipe.yaml"),
      " runs again by itself.",
    ),
    el("pre", { tabindex: 0, "aria-label": "recipe" }, details.recipe.map(pooled).join("")),
  );
}

function filesSection(row, details) {
  const lines = details.files
    .map(pooled)
    .map(([file, size, digest]) => [
      el("a", { href: folder(row) + file.split("/").map(encodeURIComponent).join("/") }, file),
      bytes(size),
      el("code", { title: digest }, digest.slice(0, 16) + "…"),
    ]);
  lines.push([
    el("a", { href: folder(row) + "manifest.json" }, "manifest.json"),
    "–",
    "has the digests of the others in full",
  ]);
  return section(
    "Files",
    plainTable(
      "Files",
      [
        ["File", "left"],
        ["Size", "right"],
        ["SHA-256", "left"],
      ],
      lines,
    ),
  );
}

function environmentSection(details) {
  const hardware = pooled(details.hardware);
  const datasets = Object.entries(pooled(details.datasets)).map(([key, value]) => [
    `Dataset ${key}`,
    `${value.source}, SHA-256 ${value.sha256.slice(0, 16)}…`,
  ]);
  return section(
    "Made with",
    facts([
      ["CPU", `${hardware.cpu}, ${hardware.cores} cores`],
      ["CPU flags", hardware.cpu_flags.join(" ")],
      ["Memory", bytes(hardware.memory)],
      ["System", `${hardware.system}, Python ${hardware.python}`],
      ...datasets,
      ...Object.entries(pooled(details.libraries)),
    ]),
  );
}
