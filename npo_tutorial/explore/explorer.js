// Draws an Explorer: looks up the numbers of the chosen grid point and maps them to pixels.
// Works wherever an anywidget does: with a kernel, or mounted in a static page by mount.js.
//
// kinds.py puts two tables in front of it: KINDS (of each kind of curve its channels, its sample in the legend and its
// words, in the order of drawing) and DASHES (of each look). chart.py has the schema of the chart.

const SVG = "http://www.w3.org/2000/svg";
// the sizes below are for letters this high, in pixels; a reader may have set larger ones
const LETTER = 12;
// a slider with at most this many stops shows them, and their values if these fit a line of this many characters
const STOPS = 12;
const LABELS = 24;
// symbols of points, by look: no two curves differ by colour alone
const SHAPES = [
  "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  "m-3.5-3.5h7v7h-7z",
  "m0-5l5 9h-10z",
  "m0-5.5l5 5.5-5 5.5-5-5.5z",
  "m0 5l5-9h-10z",
  "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
];
const WORDS = {
  en: {
    play: "Play",
    pause: "Pause",
    reset: "Reset",
    log: "log scale",
    linear: "Linear axes",
    colon: ": ",
    stop: ". ",
    comma: ", ",
    interval: (lo, hi) => `from ${lo} to ${hi}`,
  },
  zh: {
    play: "播放",
    pause: "暂停",
    reset: "重置",
    log: "对数刻度",
    linear: "线性坐标轴",
    colon: "：",
    stop: "。",
    comma: "、",
    interval: (lo, hi) => `从 ${lo} 到 ${hi}`,
  },
};

function create(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "g", "path", "text"].includes(tag);
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    // a page's policy may forbid styles in attributes
    if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A number in words: four digits, or enough to tell ticks apart at distance `step`.
function written(value, step) {
  if (value === 0) return "0";
  const exponentOf = (v) => Math.floor(Math.log10(Math.abs(v)) + 1e-9);
  const exponent = exponentOf(value);
  const digits = step ? Math.max(1, exponent - exponentOf(step) + 1) : Math.max(4, exponent + 1);
  if (exponent <= 4 && exponent >= -3) {
    const text = step ? value.toFixed(Math.max(0, digits - 1 - exponent)) : String(+value.toPrecision(digits));
    return text.replace("-", "−");
  }
  const mantissa = String(+(value / 10 ** exponent).toPrecision(step ? Math.min(digits, 15) : 4));
  const raised = String(exponent).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  return `${mantissa}×10${raised}`.replace(/^(-?)1×/, "$1").replace("-", "−");
}

// About `most` ticks at most, and two at least, between two limits on the axis' scale: [[position, text], …].
function linearTicks([lo, hi], most) {
  const rough = (hi - lo) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [0.5, 1, 2, 5, 10].map((digit) => digit * power);
  const ticksAt = (step) => {
    const ticks = [];
    for (let i = Math.ceil(lo / step - 1e-9); i <= hi / step + 1e-9; i++) ticks.push([i * step, written(i * step, step)]);
    return ticks;
  };
  const k = steps.findIndex((step) => step >= 0.999 * rough);
  const ticks = ticksAt(steps[k]);
  // one number alone would not tell the scale
  return ticks.length > 1 ? ticks : ticksAt(steps[k - 1]);
}
function logTicks([lo, hi], most) {
  const every = Math.ceil((hi - lo) / most);
  const digits = hi - lo < most / 2.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let exponent = Math.floor(lo); exponent <= hi; exponent++) {
    for (const digit of exponent % every ? [] : digits) {
      const at = exponent + Math.log10(digit);
      if (at >= lo - 1e-9 && at <= hi + 1e-9) ticks.push([at, written(digit * 10 ** exponent)]);
    }
  }
  if (ticks.length > 1) return ticks;
  return linearTicks([10 ** lo, 10 ** hi], most).map(([value, text]) => [Math.log10(value), text]);
}
const SCALES = {
  linear: { from: (v) => v, to: (v) => v, ticks: linearTicks },
  log: { from: (v) => 10 ** v, to: Math.log10, ticks: logTicks },
};

