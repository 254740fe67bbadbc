// The page's side of every exploration: a prediction, controls, a picture painted from arrays, and words.
// Python computes (exploration.py); what a scene is made of is described in scene.py and marks.py.

const SVG = "http://www.w3.org/2000/svg";
const PATIENCE = 8000; // milliseconds without an answer, after which the page says so

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A number in few digits, with a true minus sign. */
function short(value, digits = 4) {
  if (!Number.isFinite(value)) return "";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(1) : String(Number(value.toPrecision(digits)));
  return text.replace(/-/g, "\u2212");
}

/** An array that came as bytes. */
function floats(view) {
  if (view.byteOffset % 4 === 0) return new Float32Array(view.buffer, view.byteOffset, view.byteLength / 4);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// ---------------------------------------------------------------------------------------------------------- painting

function svg(tag, attributes = {}, styles = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  Object.assign(made.style, styles);
  return made;
}

const paintOf = (look) => `var(--course-${look === "grey" ? "line" : look})`;
const inkOf = (look) => (look === "grey" ? "var(--course-quiet)" : look === "black" ? "var(--course-ink)" : `var(--course-${look}-text)`);

function words(text, x, y, { look = "black", size = 13, align = "middle", bold = false, halo = true } = {}) {
  const made = svg("text", { x, y, "text-anchor": align, "dominant-baseline": "central", "font-size": size }, { fill: inkOf(look) });
  if (bold) made.setAttribute("font-weight", 700);
  if (halo) made.classList.add("course-halo");
  made.textContent = text;
  return made;
}

/** From units of an axis to pixels, and back. */
function scale([from, to], [start, end], log) {
  const of = log ? Math.log10 : (value) => value;
  const a = of(from);
  const b = of(to);
  const at = (value) => start + ((of(value) - a) / (b - a)) * (end - start);
  at.back = (pixel) => {
    const value = a + ((pixel - start) / (end - start)) * (b - a);
    return log ? 10 ** value : value;
  };
  return at;
}

function linearTicks([from, to], most) {
  const low = Math.min(from, to);
  const high = Math.max(from, to);
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push([i * step, short(i * step)]);
  return ticks;
}

const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
const power = (n) => "10" + String(n).replace("-", "\u207b").replace(/\d/g, (d) => RAISED[d]);

function logTicks([from, to], most) {
  const low = Math.log10(Math.min(from, to));
  const high = Math.log10(Math.max(from, to));
  const first = Math.ceil(low - 1e-9);
  const last = Math.floor(high + 1e-9);
  if (last - first < 1) {
    const ticks = [];
    for (let n = Math.floor(low); n <= high; n++)
      for (const times of [1, 2, 5])
        if (Math.log10(times) + n >= low - 1e-9 && Math.log10(times) + n <= high + 1e-9) ticks.push([times * 10 ** n, short(times * 10 ** n)]);
    if (ticks.length > 1) return ticks;
  }
  const stride = Math.max(1, Math.ceil((last - first + 1) / most));
  const ticks = [];
  for (let n = Math.ceil(first / stride) * stride; n <= last; n += stride) ticks.push([10 ** n, first < -2 || last > 3 ? power(n) : short(10 ** n)]);
  return ticks;
}

function pathOf(xs, ys, X, Y, closed = false) {
  let d = "";
  let pen = "M";
  for (let i = 0; i < xs.length; i++) {
    const x = X(xs[i]);
    const y = Y(ys[i]);
    if (Number.isFinite(x) && Number.isFinite(y)) {
      // Far outside is far enough: browsers draw huge coordinates badly.
      d += `${pen}${clamp(x, -9999, 9999).toFixed(1)} ${clamp(y, -9999, 9999).toFixed(1)}`;
      pen = "L";
    } else {
      if (closed && pen === "L") d += "Z";
      pen = "M";
    }
  }
  return closed && pen === "L" ? d + "Z" : d;
}

/** The outline of a marker around 0, 0. */
function marker(kind, r) {
  const p = (...points) => "M" + points.map(([x, y]) => `${(x * r).toFixed(2)} ${(y * r).toFixed(2)}`).join("L") + "Z";
  switch (kind) {
    case "s": return p([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
    case "^": return p([0, -1.1], [1, 0.8], [-1, 0.8]);
    case "v": return p([0, 1.1], [1, -0.8], [-1, -0.8]);
    case "D": return p([0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]);
    case "P": return p([-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]);
    case "X": return p([0, -0.45], [0.6, -1], [1, -0.6], [0.45, 0], [1, 0.6], [0.6, 1], [0, 0.45], [-0.6, 1], [-1, 0.6], [-0.45, 0], [-1, -0.6], [-0.6, -1]);
    case "*": {
      const points = [];
      for (let i = 0; i < 10; i++) {
        const far = i % 2 ? 0.6 : 1.5;
        points.push([far * Math.sin((i * Math.PI) / 5), -far * Math.cos((i * Math.PI) / 5)]);
      }
      return p(...points);
    }
    default: return `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`;
  }
}

/** One path with a marker at every point: quicker than an element each. */
function markers(kind, r, xs, ys, X, Y, every = 1) {
  let d = "";
  const outline = marker(kind, r);
  const numbers = outline.match(/[A-Z]|-?[\d.]+/g);
  for (let i = 0; i < xs.length; i += every) {
    const x = X(xs[i]);
    const y = Y(ys[i]);
    if (!(Math.abs(x) < 9999 && Math.abs(y) < 9999)) continue;
    if (outline.includes("A")) {
      d += `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
      continue;
    }
    let across = true;
    for (const part of numbers) {
      if (/[A-Z]/.test(part)) d += part;
      else {
        d += `${(Number(part) + (across ? x : y)).toFixed(1)} `;
        across = !across;
      }
    }
  }
  return d;
}

const lineStyle = (mark) => ({ fill: "none", stroke: paintOf(mark.look), strokeWidth: mark.width, strokeDasharray: (mark.dash || []).join(" "), strokeLinejoin: "round" });

/** How each kind of mark is drawn: they append to `layer`, which is cut off at the axes, or to `free`, which is not. */
const DRAW = {
  line(mark, { layer, X, Y }) {
    const xs = floats(mark.x);
    const ys = floats(mark.y);
    layer.append(svg("path", { d: pathOf(xs, ys, X, Y) }, lineStyle(mark)));
    if (mark.every) layer.append(svg("path", { d: markers(mark.marker, 4, xs, ys, X, Y, mark.every) }, { fill: paintOf(mark.look) }));
  },
  band(mark, { layer, X, Y }) {
    const xs = floats(mark.x);
    const low = floats(mark.low);
    const high = floats(mark.high);
    const d = pathOf(xs, high, X, Y) + pathOf([...xs].reverse(), [...low].reverse(), X, Y).replace("M", "L");
    layer.append(svg("path", { d: d ? d + "Z" : "" }, { fill: paintOf(mark.look), fillOpacity: mark.strength }));
  },
  points(mark, { layer, X, Y }) {
    const d = markers(mark.marker, mark.size / 2, floats(mark.x), floats(mark.y), X, Y);
    const color = paintOf(mark.look);
    layer.append(svg("path", { d }, { fill: mark.hollow ? "none" : color, stroke: mark.hollow ? color : "var(--course-ground)", strokeWidth: mark.hollow ? 1.8 : 0.6 }));
  },
  bars(mark, { layer, X, Y }) {
    const edges = floats(mark.edges);
    const heights = floats(mark.heights);
    const foot = clamp(Y(0), -9999, 9999);
    let d = "";
    for (let i = 0; i < heights.length; i++) {
      const top = clamp(Y(heights[i]), -9999, 9999);
      if (Number.isFinite(top)) d += `M${X(edges[i])} ${foot}V${top}H${X(edges[i + 1])}V${foot}Z`;
    }
    layer.append(svg("path", { d }, { fill: paintOf(mark.look), fillOpacity: mark.strength, stroke: "var(--course-ground)", strokeWidth: 0.5 }));
  },
  contours(mark, { layer, X, Y }) {
    if (mark.lines) {
      layer.append(svg("path", { d: pathOf(floats(mark.lines.x), floats(mark.lines.y), X, Y) }, lineStyle(mark)));
      return;
    }
    mark.bands.forEach((band, i) => {
      const d = pathOf(floats(band.x), floats(band.y), X, Y, true);
      // The thin outline closes the hairlines between neighbours.
      layer.append(svg("path", { d, "fill-rule": "evenodd" }, { fill: mark.fills[i], fillOpacity: mark.strength, stroke: mark.fills[i], strokeWidth: 0.5, strokeOpacity: mark.strength }));
    });
  },
  image(mark, { canvas, box, X, Y }) {
    if (!canvas) return;
    const pixels = document.createElement("canvas");
    pixels.width = mark.columns;
    pixels.height = mark.rows;
    const rgba = new Uint8ClampedArray(mark.rgba.buffer, mark.rgba.byteOffset, mark.rgba.byteLength);
    pixels.getContext("2d").putImageData(new ImageData(rgba.slice(), mark.columns, mark.rows), 0, 0);
    const [left, right, bottom, top] = mark.extent;
    const brush = canvas.getContext("2d");
    brush.imageSmoothingEnabled = false;
    const dense = canvas.width / box.width;
    brush.drawImage(pixels, (X(left) - box.left) * dense, (Y(top) - box.top) * dense, (X(right) - X(left)) * dense, (Y(bottom) - Y(top)) * dense);
  },
  text(mark, { free, X, Y }) {
    free.append(words(mark.text, X(mark.at[0]) + mark.shift[0], Y(mark.at[1]) + mark.shift[1], { look: mark.look, align: mark.align, bold: mark.bold }));
  },
  rule(mark, { layer, box, X, Y }) {
    const d = mark.at[0] != null ? `M${X(mark.at[0])} ${box.top}V${box.top + box.height}` : `M${box.left} ${Y(mark.at[1])}H${box.left + box.width}`;
    layer.append(svg("path", { d }, lineStyle(mark)));
  },
  arrow(mark, { free, X, Y }) {
    const [x0, y0, x1, y1] = [X(mark.start[0]), Y(mark.start[1]), X(mark.end[0]), Y(mark.end[1])];
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length > 2 * mark.gap + 1) {
      const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
      const [tipX, tipY] = [x1 - ux * mark.gap, y1 - uy * mark.gap];
      const head = Math.min(5 + 2 * mark.width, length - 2 * mark.gap);
      const [footX, footY] = [tipX - ux * head, tipY - uy * head];
      const wide = head * 0.45;
      const color = paintOf(mark.look);
      free.append(
        svg("path", { d: `M${x0 + ux * mark.gap} ${y0 + uy * mark.gap}L${footX} ${footY}` }, { stroke: color, strokeWidth: mark.width, fill: "none" }),
        svg("path", { d: `M${tipX} ${tipY}L${footX - uy * wide} ${footY + ux * wide}L${footX + uy * wide} ${footY - ux * wide}Z` }, { fill: color }),
      );
    }
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    if (mark.above) free.append(words(mark.above, x, y - 9, { look: "blue" }));
    if (mark.below) free.append(words(mark.below, x, y + 9, { look: "vermillion" }));
  },
  node(mark, { free, X, Y }) {
    const [x, y, r] = [X(mark.at[0]), Y(mark.at[1]), mark.size / 2];
    const look = { fill: mark.active ? "var(--course-mark)" : "var(--course-ground)", stroke: mark.faded ? "var(--course-line)" : "var(--course-ink)", strokeWidth: mark.active ? 3 : 1.2, strokeDasharray: mark.faded ? "2 3" : "" };
    free.append(mark.round ? svg("circle", { cx: x, cy: y, r }, look) : svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }, look));
    const look_of = mark.faded ? "grey" : "black";
    if (mark.text) free.append(words(mark.text, x, y - (mark.under ? 5 : 0), { look: look_of, size: 14, bold: true, halo: false }));
    if (mark.under) free.append(words(mark.under, x, y + 9, { look: look_of, size: 11, halo: false }));
    if (mark.above) free.append(words(mark.above, x, y - r - 9, { look: "blue" }));
    if (mark.below) free.append(words(mark.below, x, y + r + 10, { look: "vermillion" }));
  },
};

/** Draw one panel into `place`, `width` pixels wide; gives its scales, for points that stand in it. */
function paintPanel(place, panel, width) {
  const ticksOf = (ends, log, most) => (log ? logTicks(ends, most) : linearTicks(ends, most));
  const guess = panel.axes ? ticksOf(panel.ylim, panel.ylog, 6) : [];
  const widest = Math.max(0, ...guess.map(([, text]) => text.length));
  const left = panel.axes ? 14 + 7 * widest + (panel.ylabel ? 20 : 0) : 4;
  const bottom = panel.axes ? 24 + (panel.xlabel ? 20 : 0) : 4;
  const box = { left, top: panel.axes ? 10 : 4, width: Math.max(60, width - left - (panel.axes ? 14 : 4)) };
  const [spanX, spanY] = [Math.abs(panel.xlim[1] - panel.xlim[0]), Math.abs(panel.ylim[1] - panel.ylim[0])];
  box.height = panel.equal ? Math.min((box.width * spanY) / spanX, 560) : panel.height - box.top - bottom;
  if (panel.equal) box.width = (box.height * spanX) / spanY;
  const height = box.top + box.height + bottom;
  const X = scale(panel.xlim, [box.left, box.left + box.width], panel.xlog);
  const Y = scale(panel.ylim, [box.top + box.height, box.top], panel.ylog);

  const sheet = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true });
  const covered = panel.marks.some((mark) => mark.kind === "image" || mark.kind === "contours");
  let canvas = null;
  if (panel.marks.some((mark) => mark.kind === "image")) {
    const dense = window.devicePixelRatio || 1;
    canvas = document.createElement("canvas");
    canvas.width = Math.round(box.width * dense);
    canvas.height = Math.round(box.height * dense);
    Object.assign(canvas.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` });
  }
  const id = uniqueId("cut"); // each view has a copy of this module, and all share one page
  const cut = svg("clipPath", { id });
  cut.append(svg("rect", { x: box.left, y: box.top, width: box.width, height: box.height }));
  const layer = svg("g", { "clip-path": `url(#${id})` });
  const free = svg("g");
  sheet.append(cut);
  if (panel.axes) sheet.append(axes(panel, box, X, Y, ticksOf, !covered));
  sheet.append(layer, free);
  const into = { layer, free, canvas, box, X, Y };
  for (const mark of panel.marks) DRAW[mark.kind]?.(mark, into);

  const frame = element("div", { class: "course-frame" }, canvas, sheet);
  place.append(element("div", { class: "course-panel", style: `width: ${width}px` }, panel.title && element("div", { class: "course-title" }, panel.title), frame));
  return { X, Y, box, frame };
}

function axes(panel, box, X, Y, ticksOf, grid) {
  const group = svg("g");
  const right = box.left + box.width;
  const foot = box.top + box.height;
  const lines = svg("path", {}, { stroke: "var(--course-grid)", strokeWidth: 0.8, fill: "none" });
  const stubs = svg("path", {}, { stroke: "var(--course-ink)", strokeWidth: 1, fill: "none" });
  let across = "";
  let short_ = `M${box.left} ${box.top}V${foot}H${right}`;
  const xticks = panel.xticks ?? ticksOf(panel.xlim, panel.xlog, clamp(Math.floor(box.width / 70), 3, 8));
  for (const [value, text] of xticks) {
    const x = X(value);
    if (!(x >= box.left - 0.5 && x <= right + 0.5)) continue;
    across += `M${x} ${box.top}V${foot}`;
    short_ += `M${x} ${foot}v4`;
    group.append(words(text, x, foot + 14, { size: 12, halo: false }));
  }
  for (const [value, text] of ticksOf(panel.ylim, panel.ylog, clamp(Math.floor(box.height / 45), 2, 7))) {
    const y = Y(value);
    if (!(y >= box.top - 0.5 && y <= foot + 0.5)) continue;
    across += `M${box.left} ${y}H${right}`;
    short_ += `M${box.left} ${y}h-4`;
    group.append(words(text, box.left - 7, y, { size: 12, align: "end", halo: false }));
  }
  if (grid) lines.setAttribute("d", across);
  stubs.setAttribute("d", short_);
  group.prepend(lines);
  group.append(stubs);
  if (panel.xlabel) group.append(words(panel.xlabel, box.left + box.width / 2, foot + 34, { halo: false }));
  if (panel.ylabel) {
    const label = words(panel.ylabel, 0, 0, { halo: false });
    label.setAttribute("transform", `translate(9 ${box.top + box.height / 2}) rotate(-90)`);
    group.append(label);
  }
  return group;
}

/** What stands for a mark in the legend: a piece of it beside its name. */
function legendEntry(mark) {
  const sample = svg("svg", { width: 34, height: 14, viewBox: "0 0 34 14", "aria-hidden": true });
  const color = paintOf(mark.look);
  if (mark.kind === "line" || mark.kind === "rule") {
    sample.append(svg("path", { d: "M1 7H33" }, lineStyle(mark)));
    if (mark.marker) sample.append(svg("path", { d: marker(mark.marker, 4), transform: "translate(17 7)" }, { fill: color }));
  } else if (mark.kind === "points") {
    sample.append(svg("path", { d: marker(mark.marker, 4.5), transform: "translate(17 7)" }, { fill: mark.hollow ? "none" : color, stroke: color }));
  } else {
    sample.append(svg("rect", { x: 4, y: 2, width: 26, height: 10 }, { fill: color, fillOpacity: mark.strength ?? 1 }));
  }
  return element("span", { class: "course-legend-entry" }, sample, mark.label);
}

/** Draw the whole picture into `place`; gives each panel's scales. */
function paint(place, picture, width) {
  const gap = 16;
  const count = picture.panels.length;
  const rows = Math.ceil(count / clamp(Math.floor((width + gap) / 270), 1, 3));
  const columns = Math.ceil(count / rows);
  const lines = [];
  const panels = [];
  for (let first = 0; first < count; first += columns) {
    const beside = picture.panels.slice(first, first + columns);
    const room = width - gap * (beside.length - 1);
    const shares = beside.reduce((sum, panel) => sum + panel.share, 0);
    const line = element("div", { class: "course-panels" });
    for (const panel of beside) panels.push(paintPanel(line, panel, Math.floor((room * panel.share) / shares)));
    lines.push(line);
  }
  const named = new Map();
  for (const panel of picture.panels) for (const mark of panel.marks) if (mark.label && !named.has(mark.label)) named.set(mark.label, mark);
  if (named.size) lines.push(element("div", { class: "course-legend" }, ...[...named.values()].map(legendEntry)));
  place.replaceChildren(...lines);
  place.setAttribute("aria-label", picture.alt);
  return panels;
}

// ---------------------------------------------------------------------------------------------------------- controls

const shown = (spec, at) => spec.stops?.[at] ?? (spec.log ? short(10 ** at, 2) : short(at)) + spec.unit;

/** Each kind of control: makes its element and gives { element, update(spec) }; `move(value)` tells Python. */
const CONTROLS = {
  slider(spec, move) {
    const id = uniqueId("slider");
    const readout = element("span", { class: "course-readout", "aria-hidden": "true" }); // aria-valuetext says it
    const input = element("input", {
      id,
      type: "range",
      oninput: () => {
        say();
        move(input.valueAsNumber);
      },
    });
    const say = () => {
      readout.textContent = shown(spec, input.valueAsNumber);
      input.setAttribute("aria-valuetext", readout.textContent);
    };
    const update = (next) => {
      spec = next;
      Object.assign(input, { min: next.low, max: next.high, step: next.step });
      input.value = next.value;
      say();
    };
    return { element: element("div", { class: "course-control" }, element("label", { for: id }, spec.label), input, readout), update };
  },
  choice(spec, move) {
    const id = uniqueId("choice");
    const input = element("select", { id, onchange: () => move(input.value) });
    const update = (next) => {
      if (input.dataset.options !== next.options.join("\n")) {
        input.dataset.options = next.options.join("\n");
        input.replaceChildren(...next.options.map((option) => element("option", { value: option }, option)));
      }
      input.value = next.value;
    };
    return { element: element("div", { class: "course-control" }, element("label", { for: id }, spec.label), input), update };
  },
  toggle(spec, move) {
    const id = uniqueId("toggle");
    const input = element("input", { id, type: "checkbox", onchange: () => move(input.checked) });
    const update = (next) => {
      input.checked = next.value;
    };
    return { element: element("div", { class: "course-control course-toggle" }, input, element("label", { for: id }, spec.label)), update };
  },
  button(spec, move) {
    const made = element("button", { type: "button", title: spec.hint || null, onclick: () => move(null) }, spec.label);
    return { element: made, update: () => {} };
  },
  point(spec, move) {
    let at = spec.value;
    let panel = null;
    const put = (x, y) => {
      at = [clamp(x, ...spec.xlim), clamp(y, ...spec.ylim)];
      place();
      move(at);
    };
    const made = element("div", {
      class: "course-point",
      role: "slider",
      tabindex: 0,
      "aria-label": spec.label,
      "aria-roledescription": "point",
      "aria-description": "Arrow keys move it, ten steps with Shift.",
      title: `${spec.label}: drag it, or move it with the arrow keys`,
      onkeydown: (event) => {
        const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!way || made.ariaDisabled === "true") return;
        event.preventDefault();
        event.stopPropagation();
        const far = event.shiftKey ? 10 : 1;
        put(at[0] + way[0] * far * spec.step[0], at[1] + way[1] * far * spec.step[1]);
      },
      onpointerdown: (event) => {
        if (made.ariaDisabled === "true") return;
        event.preventDefault();
        made.focus();
        made.setPointerCapture(event.pointerId);
      },
      onpointermove: (event) => {
        if (!panel || !made.hasPointerCapture(event.pointerId)) return;
        const corner = panel.frame.getBoundingClientRect();
        put(panel.X.back(event.clientX - corner.left), panel.Y.back(event.clientY - corner.top));
      },
    });
    made.style.setProperty("--course-point", paintOf(spec.look));
    const place = () => {
      made.setAttribute("aria-valuemin", spec.xlim[0]);
      made.setAttribute("aria-valuemax", spec.xlim[1]);
      made.setAttribute("aria-valuenow", at[0]);
      made.setAttribute("aria-valuetext", `x ${short(at[0])}, y ${short(at[1])}`);
      if (!panel) return;
      made.style.left = `${panel.X(at[0]) + panel.frame.offsetLeft}px`;
      made.style.top = `${panel.Y(at[1]) + panel.frame.offsetTop}px`;
    };
    const update = (next) => {
      spec = next;
      at = next.value;
      place();
    };
    const stand = (panels) => {
      panel = panels[spec.panel] ?? null;
      place();
    };
    return { element: made, update, stand };
  },
};

// ------------------------------------------------------------------------------------------------------ the whole of it

/** One move at a time to Python; meanwhile the latest value of each control is kept, and every press of a button. */
function messenger(model, { late, settled }) {
  const name = uniqueId("view");
  let count = 0;
  let waiting = null;
  let timer = 0;
  let kept = [];
  let sent = [];
  const send = (content) => {
    count += 1;
    waiting = `${name}/${count}`;
    clearTimeout(timer);
    timer = setTimeout(() => late(true), PATIENCE);
    model.send({ ...content, number: waiting });
  };
  const flush = () => {
    if (waiting !== null || kept.length === 0) return;
    sent = kept;
    kept = [];
    send({ moves: sent });
  };
  const heard = (message) => {
    if (message.answered !== waiting) return;
    waiting = null;
    sent = [];
    clearTimeout(timer);
    late(false);
    flush();
    if (waiting === null) settled();
  };
  model.on("msg:custom", heard);
  return {
    move(label, value) {
      const last = kept.at(-1);
      if (value !== null && last?.label === label) last.value = value;
      else kept.push({ label, value });
      flush();
    },
    say: send,
    /** Whether Python does not know this control's last value yet: until then what Python says of it is old. */
    pending: (label) => [...sent, ...kept].some((move) => move.label === label),
    stop() {
      clearTimeout(timer);
      model.off("msg:custom", heard);
    },
  };
}

/** The question before the controls; afterwards what was predicted beside what came out. */
function questionnaire(model, say) {
  const place = element("div", { class: "course-asked", "aria-live": "polite" });
  let built = "";
  let problem = null;
  const ask = (asked) => {
    const id = uniqueId("asked");
    const answers = asked.choices.length
      ? element(
          "div",
          { class: "course-answers" },
          ...asked.choices.map((choice, i) =>
            element("label", { for: `${id}-${i}` }, element("input", { type: "radio", id: `${id}-${i}`, name: id, value: choice }), ` ${choice}`),
          ),
        )
      : element(
          "div",
          { class: "course-answers" },
          element("label", { for: id }, "Your number"),
          element("input", { id, type: "text", inputmode: "decimal", size: 8, autocomplete: "off", onkeydown: (event) => event.key === "Enter" && commit() }),
          asked.unit,
        );
    problem = element("p", { class: "course-problem" });
    const commit = () => say({ predict: (answers.querySelector("input:checked") ?? answers.querySelector("input[type=text]"))?.value ?? "" });
    return element(
      "fieldset",
      {},
      element("legend", {}, "Predict first"),
      element("p", {}, asked.question),
      answers,
      problem,
      element("button", { type: "button", class: "course-primary", onclick: commit }, "Commit"),
      " ",
      element("button", { type: "button", onclick: () => say({ skip: true }) }, "Go on without a prediction"),
    );
  };
  const tell = (asked) => {
    const told = [element("p", {}, element("strong", {}, "Asked: "), asked.question)];
    if (asked.state === "committed") told.push(element("p", {}, element("strong", {}, "You predicted: "), asked.answer));
    if (asked.outcome) told.push(element("p", {}, element("strong", {}, "What came out: "), asked.outcome));
    return element("div", { class: "course-compared" }, ...told);
  };
  const update = () => {
    const asked = model.get("asked");
    if (!asked.state) return false;
    const key = JSON.stringify([asked.state, asked.question, asked.choices, asked.outcome]);
    if (key !== built) {
      built = key;
      place.replaceChildren(asked.state === "open" ? ask(asked) : asked.state === "committed" ? tell(asked) : "");
    }
    if (asked.state === "open" && problem) problem.textContent = asked.problem;
    return asked.state === "open";
  };
  return { place, update };
}

function render({ model, el }) {
  const status = element("div", { class: "course-status", role: "status" });
  const late = element("p", { class: "course-late" });
  const drawing = element("div", { class: "course-drawing", role: "img" });
  const handles = element("div", { class: "course-handles" });
  const canvas = element("div", { class: "course-picture" }, drawing, handles);
  const board = element("fieldset", { class: "course-controls" }, element("legend", {}, "Move"));
  const messages = messenger(model, {
    late(isLate) {
      late.textContent = isLate ? "Python has not answered yet. If you restarted the kernel, run this cell again." : "";
    },
    settled: () => control(),
  });
  const question = questionnaire(model, messages.say);
  el.append(element("div", { class: "course-exploration", role: "group", "aria-label": model.get("title") }, question.place, board, canvas, status, late));

  let made = new Map();
  let panels = [];
  let closed = null;

  const build = (rows) => {
    made = new Map();
    handles.replaceChildren();
    const lines = rows.map((row) => {
      const line = element("div", { class: "course-row" });
      for (const spec of row) {
        const control = CONTROLS[spec.kind](spec, (value) => messages.move(spec.label, value));
        made.set(spec.label, { ...control, kind: spec.kind });
        (spec.kind === "point" ? handles : line).append(control.element);
      }
      return line;
    });
    board.replaceChildren(board.firstChild, ...lines.filter((line) => line.childElementCount));
    board.hidden = board.childElementCount < 2;
  };
  const control = () => {
    const rows = model.get("rows");
    const flat = rows.flat();
    const same = flat.length === made.size && flat.every((spec) => made.get(spec.label)?.kind === spec.kind);
    if (!same) {
      const focused = [...made].find(([, one]) => one.element.contains(document.activeElement))?.[0];
      build(rows);
      if (focused) focusOn(made.get(focused)?.element);
    }
    for (const spec of flat) if (!same || !messages.pending(spec.label)) made.get(spec.label).update(spec);
  };
  const focusOn = (where) => (where?.matches("button, input, select, [tabindex]") ? where : where?.querySelector("button, input, select"))?.focus();
  const open = () => {
    const isClosed = question.update();
    if (isClosed === closed) return;
    const opened = closed === true;
    closed = isClosed;
    board.disabled = isClosed;
    for (const { element: one } of made.values()) {
      if (!one.classList.contains("course-point")) continue;
      one.ariaDisabled = String(isClosed);
      one.tabIndex = isClosed ? -1 : 0;
    }
    if (opened) focusOn([...made.values()][0]?.element); // its button is gone
  };
  const draw = () => {
    const picture = model.get("picture");
    const width = Math.floor(canvas.clientWidth);
    if (!picture.panels || width < 40) return;
    panels = paint(drawing, picture, Math.min(width, 980));
    for (const one of made.values()) one.stand?.(panels);
    drawing.dataset.painted = Number(drawing.dataset.painted ?? 0) + 1;
  };
  const tell = () => {
    const told = model.get("told");
    if (status.dataset.told === told.join("\n")) return; // or screen readers say it again
    status.dataset.told = told.join("\n");
    status.replaceChildren(...told.map((text) => element("p", {}, text)));
  };

  let frame = 0;
  const refresh = () => {
    frame = 0;
    control();
    open();
    draw();
    tell();
  };
  const soon = () => {
    if (!frame) frame = requestAnimationFrame(refresh);
  };
  const watch = new ResizeObserver(soon);
  watch.observe(canvas);
  model.on("change:rows change:picture change:told change:asked", soon);
  soon();
  return () => {
    cancelAnimationFrame(frame);
    watch.disconnect();
    messages.stop();
    model.off("change:rows change:picture change:told change:asked", soon);
  };
}

export default { render };
