// The response-time chart, drawn from the table that stands below it: the table is the truth, this is a view of it.
const colour = (element) => getComputedStyle(element).backgroundColor;
let plot = null;

function readTable(table) {
  const heads = [...table.querySelectorAll("thead th")];
  const drawn = heads.flatMap((cell, place) => ("phase" in cell.dataset ? [place - 1] : []));
  const names = drawn.map((place) => heads[place + 1].textContent.replace(/ (p\d\d )?ms$/, ""));
  const number = (cell) => (cell.textContent === "" ? null : Number(cell.textContent));
  const rows = [...table.tBodies[0].rows].map((row) => {
    const cells = [...row.querySelectorAll("td")].map(number);
    const [checks, failed, p50, p95, p99] = cells;
    const phases = drawn.map((place) => cells[place]);
    return { at: Number(row.dataset.at), label: row.cells[0].textContent, checks, failed, p50, p95, p99, phases };
  });
  const { measure, usual } = table.dataset;
  return { names, rows, measure, usual: usual ? Number(usual) : null };
}

// Bars are stacked by drawing the highest sum first; a bucket with failures is drawn in the down colour, and a gap stays a gap.
function stack({ names, rows, measure }) {
  const sums = names.map(() => []);
  const failed = [];
  const isStacked = measure === "mean";
  const tops = rows.map((row) => (isStacked && row.phases.some((value) => value) ? row.phases.reduce((sum, value) => sum + (value ?? 0), 0) : row.p50 ?? 0));
  const floor = Math.max(1, ...tops) * 0.08;
  rows.forEach((row, place) => {
    let sum = 0;
    names.forEach((_, phase) => { sum += row.phases[phase] ?? 0; sums[phase].push(!row.checks ? null : isStacked ? sum : row.phases[phase]); });
    failed.push(row.failed ? Math.max(tops[place], floor) : null);
  });
  return { sums, failed, whole: rows.map((row) => (row.checks ? row[isStacked ? "p95" : measure] : null)) };
}

const shown = (value) => (value === null || value === undefined ? "–" : value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`);

function draw(section) {
  const holder = section.querySelector(".chart");
  const table = section.querySelector("[data-chart]");
  const data = readTable(table);
  if (!data.rows.some((row) => row.checks) || !window.uPlot) return;
  holder.hidden = false;
  plot?.destroy();
  const ink = document.createElement("i");
  const rule = document.createElement("i");
  ink.className = "swatch ink"; rule.className = "swatch grid";
  section.querySelector(".legend").append(ink, rule);
  const [inkColour, ruleColour] = [colour(ink), colour(rule)];
  ink.remove(); rule.remove();
  const swatch = (selector) => colour(section.querySelector(`.legend ${selector}`));
  const { sums, failed, whole } = stack(data);
  const isStacked = data.measure === "mean";
  const bars = window.uPlot.paths.bars({ size: [0.82, 40, 1], align: 1 });
  const line = window.uPlot.paths.linear();
  const layers = sums.map((values, phase) => ({ values, colour: swatch(`.${isStacked ? "phase" : "line"}-${phase}`) })).reverse();
  const bare = { points: { show: false }, width: 0, paths: bars };
  // Percentiles of phases do not add up, so each is a line; a lone point between gaps is a dot.
  const isLone = (values) => values.flatMap((value, place) => (value != null && values[place - 1] == null && values[place + 1] == null ? [place] : []));
  const lined = (stroke, values) => ({ stroke, width: 1.75, spanGaps: false, paths: line, points: { show: true, size: 5, fill: stroke, filter: () => isLone(values) } });
  const usual = data.usual === null ? [] : [data.rows.map(() => data.usual)];
  const usualLook = data.usual === null ? [] : [{ stroke: swatch(".usual"), width: 1.5, dash: [8, 5], points: { show: false }, paths: line }];
  const local = document.documentElement.dataset.times === "local";
  const readout = section.querySelector(".readout");
  const tell = (place) => {
    const row = data.rows[place];
    if (!row) { readout.textContent = ""; return; }
    const parts = data.names.map((name, phase) => `${name} ${shown(row.phases[phase])}`);
    const head = document.createElement("b");
    head.textContent = row.label;
    const rest = row.checks ? ` · p50 ${shown(row.p50)}, p95 ${shown(row.p95)}${row.failed ? ` · ${row.failed} of ${row.checks} failed` : ""}${parts.length ? ` · ${parts.join(", ")}` : ""}` : " · not checked";
    readout.replaceChildren(head, rest);
  };
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: local ? undefined : "UTC" });
  const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: local ? undefined : "UTC" });
  const isLong = data.rows.at(-1).at - data.rows[0].at > 2 * 86400;
  const axis = { stroke: inkColour, grid: { stroke: ruleColour, width: 1 }, ticks: { show: false }, font: "11px Inter, system-ui, sans-serif" };
  plot = new window.uPlot({
    width: holder.clientWidth, height: 220, padding: [12, 18, 0, 0], legend: { show: false },
    tzDate: local ? undefined : (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
    scales: { x: { range: (_, low, high) => [low, high + (high - low) / Math.max(1, data.rows.length - 1)] }, y: { range: (_, __, high) => [0, Math.max(1, high * 1.08)] } },
    axes: [{ ...axis, grid: { show: false }, size: 28, space: 64, values: (_, splits) => splits.map((at) => (isLong ? date : clock).format(at * 1000)) }, { ...axis, size: 52, values: (_, values) => values.map((value) => (value ? shown(value) : "0")) }],
    series: [{}, ...(isStacked ? layers.map((layer) => ({ ...bare, fill: layer.colour })) : []), { ...bare, fill: swatch(".failed") }, ...(isStacked ? [] : layers.map((layer) => lined(layer.colour, layer.values))), { stroke: swatch(".p95"), width: 1.5, dash: [2, 3], points: { show: false }, spanGaps: false, paths: line }, ...usualLook],
    hooks: { setCursor: [(chart) => tell(chart.cursor.idx)] },
  }, [data.rows.map((row) => row.at), ...(isStacked ? layers.map((layer) => layer.values) : []), failed, ...(isStacked ? [] : layers.map((layer) => layer.values)), whole, ...usual], holder);
  holder.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const last = data.rows.length - 1;
    const place = Math.min(last, Math.max(0, (plot.cursor.idx ?? last + (step < 0 ? 1 : 0)) + step));
    plot.setCursor({ left: plot.valToPos(data.rows[place].at, "x") + 1, top: 10 });
  };
}

function drawAll() { document.querySelectorAll("[data-times-of]").forEach(draw); }
// The times section is fetched anew every half minute while the page is looked at; the chart follows its table.
setInterval(async () => {
  const section = document.getElementById("times");
  if (!section || document.hidden || section.matches(":hover") || section.contains(document.activeElement)) return;
  await window.htmx.ajax("GET", location.pathname + location.search, { target: "#times", select: "#times", swap: "outerMorph", selectOOB: "#past:outerMorph" });
  drawAll();
}, 30000);
document.addEventListener("lifesign:theme", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawAll(); } });
document.fonts.ready.then(drawAll);