// A function from the number of a grid point to each panel's curves' channels, each number on the scale of its axis.
function reader(model, panels, frames) {
  const packed = model.get("numbers");
  const ranges = model.get("ranges");
  const numbers = new Uint16Array(packed.byteLength / 2);
  // differences modulo 65536, high bytes before low bytes
  for (let i = 0, last = 0; i < numbers.length; i++) {
    last = (last + 256 * packed.getUint8(i) + packed.getUint8(numbers.length + i)) & 65535;
    numbers[i] = last;
  }
  const found = panels.map(({ curves }) =>
    curves.map(({ kind, length }) => Array.from(KINDS[kind].channels, () => new Float64Array(length))));
  const channels = found.flat(2);
  const perFrame = channels.reduce((sum, channel) => sum + channel.length, 0);
  // an incomplete state would be drawn as curves that were never computed
  if (numbers.length !== frames * perFrame || ranges.byteLength !== 16 * frames * channels.length)
    throw new Error("the numbers do not fit the grids");
  return (frame) => {
    let start = frame * perFrame;
    channels.forEach((channel, c) => {
      const at = 16 * (frame * channels.length + c);
      const lo = ranges.getFloat64(at, true);
      const unit = (ranges.getFloat64(at + 8, true) - lo) / 65535;
      for (let i = 0; i < channel.length; i++) channel[i] = lo + unit * numbers[start + i];
      start += channel.length;
    });
    return found;
  };
}

const looks = ({ kind, look }) => ({
  class: `npo-curve npo-${kind}`,
  style: `--npo-color: var(--npo-curve-${look})`,
  "stroke-dasharray": kind === "points" ? "none" : DASHES[look] || "none",
});

// The path of each kind of curve, from its channels; `at` maps numbers to pixels.
const lineOf = (at, xs, ys) => Array.from(ys, (y, k) => `${at.x(xs[k])} ${at.y(y)}`);
const PATHS = {
  line: ([ys], at) => `M${lineOf(at, at.shared, ys).join("L")}`,
  path: ([xs, ys], at) => `M${lineOf(at, xs, ys).join("L")}`,
  band: ([lower, upper], at) => {
    const edges = [...lineOf(at, at.shared, lower), ...lineOf(at, at.shared, upper).reverse()];
    return `M${edges.join("L")}Z`;
  },
  marker: ([xs], at) => `M${at.x(xs[0])} 0V${at.height}`,
  points: ([xs, ys], at, look) => lineOf(at, xs, ys).map((point) => `M${point}${SHAPES[look]}`).join(""),
};
const LAYERS = Object.keys(KINDS).filter((kind) => PATHS[kind]);
const extreme = (row, pick) => row.reduce((a, b) => pick(a, b));
// what the words of a kind may say of a channel
const FACTS = {
  first: (row) => row[0],
  last: (row) => row[row.length - 1],
  min: (row) => extreme(row, Math.min),
  max: (row) => extreme(row, Math.max),
};

