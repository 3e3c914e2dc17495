// Draws an Explorer: looks up the numbers of the grid point where the sliders stand and maps them to pixels.
// Works wherever an anywidget does: beside a kernel, or mounted in a static page by mount.js.

const SVG = "http://www.w3.org/2000/svg";
// as in evaluation.py: a row of numbers for each letter, which names the axis that they are measured on; "s" is strength
const CHANNELS = { line: "y", band: "yy", points: "xy", marker: "x", images: "s" };
// regions lie under lines, lines under points
const LAYERS = ["band", "marker", "line", "points"];
// as in plots.py, for lines 2 pixels wide: no two curves differ by colour alone
const DASHES = ["", "12 4", "3 3", "14 4 3 4", "6 3", "18 6"];
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
    interval: (lo, hi) => `from ${lo} to ${hi}`,
    line: (first, last, lo, hi) => `from ${first} to ${last}, lowest ${lo}, highest ${hi}`,
    band: (lower, upper) => `lower edge ${lower}; upper edge ${upper}`,
    points: (n, x, y) => `${n} points, across ${x}, up ${y}`,
    marker: (at) => `vertical line at ${at}`,
    images: (n, each) => `${n} images, of strength ${each.join(", ")}`,
  },
  zh: {
    play: "播放",
    pause: "暂停",
    reset: "重置",
    log: "对数刻度",
    linear: "线性坐标轴",
    colon: "：",
    stop: "。",
    interval: (lo, hi) => `从 ${lo} 到 ${hi}`,
    line: (first, last, lo, hi) => `从 ${first} 到 ${last}，最低 ${lo}，最高 ${hi}`,
    band: (lower, upper) => `下沿${lower}；上沿${upper}`,
    points: (n, x, y) => `${n} 个点，横向${x}，纵向${y}`,
    marker: (at) => `竖线位于 ${at}`,
    images: (n, each) => `${n} 张图像，深浅为 ${each.join("、")}`,
  },
};

function create(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "g", "path", "text"].includes(tag);
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A number in words: four digits, or as many as tell ticks apart that are `step` apart.
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

