// Draws the charts of the console from /console/figures, and renews them and the status every few seconds.

const EVERY_MS = 5000, HEIGHT = 180, LEFT = 56, RIGHT = 8, TOP = 8, BOTTOM = 22, COLOURS = 8, ROWS = 12;
const STEPS_S = [10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800];
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const UNITS = {
  "records": (value) => compact.format(value),
  "per second": (value) => compact.format(value),
  "seconds": (value) => (value >= 1 || value === 0 ? `${compact.format(value)} s` : `${compact.format(value * 1000)} ms`),
  "nats": (value) => value.toFixed(4),
  "share": (value) => `${(value * 100).toFixed(1)} %`,
  "yes or no": (value) => (value ? "yes" : "no"),
};
const charts = document.getElementById("charts");
let figures = { times_s: [], charts: {} }, isPaused = false;

function element(name, attributes, ...children) {
  const isDrawn = ["svg", "path", "line", "text"].includes(name);
  const made = isDrawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function clock(time_s, span_s) {
  const text = new Date(time_s * 1000).toISOString();
  return span_s > 86400 ? text.slice(5, 10) : span_s > 600 ? text.slice(11, 16) : text.slice(11, 19);
}

function ticks(low, high) {
  const raw = (high - low) / 3 || Math.abs(high) || 1, base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * base).find((found) => found >= raw * 0.999);
  const first = Math.floor(low / step + 1e-9), last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
}

function style(at) {
  return `s${at % COLOURS}${at >= COLOURS ? " dashed" : ""}`;
}

function path(values, x, y) {
  let drawn = "", isDown = false;
  values.forEach((value, at) => {
    if (value !== null) drawn += `${isDown ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${isDown ? "" : "h0"}`;
    isDown = value !== null;
  });
  return drawn;
}

function plot(title, lines, times, unit, width) {
  const all = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const base = unit === "nats" ? all : [...all, 0], marks = unit === "yes or no" ? [0, 1] : ticks(Math.min(...base), Math.max(...base));
  const [low, high, start, end] = [marks[0], marks.at(-1), times[0], times.at(-1)], span = Math.max(end - start, 1);
  const x = (at) => LEFT + ((times[at] - start) / span) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${title}: chart; the values follow` });
  for (const mark of marks) {
    svg.append(element("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark) }));
    svg.append(element("text", { x: LEFT - 6, y: y(mark) + 4, "text-anchor": "end" }, UNITS[unit](mark)));
  }
  const step = STEPS_S.find((found) => span / found <= width / 80) || 604800;
  for (let time = Math.ceil(start / step) * step; time <= end; time += step) {
    const at = LEFT + ((time - start) / span) * (width - LEFT - RIGHT);
    if (at < width - 20) svg.append(element("text", { x: at, y: HEIGHT - 5, "text-anchor": "middle" }, clock(time, span)));
  }
  lines.forEach((line, at) => svg.append(element("path", { class: style(at), d: path(line.values, x, y) })));
  return svg;
}

function legend(list, lines, unit, values, when) {
  list.replaceChildren(...lines.map((line, at) => {
    const swatch = element("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, element("line", { class: style(at), x1: 1, x2: 23, y1: 5, y2: 5 }));
    return element("li", {}, swatch, element("span", {}, line.name), element("b", {}, values[at] === null ? "–" : UNITS[unit](values[at])));
  }), ...(when ? [element("li", { class: "fine" }, `at ${when} UTC`)] : []));
}

function table(lines, times, unit) {
  const stride = Math.max(1, Math.ceil(times.length / ROWS)), span = times.at(-1) - times[0];
  const head = element("tr", {}, ...["Time (UTC)", ...lines.map((line) => line.name)].map((name, at) => element("th", { scope: "col", class: at ? "number" : "" }, name)));
  const rows = [];
  for (let at = times.length - 1; at >= 0; at -= stride) {
    const cells = lines.map(({ values }) => element("td", { class: "number" }, values[at] === null ? "–" : UNITS[unit](values[at])));
    const time = new Date(times[at] * 1000).toISOString();
    rows.push(element("tr", {}, element("th", { scope: "row" }, span > 86400 ? time.slice(5, 16).replace("T", " ") : time.slice(11, 19)), ...cells));
  }
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

function draw(figure) {
  const lines = figures.charts[figure.dataset.chart] || [], unit = figure.dataset.unit, times = figures.times_s;
  const place = figure.querySelector(".plot"), list = figure.querySelector(".legend"), details = figure.querySelector("details");
  figure.querySelector(".empty").hidden = lines.length > 0;
  details.hidden = list.hidden = lines.length === 0;
  place.replaceChildren();
  if (!lines.length) return;
  const width = Math.max(place.clientWidth, 240), svg = plot(figure.querySelector("h3").textContent, lines, times, unit, width);
  place.append(svg);
  const newest = lines.map(({ values }) => values.at(-1) ?? values.at(-2) ?? null);
  legend(list, lines, unit, newest);
  details.querySelector("div").replaceChildren(details.open ? table(lines, times, unit) : "");
  const cursor = element("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), share = ((event.clientX - box.left) / box.width * width - LEFT) / (width - LEFT - RIGHT);
    const wanted = times[0] + share * (times.at(-1) - times[0]);
    const at = times.reduce((best, time, now) => (Math.abs(time - wanted) < Math.abs(times[best] - wanted) ? now : best), 0);
    const place_x = LEFT + (times[at] - times[0]) / Math.max(times.at(-1) - times[0], 1) * (width - LEFT - RIGHT);
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, place_x);
    svg.append(cursor);
    legend(list, lines, unit, lines.map(({ values }) => values[at]), clock(times[at], 1));
  });
  svg.addEventListener("pointerleave", () => { cursor.remove(); legend(list, lines, unit, newest); });
}

async function ask(address) {
  const answer = await fetch(address);
  if (answer.status === 401) location.assign("/console/login");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer;
}

async function renew() {
  const problem = document.getElementById("problem");
  try {
    figures = await (await ask(`/console/figures?span=${charts.dataset.span}`)).json();
    const parts = new DOMParser().parseFromString(await (await ask("/console/status")).text(), "text/html");
    for (const part of parts.body.children) document.getElementById(part.id).replaceChildren(...part.childNodes);
    problem.textContent = figures.problem;
  } catch (error) {
    problem.textContent = `The service does not answer (${error.message}). The figures below are old.`;
  }
  drawAll();
}

function drawAll() {
  if (!charts.querySelector("svg:hover")) charts.querySelectorAll("figure").forEach(draw);
}

async function turn() {
  if (!isPaused && !document.hidden) await renew();
  setTimeout(turn, EVERY_MS);
}

document.getElementById("pause").addEventListener("click", (event) => {
  isPaused = !isPaused;
  event.target.setAttribute("aria-pressed", isPaused);
});
charts.addEventListener("toggle", (event) => draw(event.target.closest("figure")), true);
addEventListener("resize", drawAll);
turn();