// One panel: axes and curves. `draw` takes the number of a grid point, its curves' channels, its parameters in words.
function chartOf(panel, { model, images, id, title, lang, words, inLanguage }) {
  const { curves } = panel;
  const scales = { x: SCALES[panel.x.scale], y: SCALES[panel.y.scale] };
  const sharedX = Float64Array.from(panel.x.values, scales.x.to);
  const paths = curves.map((curve) => create("path", looks(curve)));
  const axes = create("g");
  const layered = LAYERS.flatMap((kind) => paths.filter((_, i) => curves[i].kind === kind));
  const plot = create("svg", { class: "npo-plot" }, ...layered);
  const yLabel = create("div", { class: "npo-y-label", id: `${id}-y` }, inLanguage(panel.y.label));
  const text = create("p", { class: "npo-text", id: `${id}-text` });
  const names = { "aria-labelledby": `${title.id} ${yLabel.id}`, "aria-describedby": text.id };
  const picture = create("svg", { class: "npo-chart", role: "img", ...names }, axes, plot);
  const xLabel = create("div", { class: "npo-x-label" }, inLanguage(panel.x.label));
  const element = create("div", { class: "npo-panel" }, yLabel, picture, xLabel, text);
  const pictures = curves.map(({ kind }) =>
    kind === "images" ? images.map((src) => create("img", { src, alt: "" })) : []);
  const rows = curves.flatMap(({ kind, label }, i) => {
    const heading = create("div", {}, inLanguage(label));
    return kind === "images" ? create("div", { class: "npo-images" }, heading, ...pictures[i]) : [];
  });

  let width = 0;
  let left = 0;
  // how many times larger than usual the letters are
  let unit = 1;
  let box, axesShown, at;
  // a position on an axis → a pixel, to a hundredth; positions far outside stay within a browser's limits
  const pixels = ([lo, hi], start, end) => (at) =>
    Math.round(100 * Math.min(1e6, Math.max(-1e6, start + ((at - lo) / (hi - lo)) * (end - start)))) / 100;
  const isLinear = () => model.get("linear") && panel.linear;
  // an axis as it is drawn, on its own scale or linearly; `at` makes positions of the state's numbers
  const axisOf = (name, limits) =>
    isLinear()
      ? { limits, at: scales[name].from, ticks: linearTicks }
      : { limits: limits.map(scales[name].to), at: (v) => v, ticks: scales[name].ticks };

  function drawAxes(limits) {
    const x = axisOf("x", limits.x);
    const y = axisOf("y", limits.y);
    const height = Math.round(Math.min(360 * unit, Math.max(220 * unit, 0.55 * width)));
    const yTicks = y.ticks(y.limits, height / (50 * unit));
    // never narrower than before, or the plot would jump from one grid point to the next
    left = Math.max(left, unit * (10 + 7.5 * Math.max(...yTicks.map(([, words]) => words.length))));
    box = { width: Math.max(40, width - left - 16), height: height - 32 * unit };
    const xTicks = x.ticks(x.limits, Math.max(2.5, box.width / (70 * unit)));
    const [xPixel, yPixel] = [pixels(x.limits, 0, box.width), pixels(y.limits, box.height, 0)];
    at = { x: (v) => xPixel(x.at(v)), y: (v) => yPixel(y.at(v)), shared: sharedX, height: box.height };
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const [name, value] of Object.entries({ x: left, y: 8, ...box })) plot.setAttribute(name, value);
    axes.setAttribute("transform", `translate(${left} 8)`);
    const rules = [
      ...xTicks.map(([tick]) => `M${xPixel(tick)} 0V${box.height}`),
      ...yTicks.map(([tick]) => `M0 ${yPixel(tick)}H${box.width}`),
    ];
    axes.replaceChildren(
      create("path", { class: "npo-grid", d: rules.join("") }),
      create("path", { class: "npo-frame", d: `M0 0V${box.height}H${box.width}` }),
      ...xTicks.map(([tick, label]) =>
        create("text", { x: xPixel(tick), y: box.height + 18 * unit, "text-anchor": "middle" }, label)),
      ...yTicks.map(([tick, label]) =>
        create("text", { x: -7 * unit, y: yPixel(tick) + 4 * unit, "text-anchor": "end" }, label)),
    );
  }

  function inWords({ kind }, channels) {
    const axes = KINDS[kind].channels;
    const say = (c, v) => (scales[axes[c]] ? written(scales[axes[c]].from(v)) : v.toFixed(2));
    const template = KINDS[kind].words[lang] ?? KINDS[kind].words.en;
    return template.replace(/{(?:(\d)\.)?(\w+)}/g, (_, c, fact) => {
      if (fact === "n") return channels[0].length;
      if (fact === "each") return Array.from(channels[c], (v) => say(c, v)).join(words.comma);
      return say(c, FACTS[fact](channels[c]));
    });
  }

  function draw(frame, found, settings) {
    const ofFrame = isLinear() ? panel.linear : { x: panel.x.limits, y: panel.y.limits };
    const limits = { x: ofFrame.x, y: ofFrame.y[ofFrame.y.length > 1 ? frame : 0] };
    const ranges = ["x", "y"].map((axis) => {
      const ends = limits[axis].map((limit) => written(limit));
      return `${inLanguage(panel[axis].label)}${words.colon}${words.interval(...ends)}`;
    });
    const described = curves.map((curve, i) => `${inLanguage(curve.label)}${words.colon}${inWords(curve, found[i])}`);
    text.textContent = [...settings, ...ranges, ...described].join(words.stop) + words.stop;
    if (!width) return;
    if (axesShown !== limits.y) drawAxes(limits);
    axesShown = limits.y;
    curves.forEach((curve, i) => {
      if (PATHS[curve.kind]) paths[i].setAttribute("d", PATHS[curve.kind](found[i], at, curve.look));
      // never invisible: an empty place would look like a fault
      pictures[i].forEach((picture, k) => (picture.style.opacity = 0.1 + 0.9 * found[i][0][k]));
    });
  }

  // tick labels of another length need other room
  function relay() {
    left = 0;
    axesShown = undefined;
  }
  // returns whether the width or the letters have changed
  function resize() {
    const available = Math.floor(yLabel.getBoundingClientRect().width);
    const letters = parseFloat(getComputedStyle(picture).fontSize) / LETTER;
    if (!available || (available === width && letters === unit)) return false;
    [width, unit] = [available, letters];
    relay();
    return true;
  }
  return { element, yLabel, rows, draw, resize, relay };
}