// At most about `most` ticks between two limits on the axis' scale: [[position, text], …].
function linearTicks([lo, hi], most) {
  const rough = (hi - lo) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((candidate) => candidate >= 0.999 * rough);
  const ticks = [];
  for (let i = Math.ceil(lo / step - 1e-9); i <= hi / step + 1e-9; i++) ticks.push([i * step, written(i * step, step)]);
  return ticks;
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

// A function from the number of a grid point to its curves' channels, each number on the scale of its axis.
function reader(model) {
  const packed = model.get("numbers");
  const ranges = model.get("ranges");
  const numbers = new Uint16Array(packed.byteLength / 2);
  // differences modulo 65536, high bytes before low bytes
  for (let i = 0, last = 0; i < numbers.length; i++) {
    last = (last + 256 * packed.getUint8(i) + packed.getUint8(numbers.length + i)) & 65535;
    numbers[i] = last;
  }
  const curves = model.get("chart").curves.map(({ kind, length }) =>
    Array.from(CHANNELS[kind], () => new Float64Array(length)));
  const channels = curves.flat();
  const perFrame = channels.reduce((sum, channel) => sum + channel.length, 0);
  return (frame) => {
    let start = frame * perFrame;
    channels.forEach((channel, c) => {
      const at = 16 * (frame * channels.length + c);
      const lo = ranges.getFloat64(at, true);
      const unit = (ranges.getFloat64(at + 8, true) - lo) / 65535;
      for (let i = 0; i < channel.length; i++) channel[i] = lo + unit * numbers[start + i];
      start += channel.length;
    });
    return curves;
  };
}

function render({ model, el }) {
  const chart = model.get("chart");
  const { grids, curves } = chart;
  const read = reader(model);
  const scales = { x: SCALES[chart.x.scale], y: SCALES[chart.y.scale] };
  const sharedX = Float64Array.from(chart.x.values, scales.x.to);
  // its own language, because the page of a notebook speaks that of its interface
  const own = model.get("language");
  const lang = own || (el.closest("[lang]")?.lang || "en").split("-")[0];
  const words = WORDS[lang] ?? WORDS.en;
  const inLanguage = (text) => (typeof text === "string" ? text : (text[lang] ?? text.en));
  const sentences = chart.sentences.map(inLanguage);
  const labels = curves.map(({ label }) => inLanguage(label));
  const id = `npo-${Math.random().toString(36).slice(2, 10)}`;

  const looks = (i) => ({
    class: `npo-curve npo-${curves[i].kind}`,
    style: `--npo-color: var(--npo-curve-${i})`,
    "stroke-dasharray": curves[i].kind === "points" ? "none" : DASHES[i] || "none",
  });
  const title = create("div", { class: "npo-title", id: `${id}-title` }, inLanguage(chart.title));
  const paths = curves.map((_, i) => create("path", looks(i)));
  const layered = LAYERS.flatMap((kind) => paths.filter((_, i) => curves[i].kind === kind));
  const axes = create("g");
  const plot = create("svg", { class: "npo-plot" }, ...layered);
  const picture = create(
    "svg",
    { class: "npo-chart", role: "img", "aria-labelledby": title.id, "aria-describedby": `${id}-text` },
    axes,
    plot,
  );
  const samples = { line: "M0 8H32", marker: "M16-4V20", band: "M1 2H31V14H1Z" };
  const legend = curves.flatMap(({ kind }, i) => {
    if (kind === "images") return [];
    const sample = create("path", { ...looks(i), d: samples[kind] ?? `M16 8${SHAPES[i]}` });
    return create("li", {}, create("svg", { width: 32, height: 16, "aria-hidden": "true" }, sample), labels[i]);
  });
  const pictures = curves.map(({ kind }) =>
    kind === "images" ? chart.images.map((src) => create("img", { src, alt: "" })) : []);
  const rows = curves.flatMap(({ kind }, i) =>
    kind === "images" ? create("div", { class: "npo-images" }, create("div", {}, labels[i]), ...pictures[i]) : []);
  const sentence = create("p", { class: "npo-sentence", "aria-live": "polite" });
  const text = create("p", { class: "npo-text", id: `${id}-text` });
  const controls = create("div", { class: "npo-controls" });
  const root = create(
    "div",
    { class: "npo-explorer", role: "group", "aria-labelledby": title.id, ...(own ? { lang: own } : {}) },
    title,
    create("div", { class: "npo-y-label" }, inLanguage(chart.y.label)),
    picture,
    create("div", { class: "npo-x-label" }, inLanguage(chart.x.label)),
    create("ul", { class: "npo-legend" }, ...legend),
    ...rows,
    controls,
    ...(sentences.length ? [sentence] : []),
    text,
  );

  function move(k, position) {
    model.set("index", model.get("index").map((old, j) => (j === k ? position : old)));
    model.save_changes();
  }
  const sliders = grids.map((grid, k) => {
    const last = grid.values.length - 1;
    const input = create("input", { type: "range", min: 0, max: last, step: 1, id: `${id}-${k}` });
    // JupyterLab takes the arrow keys unless the focused element itself says otherwise
    input.dataset.lmSuppressShortcuts = "true";
    const output = create("output", { for: input.id });
    input.addEventListener("input", () => {
      if (grid.name === chart.animate) pause();
      move(k, Number(input.value));
    });
    const ends = [written(grid.values[0]), grid.scale === "log" ? words.log : "", written(grid.values[last])];
    controls.append(
      create(
        "div",
        { class: "npo-control" },
        create("label", { for: input.id }, inLanguage(grid.label)),
        output,
        input,
        create("div", { class: "npo-ends", "aria-hidden": "true" }, ...ends.map((end) => create("span", {}, end))),
      ),
    );
    return { input, output };
  });

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
    // the whole way takes about six seconds; who wants less motion gets ten still pictures, one a second
    const stride = calm ? Math.ceil(last / 10) : 1;
    const rest = calm ? 1000 : Math.min(300, Math.max(40, 6000 / last));
    play.textContent = words.pause;
    sentence.setAttribute("aria-live", "off");
    if (model.get("index")[k] >= last) move(k, 0);
    timer = setInterval(() => {
      const next = Math.min(model.get("index")[k] + stride, last);
      // before the last move: where it ends is read out
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
  const buttons = [chart.animate === null ? [] : play, reset, chart.linear ? straighten : []].flat();
  controls.after(create("div", { class: "npo-buttons" }, ...buttons));

  let width = 0;
  let box, left, axesShown, xMap, yMap;
  // a position on an axis → a pixel, to a hundredth; what is far outside stays within what a browser can draw
  const pixels = ([lo, hi], start, end) => (at) =>
    Math.round(100 * Math.min(1e6, Math.max(-1e6, start + ((at - lo) / (hi - lo)) * (end - start)))) / 100;
  // an axis as it is drawn, on its own scale or linearly; `at` makes positions of the state's numbers
  const axisOf = (name, limits) =>
    model.get("linear")
      ? { limits, at: scales[name].from, ticks: linearTicks }
      : { limits: limits.map(scales[name].to), at: (v) => v, ticks: scales[name].ticks };

  function drawAxes(limits) {
    const x = axisOf("x", limits.x);
    const y = axisOf("y", limits.y);
    const height = Math.round(Math.min(360, Math.max(220, 0.55 * width)));
    const yTicks = y.ticks(y.limits, height / 50);
    // never narrower than before: the plot would jump from one grid point to the next
    left = Math.max(left, 10 + 7.5 * Math.max(...yTicks.map(([, words]) => words.length)));
    box = { width: Math.max(40, width - left - 16), height: height - 32 };
    const xTicks = x.ticks(x.limits, box.width / 70);
    const [xPixel, yPixel] = [pixels(x.limits, 0, box.width), pixels(y.limits, box.height, 0)];
    xMap = (v) => xPixel(x.at(v));
    yMap = (v) => yPixel(y.at(v));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const [name, value] of Object.entries({ x: left, y: 8, ...box })) plot.setAttribute(name, value);
    axes.setAttribute("transform", `translate(${left} 8)`);
    const rules = [
      ...xTicks.map(([at]) => `M${xPixel(at)} 0V${box.height}`),
      ...yTicks.map(([at]) => `M0 ${yPixel(at)}H${box.width}`),
    ];
    axes.replaceChildren(
      create("path", { class: "npo-grid", d: rules.join("") }),
      create("path", { class: "npo-frame", d: `M0 0V${box.height}H${box.width}` }),
      ...xTicks.map(([at, words]) => create("text", { x: xPixel(at), y: box.height + 18, "text-anchor": "middle" }, words)),
      ...yTicks.map(([at, words]) => create("text", { x: -7, y: yPixel(at) + 4, "text-anchor": "end" }, words)),
    );
  }

  function pathOf(i, [first, second]) {
    const line = (ys, from, by) => {
      let d = "";
      for (let k = from; k >= 0 && k < ys.length; k += by) d += `L${xMap(sharedX[k])} ${yMap(ys[k])}`;
      return d.slice(1);
    };
    if (curves[i].kind === "line") return `M${line(first, 0, 1)}`;
    if (curves[i].kind === "band") return `M${line(first, 0, 1)}L${line(second, second.length - 1, -1)}Z`;
    if (curves[i].kind === "marker") return `M${xMap(first[0])} 0V${box.height}`;
    return Array.from(first, (at, k) => `M${xMap(at)} ${yMap(second[k])}${SHAPES[i]}`).join("");
  }

  function inWords(i, [first, second]) {
    const say = (axis, v) => written(scales[axis].from(v));
    const ends = (axis, row) => [Math.min, Math.max].map((pick) => say(axis, row.reduce((a, b) => pick(a, b))));
    const course = (row) => words.line(say("y", row[0]), say("y", row[row.length - 1]), ...ends("y", row));
    if (curves[i].kind === "line") return course(first);
    if (curves[i].kind === "band") return words.band(course(first), course(second));
    if (curves[i].kind === "marker") return words.marker(say("x", first[0]));
    if (curves[i].kind === "images") return words.images(first.length, Array.from(first, (v) => v.toFixed(2)));
    return words.points(first.length, words.interval(...ends("x", first)), words.interval(...ends("y", second)));
  }

  function draw() {
    const index = model.get("index");
    const frame = grids.reduce((number, grid, k) => number * grid.values.length + index[k], 0);
    const settings = sliders.map(({ input, output }, k) => {
      const value = written(grids[k].values[index[k]]);
      input.value = index[k];
      input.setAttribute("aria-valuetext", value);
      output.textContent = value;
      return `${inLanguage(grids[k].label)} = ${value}`;
    });
    const found = read(frame);
    const isLinear = model.get("linear");
    straighten.setAttribute("aria-pressed", isLinear);
    const ofFrame = isLinear ? chart.linear : { x: chart.x.limits, y: chart.y.limits };
    const limits = { x: ofFrame.x, y: ofFrame.y[ofFrame.y.length > 1 ? frame : 0] };
    sentence.textContent = sentences[frame] ?? "";
    const ranges = ["x", "y"].map((axis) => {
      const ends = limits[axis].map((limit) => written(limit));
      return `${inLanguage(chart[axis].label)}${words.colon}${words.interval(...ends)}`;
    });
    const told = curves.map((_, i) => `${labels[i]}${words.colon}${inWords(i, found[i])}`);
    text.textContent = [...settings, ...ranges, ...told].join(words.stop) + words.stop;
    if (!width) return;
    if (axesShown !== limits.y) drawAxes(limits);
    axesShown = limits.y;
    curves.forEach(({ kind }, i) => {
      if (kind !== "images") paths[i].setAttribute("d", pathOf(i, found[i]));
      // never quite gone: an empty place would look like a fault
      pictures[i].forEach((picture, k) => (picture.style.opacity = 0.1 + 0.9 * found[i][0][k]));
    });
  }

  // other labels of ticks need other room
  function relay() {
    left = 0;
    draw();
  }

  function resize(available) {
    if (!available || available === width) return;
    width = available;
    left = 0;
    axesShown = undefined;
    // room for the longest sentence: what stands below must not move under a reader's finger
    sentence.style.minHeight = "";
    sentence.textContent = sentences.reduce((longest, one) => (one.length > longest.length ? one : longest), "");
    sentence.style.minHeight = `${sentence.offsetHeight}px`;
    draw();
  }

  el.append(root);
  const observer = new ResizeObserver(([entry]) => resize(Math.floor(entry.contentRect.width)));
  // not the whole, whose height changes with what is drawn: that would call the observer again
  observer.observe(title);
  model.on("change:index", draw);
  model.on("change:linear", relay);
  draw();
  return () => {
    pause();
    observer.disconnect();
    model.off("change:index", draw);
    model.off("change:linear", relay);
    root.remove();
  };
}

export default { render };