// Texts in pieces, over each piece its strength in per cent. `show` takes the number of a grid point.
function passagesOf({ label, titles, pieces, texts, frames, longest }, { id, words, inLanguage }) {
  const places = titles.map(() => create("dd"));
  const entries = titles.flatMap((title, i) => [create("dt", {}, inLanguage(title)), places[i]]);
  const caption = create("p", { class: "npo-caption", id }, inLanguage(label));
  const list = create("dl", {}, ...entries);
  const element = create("div", { class: "npo-passages", role: "group", "aria-labelledby": id }, caption, list);
  let shown = [];

  // invisible characters get a mark
  const visible = (piece) => piece.replace(/\r?\n|\r/g, "↵").replace(/^\s+$/, (blank) => "␣".repeat(blank.length));
  function pieceOf(piece, strength) {
    const parts = [create("span", { class: "npo-strength" }, String(strength)), create("span", {}, visible(piece))];
    const drawn = create("span", { class: "npo-piece", style: `--npo-strength: ${strength}%` }, ...parts);
    return /^\s/.test(piece) ? [" ", drawn] : [drawn];
  }
  function fill(place, number) {
    const [chosen, strengths] = texts[number];
    const text = chosen.map((i) => pieces[i]);
    place.replaceChildren(
      // a screen reader reads words, not pieces, and the numbers after them
      create("p", { class: "npo-said" }, text.join("")),
      create("p", { class: "npo-said" }, strengths.join(words.comma)),
      create("p", { "aria-hidden": "true" }, ...text.flatMap((piece, k) => pieceOf(piece, strengths[k]))),
    );
  }
  function show(frame) {
    const numbers = frames.slice(frame * titles.length, (frame + 1) * titles.length);
    numbers.forEach((number, i) => number === shown[i] || fill(places[i], number));
    shown = numbers;
  }
  // room for the longest text, as for the longest sentence
  function resize() {
    shown = longest;
    places.forEach((place, i) => {
      place.style.minHeight = "";
      fill(place, longest[i]);
    });
    const heights = places.map((place) => place.offsetHeight);
    places.forEach((place, i) => (place.style.minHeight = `${heights[i]}px`));
  }
  return { element, show, resize };
}

// A grid of numbers: a slider. `show` puts it to a position.
function sliderOf(grid, { id, words, inLanguage, valueOf, choose }) {
  const last = grid.values.length - 1;
  const input = create("input", { type: "range", min: 0, max: last, step: 1, id, name: id });
  const output = create("output", { for: id });
  input.addEventListener("input", () => choose(Number(input.value)));
  const values = grid.values.map((_, i) => valueOf(i));
  const ends = [values[0], grid.scale === "log" ? words.log : "", values[last]];
  // a slider of few stops jumps: it shows where to, and if there is room, each value
  const stops = last && values.length <= STOPS ? values.map(() => create("i")) : [];
  const named = stops.length && values.join("  ").length <= LABELS;
  const below = named ? stops.map((stop, i) => create("i", {}, create("span", {}, values[i]))) : stops;
  const element = create(
    "div",
    { class: "npo-control" },
    create("label", { for: id }, inLanguage(grid.label)),
    output,
    input,
    create("div", { class: "npo-stops", "aria-hidden": "true" }, ...below),
    ...(named ? [] : [create("div", { class: "npo-ends", "aria-hidden": "true" }, ...ends.map((end) => create("span", {}, end)))]),
  );
  function show(position) {
    input.value = position;
    input.setAttribute("aria-valuetext", valueOf(position));
    output.textContent = valueOf(position);
  }
  return { element, inputs: [input], show };
}

// A grid of names: a row of buttons, of which one is chosen.
function choiceOf(grid, { id, inLanguage, valueOf, choose }) {
  const inputs = grid.values.map((value, i) => {
    const input = create("input", { type: "radio", name: id, value });
    input.addEventListener("input", () => choose(i));
    return input;
  });
  const options = inputs.map((input, i) => create("label", {}, input, create("span", {}, valueOf(i))));
  const legend = create("legend", {}, inLanguage(grid.label));
  const element = create("fieldset", { class: "npo-choice" }, legend, create("div", {}, ...options));
  const show = (position) => (inputs[position].checked = true);
  return { element, inputs, show };
}

function render({ model, el }) {
  const chart = model.get("chart");
  const { grids } = chart;
  const panels = chart.beside ? [chart, chart.beside] : [chart];
  const read = reader(model, panels, grids.reduce((product, { values }) => product * values.length, 1));
  // its own language first: the page of a notebook has that of the interface
  const own = model.get("language");
  const lang = own || (el.closest("[lang]")?.lang || "en").split("-")[0];
  const words = WORDS[lang] ?? WORDS.en;
  const inLanguage = (text) => (typeof text === "string" ? text : (text[lang] ?? text.en));
  const sentences = chart.sentences.map(inLanguage);
  const valueOf = (grid, i) => (grid.names ? inLanguage(grid.names[i]) : written(grid.values[i]));
  const id = `npo-${Math.random().toString(36).slice(2, 10)}`;

  const title = create("div", { class: "npo-title", id: `${id}-title` }, inLanguage(chart.title));
  const charts = panels.map((panel, i) =>
    chartOf(panel, { model, images: chart.images, id: `${id}-panel-${i}`, title, lang, words, inLanguage }));
  const coloured = panels.flatMap(({ curves }) => curves.filter(({ kind }) => PATHS[kind]));
  const legend = [...new Set(coloured.map(({ look }) => look))].map((look) => {
    const alike = LAYERS.flatMap((kind) => coloured.filter((curve) => curve.look === look && curve.kind === kind));
    // each shape once, if curves of one name are of different kinds
    const samples = new Map(alike.map((curve) => [KINDS[curve.kind].sample || `M16 8${SHAPES[look]}`, curve]));
    const drawn = Array.from(samples, ([d, curve]) => create("path", { ...looks(curve), d }));
    const sample = create("svg", { class: "npo-sample", viewBox: "0 0 32 16", "aria-hidden": "true" }, ...drawn);
    return create("li", {}, sample, inLanguage(alike[0].label));
  });
  const sentence = create("p", { class: "npo-sentence", "aria-live": "polite" });
  const passages = chart.passages && passagesOf(chart.passages, { id: `${id}-passages`, words, inLanguage });

  function move(k, position) {
    model.set("index", model.get("index").map((old, j) => (j === k ? position : old)));
    model.save_changes();
  }
  const controls = grids.map((grid, k) => {
    const choose = (position) => {
      if (grid.name === chart.animate) pause();
      move(k, position);
    };
    const options = { id: `${id}-${k}`, words, inLanguage, valueOf: (i) => valueOf(grid, i), choose };
    const control = grid.names ? choiceOf(grid, options) : sliderOf(grid, options);
    // JupyterLab takes the arrow keys unless the focused element itself says otherwise
    for (const input of control.inputs) input.dataset.lmSuppressShortcuts = "true";
    return control;
  });
  const choices = controls.filter((_, k) => grids[k].names);
  const sliders = controls.filter((_, k) => !grids[k].names);
  const elements = (parts) => parts.map(({ element }) => element);

  let timer;
  const play = create("button", { type: "button", class: "npo-play" }, words.play);
  const reset = create("button", { type: "button", class: "npo-reset" }, words.reset);
  function pause() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = words.play;
    sentence.setAttribute("aria-live", "polite");
  }
  play.addEventListener("click", () => {
    if (timer) return pause();
    const k = grids.findIndex((grid) => grid.name === chart.animate);
    const last = grids[k].values.length - 1;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // all of it takes about six seconds; readers who want less motion see ten still pictures, one a second
    const stride = calm ? Math.ceil(last / 10) : 1;
    const rest = calm ? 1000 : Math.min(300, Math.max(40, 6000 / last));
    play.textContent = words.pause;
    sentence.setAttribute("aria-live", "off");
    if (model.get("index")[k] >= last) move(k, 0);
    timer = setInterval(() => {
      const next = Math.min(model.get("index")[k] + stride, last);
      // before the last move, so that its sentence is read out
      if (next === last) pause();
      move(k, next);
    }, rest);
  });
  reset.addEventListener("click", () => {
    pause();
    model.set("index", grids.map((grid) => grid.start));
    model.set("linear", false);
    model.save_changes();
  });
  const straighten = create("button", { type: "button", class: "npo-linear" }, words.linear);
  straighten.addEventListener("click", () => {
    model.set("linear", !model.get("linear"));
    model.save_changes();
  });
  const canStraighten = panels.some(({ linear }) => linear);
  const buttons = [chart.animate === null ? [] : play, reset, canStraighten ? straighten : []].flat();

  const root = create(
    "div",
    // whatever the direction of the page, its words are English or Chinese, and its axes start at the left
    { class: `npo-explorer npo-panels-${panels.length}`, dir: "ltr", role: "group", "aria-labelledby": title.id },
    title,
    create("div", { class: "npo-panels" }, ...elements(charts)),
    create("ul", { class: "npo-legend" }, ...legend),
    ...charts.flatMap(({ rows }) => rows),
    ...(choices.length ? [create("div", { class: "npo-choices" }, ...elements(choices))] : []),
    create("div", { class: "npo-controls" }, ...elements(sliders)),
    create("div", { class: "npo-buttons" }, ...buttons),
    ...(sentences.length ? [sentence] : []),
    ...(passages ? [passages.element] : []),
  );

  function draw() {
    const index = model.get("index");
    const frame = grids.reduce((number, grid, k) => number * grid.values.length + index[k], 0);
    controls.forEach(({ show }, k) => show(index[k]));
    straighten.setAttribute("aria-pressed", model.get("linear"));
    sentence.textContent = sentences[frame] ?? "";
    const settings = grids.map((grid, k) => `${inLanguage(grid.label)} = ${valueOf(grid, index[k])}`);
    const found = read(frame);
    charts.forEach((chart, i) => chart.draw(frame, found[i], settings));
    passages?.show(frame);
  }

  function redraw() {
    for (const chart of charts) chart.relay();
    draw();
  }

  function resize() {
    if (!charts.filter((one) => one.resize()).length) return;
    // room for the longest sentence, so that nothing below moves under a reader's finger
    sentence.style.minHeight = "";
    sentence.textContent = sentences.reduce((longest, one) => (one.length > longest.length ? one : longest), "");
    sentence.style.minHeight = `${sentence.offsetHeight}px`;
    passages?.resize();
    draw();
  }

  if (own) root.lang = own;
  el.append(root);
  // in the next frame: drawing moves the page, and other observers there would miss their turn
  const observer = new ResizeObserver(() => requestAnimationFrame(resize));
  // not the whole widget, whose height changes when it is drawn
  for (const { yLabel } of charts) observer.observe(yLabel);
  model.on("change:index", draw);
  model.on("change:linear", redraw);
  draw();
  resize();
  return () => {
    pause();
    observer.disconnect();
    model.off("change:index", draw);
    model.off("change:linear", redraw);
    root.remove();
  };
}

export default { render };
