// The interactive page: reads the arrays that `html.py` packed and draws them on a canvas.
// No dependencies. `mount` builds everything and returns the object that the tests talk to.

const TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array,
  float32: Float32Array, float64: Float64Array,
};
const VIRIDIS = [
  "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
  "#fde725",
];
const STEPS = 64; // shades of a continuous scale
const CHUNK = 250; // polygons per path: long paths are slow to fill
const SLOW = 80; // milliseconds: a picture that takes longer is moved as a whole while panning

// -- data --------------------------------------------------------------------------------------

async function unpack(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old: it has no DecompressionStream");
  }
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

class Frame {
  constructor(facts, buffer) {
    Object.assign(this, facts);
    for (const [name, { type, shape, at }] of Object.entries(facts.arrays)) {
      const length = shape.reduce((a, b) => a * b, 1);
      this[name] = new TYPES[type](buffer, at, length);
    }
    this.cells = this.ptr.length - 1;
    this.width = facts.arrays.pattern.shape[1]; // bytes for each pattern
    this.stages = new Map();
  }

  // The cells of the first `stage` units: number of the cell that stands for each final cell,
  // how many there are, and a colour for each; by union-find over the facets that come later.
  stageOf(stage) {
    if (this.stages.has(stage)) return this.stages.get(stage);
    const root = Uint32Array.from({ length: this.cells }, (_, i) => i);
    const find = (i) => {
      while (root[i] !== i) i = root[i] = root[root[i]];
      return i;
    };
    let count = this.cells;
    for (let f = 0; f < this.unit.length; f++) {
      if (this.unit[f] <= stage) continue;
      const a = find(this.sides[2 * f]), b = find(this.sides[2 * f + 1]);
      if (a !== b) {
        root[Math.max(a, b)] = Math.min(a, b);
        count--;
      }
    }
    for (let i = 0; i < this.cells; i++) root[i] = find(i);
    const made = { root, count, hue: null };
    if (this.stages.size > 40) this.stages.clear();
    this.stages.set(stage, made);
    return made;
  }

  // A colour index per stage's cell, different across edges: each wants the colour of the final
  // cell that stands for it and takes the next one that no neighbour has.
  stageHue(stage, size) {
    const made = this.stageOf(stage);
    if (made.hue) return made.hue;
    const { root } = made, hue = new Int16Array(this.cells).fill(-1);
    const start = new Uint32Array(this.cells + 1), ends = [];
    for (let f = 0; f < this.unit.length; f++) {
      if (this.unit[f] === 0 || this.unit[f] > stage) continue;
      const a = root[this.sides[2 * f]], b = root[this.sides[2 * f + 1]];
      if (a !== b) {
        ends.push(a, b);
        start[a + 1]++;
        start[b + 1]++;
      }
    }
    for (let i = 0; i < this.cells; i++) start[i + 1] += start[i];
    const fill = start.slice(), near = new Uint32Array(ends.length);
    for (let k = 0; k < ends.length; k += 2) {
      near[fill[ends[k]]++] = ends[k + 1];
      near[fill[ends[k + 1]]++] = ends[k];
    }
    for (let i = 0; i < this.cells; i++) {
      if (root[i] !== i) continue;
      const taken = new Set();
      for (let k = start[i]; k < start[i + 1]; k++) taken.add(hue[near[k]]);
      let c = this.hueCell[i];
      for (let tries = 0; taken.has(c) && tries < size; tries++) c = (c + 5) % size;
      hue[i] = c;
    }
    for (let i = 0; i < this.cells; i++) hue[i] = hue[root[i]];
    return (made.hue = hue);
  }

  countLinear() {
    return new Set(this.linear).size;
  }

  bounds(i) {
    let x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity;
    for (let k = this.ptr[i]; k < this.ptr[i + 1]; k++) {
      const x = this.points[2 * this.idx[k]], y = this.points[2 * this.idx[k] + 1];
      x0 = Math.min(x0, x); x1 = Math.max(x1, x);
      y0 = Math.min(y0, y); y1 = Math.max(y1, y);
    }
    return [x0, y0, x1, y1];
  }

  // A grid of buckets, each with the cells whose bounding box meets it.
  grid(window) {
    if (this.buckets) return this.buckets;
    const side = Math.max(1, Math.min(400, Math.ceil(Math.sqrt(this.cells))));
    const [x0, y0, x1, y1] = window;
    const column = (x) => Math.max(0, Math.min(side - 1, Math.floor(((x - x0) / (x1 - x0)) * side)));
    const line = (y) => Math.max(0, Math.min(side - 1, Math.floor(((y - y0) / (y1 - y0)) * side)));
    const box = new Uint16Array(4 * this.cells);
    const start = new Uint32Array(side * side + 1);
    for (let i = 0; i < this.cells; i++) {
      const [a, b, c, d] = this.bounds(i);
      box.set([column(a), line(b), column(c), line(d)], 4 * i);
      for (let r = box[4 * i + 1]; r <= box[4 * i + 3]; r++) {
        for (let q = box[4 * i]; q <= box[4 * i + 2]; q++) start[r * side + q + 1]++;
      }
    }
    for (let k = 0; k < side * side; k++) start[k + 1] += start[k];
    const fill = start.slice(), list = new Uint32Array(start[side * side]);
    for (let i = 0; i < this.cells; i++) {
      for (let r = box[4 * i + 1]; r <= box[4 * i + 3]; r++) {
        for (let q = box[4 * i]; q <= box[4 * i + 2]; q++) list[fill[r * side + q]++] = i;
      }
    }
    return (this.buckets = { side, column, line, start, list });
  }

  cellAt(x, y, window) {
    const [x0, y0, x1, y1] = window;
    if (!(x >= x0 && x <= x1 && y >= y0 && y <= y1)) return -1;
    const { side, column, line, start, list } = this.grid(window);
    const bucket = line(y) * side + column(x);
    for (let k = start[bucket]; k < start[bucket + 1]; k++) {
      if (this.holds(list[k], x, y)) return list[k];
    }
    return -1;
  }

  holds(i, x, y) {
    const { ptr, idx, points } = this;
    for (let k = ptr[i], last = ptr[i + 1] - 1; k <= last; k++) {
      const a = 2 * idx[k], b = 2 * idx[k === last ? ptr[i] : k + 1];
      const cross = (points[b] - points[a]) * (y - points[a + 1])
        - (points[b + 1] - points[a + 1]) * (x - points[a]);
      if (cross < 0) return false;
    }
    return true;
  }

  // Cells that may be seen in a window, or null for all of them.
  inside(view, window) {
    const whole = (window[2] - window[0]) * (window[3] - window[1]);
    const seen = (view[2] - view[0]) * (view[3] - view[1]);
    if (seen > 0.3 * whole) return null;
    const { side, column, line, start, list } = this.grid(window);
    const found = new Set();
    for (let r = line(view[1]); r <= line(view[3]); r++) {
      for (let c = column(view[0]); c <= column(view[2]); c++) {
        for (let k = start[r * side + c]; k < start[r * side + c + 1]; k++) found.add(list[k]);
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  patternOf(i, units) {
    if (!this.bits) return [...this.pattern.subarray(i * this.width, i * this.width + units)];
    const out = new Array(units);
    for (let u = 0; u < units; u++) {
      out[u] = (this.pattern[i * this.width + (u >> 3)] >> (7 - (u & 7))) & 1;
    }
    return out;
  }

  mapOf(i, outputs) {
    return this.maps ? this.maps.subarray(3 * outputs * i, 3 * outputs * (i + 1)) : null;
  }

  range(name) {
    let low = Infinity, high = -Infinity;
    for (const v of this[name]) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
    return [low, high];
  }
}

// -- colours -----------------------------------------------------------------------------------

const parse = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const css = (rgb) => `rgb(${rgb.map(Math.round).join(",")})`;

function ramp(part) {
  const at = Math.max(0, Math.min(0.999999, part)) * (VIRIDIS.length - 1), k = Math.floor(at);
  const a = parse(VIRIDIS[k]), b = parse(VIRIDIS[k + 1]);
  return css(a.map((v, c) => v + (at - k) * (b[c] - v)));
}

const RAMP = Array.from({ length: STEPS }, (_, k) => ramp(k / (STEPS - 1)));

function tint(hex, dark) {
  return dark ? css(parse(hex).map((v) => 0.6 * v)) : hex;
}

// -- the picture -------------------------------------------------------------------------------

class Picture {
  constructor(canvas, over, layout) {
    Object.assign(this, { canvas, over, layout });
    this.context = canvas.getContext("2d");
    this.lid = over.getContext("2d");
    this.kept = document.createElement("canvas"); // the last full picture, and its view
    this.state = { colour: "linear", edges: true, boundary: false, points: true, stage: 0,
      layers: layout.widths.map(() => true), dark: false };
    this.view = { scale: 1, x: 0, y: 0 };
    this.drawn = 0;
    this.fit();
  }

  resize() {
    const ratio = globalThis.devicePixelRatio || 1;
    const { width, height } = this.canvas.getBoundingClientRect();
    const before = this.canvas.width;
    for (const c of [this.canvas, this.over, this.kept]) {
      c.width = Math.max(1, Math.round(width * ratio));
      c.height = Math.max(1, Math.round(height * ratio));
    }
    this.ratio = ratio;
    if (before && before !== this.canvas.width && this.fitted) this.fit();
  }

  // x_screen = x + scale * x_domain, y_screen = y - scale * y_domain
  fit() {
    this.resize();
    const [x0, y0, x1, y1] = this.layout.window;
    const { width, height } = this.canvas;
    const room = 14 * this.ratio;
    const scale = Math.min((width - 2 * room) / (x1 - x0), (height - 2 * room) / (y1 - y0));
    this.view = { scale, x: (width - scale * (x0 + x1)) / 2, y: (height + scale * (y0 + y1)) / 2 };
    this.least = scale / 2;
    this.fitted = true;
  }

  toDomain(px, py) {
    const { scale, x, y } = this.view;
    return [(px - x) / scale, (y - py) / scale];
  }

  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.fitted = false;
  }

  zoom(factor, px, py) {
    const scale = Math.max(this.least, Math.min(this.least * 1e9, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.view = { scale, x: px + (this.view.x - px) * by, y: py + (this.view.y - py) * by };
    this.fitted = false;
  }

  window() {
    const [x0, y1] = this.toDomain(0, 0);
    const [x1, y0] = this.toDomain(this.canvas.width, this.canvas.height);
    return [x0, y0, x1, y1];
  }

  // While a slow picture is moved, the last one is moved as a whole; the true one follows.
  refresh(moving) {
    if (moving && this.drawn > SLOW && this.keptView) {
      this.shift();
      clearTimeout(this.later);
      this.later = setTimeout(() => this.paint(), 120);
      return;
    }
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  shift() {
    const by = this.view.scale / this.keptView.scale;
    const { context, canvas, kept } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(kept, this.view.x - by * this.keptView.x, this.view.y - by * this.keptView.y,
      by * canvas.width, by * canvas.height);
    this.highlight();
  }

  paint() {
    if (!this.frame) return;
    clearTimeout(this.later);
    const start = performance.now();
    const { context, canvas, frame, layout } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineJoin = context.lineCap = "round";
    const cells = frame.inside(this.window(), layout.window);
    this.fill(cells);
    if (this.state.edges) this.lines();
    if (this.state.boundary) this.level();
    if (this.state.points) this.data();
    // what is drawn here is filled in later: the time is known two frames on
    requestAnimationFrame(() => requestAnimationFrame(() => {
      this.drawn = performance.now() - start;
    }));
    this.kept.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    this.kept.getContext("2d").drawImage(canvas, 0, 0);
    this.keptView = { ...this.view };
    this.highlight();
  }

  trace(context, i) {
    const { ptr, idx, points } = this.frame, { scale, x, y } = this.view;
    for (let k = ptr[i]; k < ptr[i + 1]; k++) {
      const v = 2 * idx[k], px = x + scale * points[v], py = y - scale * points[v + 1];
      if (k === ptr[i]) context.moveTo(px, py);
      else context.lineTo(px, py);
    }
    context.closePath();
  }

  // Cells grouped by colour, each group filled at once and stroked thinly against gaps.
  fill(cells) {
    const paint = this.painter(), groups = new Map();
    const add = (i) => {
      const ink = paint(i);
      if (ink === null) return;
      if (!groups.has(ink)) groups.set(ink, []);
      groups.get(ink).push(i);
    };
    if (cells) cells.forEach(add);
    else for (let i = 0; i < this.frame.cells; i++) add(i);
    const { context } = this;
    context.lineWidth = 0.7 * this.ratio;
    for (const [ink, members] of groups) {
      context.fillStyle = context.strokeStyle = ink;
      for (let at = 0; at < members.length; at += CHUNK) {
        context.beginPath();
        for (const i of members.slice(at, at + CHUNK)) this.trace(context, i);
        context.fill();
        context.stroke();
      }
    }
    if (this.state.colour === "output") this.refine(cells);
  }

  // A function from a cell to its colour (null: drawn otherwise).
  painter() {
    const { frame, layout } = this, { colour, stage, dark } = this.state;
    const soft = layout.palette.map((hex) => tint(hex, dark));
    const last = stage >= layout.units;
    if (colour === "slope" || (colour === "output" && layout.outputs === 1)) {
      const [low, high] = frame.range(colour === "slope" ? "slope" : "value");
      const of = colour === "slope" ? (i) => frame.slope[i] : (i) => this.mean(i);
      return (i) => RAMP[Math.round(((of(i) - low) / (high - low || 1)) * (STEPS - 1))];
    }
    if (colour === "output") {
      return (i) => (frame.winner[i] === 65535 ? null : soft[layout.classColours[frame.winner[i]]]);
    }
    if (colour === "depth") {
      const now = layout.layerOf(stage);
      return (i) => this.depthColour(Math.min(frame.depth[i], now));
    }
    const hue = !last ? frame.stageHue(stage, layout.paletteSize)
      : colour === "linear" ? frame.hueLinear : frame.hueCell;
    return (i) => soft[hue[i]];
  }

  layerColour(layer) {
    return this.layout[this.state.dark ? "layerColoursDark" : "layerColours"][layer - 1];
  }

  depthColour(layer) {
    if (layer === 0) return this.state.dark ? "#26262b" : "#f7f7f7";
    const light = parse(this.layout.layerColours[layer - 1]).map((v) => 0.55 * v + 115);
    return css(this.state.dark ? light.map((v) => 0.6 * v) : light);
  }

  mean(i) {
    const { ptr, idx, value } = this.frame;
    let sum = 0;
    for (let k = ptr[i]; k < ptr[i + 1]; k++) sum += value[idx[k]];
    return sum / (ptr[i + 1] - ptr[i]);
  }

  // One output: a gradient in each cell that is large on the screen, for the function is affine
  // there. Several: the cells in which more than one class wins.
  refine(cells) {
    const { context, frame, layout } = this;
    if (layout.outputs > 1) {
      for (let p = 0; p + 1 < frame.piecePtr.length; p++) this.piece(p);
      return;
    }
    if (!frame.maps) return;
    const [low, high] = frame.range("value");
    const shade = (i) => {
      const [x0, y0, x1, y1] = frame.bounds(i);
      if (Math.max(x1 - x0, y1 - y0) * this.view.scale < 16 * this.ratio) return;
      const gradient = this.gradient(i, low, high);
      if (!gradient) return;
      context.fillStyle = gradient;
      context.beginPath();
      this.trace(context, i);
      context.fill();
    };
    if (cells) cells.forEach(shade);
    else for (let i = 0; i < frame.cells; i++) shade(i);
  }

  gradient(i, low, high) {
    const { frame, view } = this, [a, b] = frame.mapOf(i, 1), square = a * a + b * b;
    let least = Infinity, most = -Infinity, corner = 0;
    for (let k = frame.ptr[i]; k < frame.ptr[i + 1]; k++) {
      const v = frame.value[frame.idx[k]];
      if (v < least) [least, corner] = [v, 2 * frame.idx[k]];
      if (v > most) most = v;
    }
    if (!(square > 0) || (most - least) / (high - low || 1) < 0.5 / STEPS) return null;
    const x = frame.points[corner], y = frame.points[corner + 1], far = (most - least) / square;
    const made = this.context.createLinearGradient(view.x + view.scale * x,
      view.y - view.scale * y, view.x + view.scale * (x + far * a),
      view.y - view.scale * (y + far * b));
    for (let k = 0; k <= 8; k++) {
      made.addColorStop(k / 8, ramp((least + ((most - least) * k) / 8 - low) / (high - low || 1)));
    }
    return made;
  }

  piece(p) {
    const { context, frame, layout, view } = this;
    context.fillStyle = context.strokeStyle = tint(
      layout.palette[layout.classColours[frame.pieceClass[p]]], this.state.dark);
    context.beginPath();
    for (let k = frame.piecePtr[p]; k < frame.piecePtr[p + 1]; k++) {
      context.lineTo(view.x + view.scale * frame.piecePoints[2 * k],
        view.y - view.scale * frame.piecePoints[2 * k + 1]);
    }
    context.closePath();
    context.fill();
    context.stroke();
  }

  // Edges by layer, the deepest first; those of the newest unit stand out.
  lines() {
    const { frame, layout, context } = this, { stage, colour, layers, dark } = this.state;
    const groups = new Map(), last = stage >= layout.units;
    const merge = last && colour === "linear";
    for (let f = 0; f < frame.unit.length; f++) {
      const unit = frame.unit[f];
      if (unit > stage) continue;
      const layer = unit === 0 ? 0 : layout.layerOf(unit);
      if (layer && !layers[layer - 1]) continue;
      const inner = merge && unit
        && frame.linear[frame.sides[2 * f]] === frame.linear[frame.sides[2 * f + 1]];
      const key = !last && unit === stage && unit ? 2000 + layer : layer + (inner ? 1000 : 0);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(f);
    }
    const zoomed = Math.min(2.2, Math.max(1, Math.sqrt(this.view.scale / (2 * this.least))));
    const wide = Math.min(1.7, Math.max(0.45, 20 / Math.sqrt(frame.cells))) * this.ratio * zoomed;
    const depth = layout.widths.length;
    const order = (key) => (key >= 2000 ? 1e6 : depth - (key % 1000));
    for (const key of [...groups.keys()].sort((a, b) => order(a) - order(b))) {
      const layer = key % 1000;
      context.strokeStyle = layer ? this.layerColour(layer) : dark ? "#ccc" : "#222";
      context.lineWidth = wide * (1 - (0.5 * Math.max(layer - 1, 0)) / Math.max(depth - 1, 1));
      if (key >= 2000) context.lineWidth = Math.max(2.5 * context.lineWidth, 2 * this.ratio);
      context.globalAlpha = key >= 1000 && key < 2000 ? 0.3 : 1;
      this.segments(groups.get(key));
    }
    context.globalAlpha = 1;
  }

  segments(list) {
    const { context, view, frame } = this, { edges, points } = frame;
    for (let at = 0; at < list.length; at += 4 * CHUNK) {
      context.beginPath();
      for (const f of list.slice(at, at + 4 * CHUNK)) {
        const a = 2 * edges[2 * f], b = 2 * edges[2 * f + 1];
        context.moveTo(view.x + view.scale * points[a], view.y - view.scale * points[a + 1]);
        context.lineTo(view.x + view.scale * points[b], view.y - view.scale * points[b + 1]);
      }
      context.stroke();
    }
  }

  level() {
    const { context, view, frame, ratio } = this, { dark } = this.state;
    context.beginPath();
    for (let k = 0; k < frame.level.length; k += 4) {
      const [a, b, c, d] = frame.level.subarray(k, k + 4);
      context.moveTo(view.x + view.scale * a, view.y - view.scale * b);
      context.lineTo(view.x + view.scale * c, view.y - view.scale * d);
    }
    for (const [ink, width] of [[dark ? "#000" : "#fff", 5], [dark ? "#fff" : "#000", 2.4]]) {
      context.strokeStyle = ink;
      context.lineWidth = width * ratio;
      context.stroke();
    }
  }

  data() {
    const { context, view, layout, ratio } = this;
    const size = Math.max(2, Math.min(5, 45 / Math.sqrt(layout.points.length || 1))) * ratio;
    context.font = `bold ${13 * ratio}px system-ui, sans-serif`;
    layout.points.forEach(([x, y], k) => {
      const px = view.x + view.scale * x, py = view.y - view.scale * y;
      context.fillStyle = layout.inks.length ? layout.inks[k] : "#000";
      context.strokeStyle = "#fff";
      context.lineWidth = (layout.inks.length ? 0.8 : 1.2) * ratio;
      context.beginPath();
      context.arc(px, py, size, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      if (layout.labels.length) {
        context.lineWidth = 3 * ratio;
        context.strokeText(layout.labels[k], px + 1.6 * size, py - size);
        context.fillText(layout.labels[k], px + 1.6 * size, py - size);
      }
    });
  }

  // The chosen cell (at an early stage, all that it will become), on the canvas above.
  highlight() {
    const { lid, over, frame } = this, { stage, dark } = this.state;
    lid.clearRect(0, 0, over.width, over.height);
    if (!frame || !(this.chosen >= 0)) return;
    const last = stage >= this.layout.units;
    const label = last ? frame.linear : frame.stageOf(stage).root;
    lid.fillStyle = dark ? "rgba(255,255,255,0.28)" : "rgba(255,255,255,0.45)";
    lid.beginPath();
    for (let i = 0; i < frame.cells; i++) {
      if (label[i] === label[this.chosen]) this.trace(lid, i);
    }
    lid.fill();
    if (last) {
      lid.lineJoin = "round";
      lid.beginPath();
      this.trace(lid, this.chosen);
      for (const [ink, width] of [["#fff", 4.5], ["#000", 2.2]]) {
        lid.strokeStyle = ink;
        lid.lineWidth = width * this.ratio;
        lid.stroke();
      }
    }
    if (this.cross) this.crosshair();
  }

  crosshair() {
    const { lid, over, ratio } = this, x = over.width / 2, y = over.height / 2;
    for (const [ink, width] of [["#fff", 4], ["#000", 1.6]]) {
      lid.strokeStyle = ink;
      lid.lineWidth = width * ratio;
      lid.beginPath();
      lid.moveTo(x - 9 * ratio, y);
      lid.lineTo(x + 9 * ratio, y);
      lid.moveTo(x, y - 9 * ratio);
      lid.lineTo(x, y + 9 * ratio);
      lid.stroke();
    }
  }
}

// -- words -------------------------------------------------------------------------------------

const number = (v) => (v === 0 ? "0" : String(Number(v.toPrecision(4)))).replace("-", "−");
const many = (n) => n.toLocaleString("en");

function affine([a, b, c], axes) {
  const term = (v, name) => `${v < 0 ? "−" : "+"} ${number(Math.abs(v))}${name}`;
  const text = [[a, ` ${axes[0]}`], [b, ` ${axes[1]}`], [c, ""]].map(([v, n]) => term(v, n));
  return text.join(" ").replace(/^\+ /, "").replace(/^− /, "−");
}

function patternText(pieces, widths, stage) {
  let at = 0;
  return widths.map((width) => {
    const text = pieces.slice(at, at + width).map((p, u) => (at + u < stage ? p : "·")).join("");
    at += width;
    return text;
  }).join("\n");
}

// -- the page ----------------------------------------------------------------------------------

export function mount(root, layout, texts) {
  const one = (selector) => root.querySelector(selector);
  const say = (field, text) => (one(`[data-field="${field}"]`).textContent = text);
  layout.units = layout.widths.reduce((a, b) => a + b, 0);
  layout.ends = layout.widths.map((_, k) => layout.widths.slice(0, k + 1).reduce((a, b) => a + b, 0));
  layout.layerOf = (unit) => (unit === 0 ? 0 : layout.ends.findIndex((end) => unit <= end) + 1);
  const table = new Uint8Array(layout.units + 1).map((_, u) => layout.layerOf(u));
  layout.layerOf = (unit) => table[unit];
  const picture = new Picture(one("canvas.cells"), one("canvas.over"), layout);
  const { state, canvas } = picture;
  const frames = new Map();
  let now = 0;
  state.stage = layout.units;

  async function show(index) {
    now = index;
    if (!frames.has(index)) {
      frames.set(index, unpack(texts[index]()).then((b) => new Frame(layout.frames[index], b)));
    }
    const frame = await frames.get(index);
    if (now !== index) return; // another one was asked for meanwhile
    picture.frame = frame;
    picture.chosen = picture.cross ? centre() : -1;
    say("activation", many(frame.cells));
    say("linear", many(frame.countLinear()));
    say("exact", frame.exact ? "exact" : "by floating point, not certified");
    say("frame", `${frame.name} (${index + 1} of ${layout.frames.length})`);
    one("#frame").value = index;
    counts();
    stage(state.stage);
    legend();
    describe();
    picture.paint();
  }

  function stage(value) {
    state.stage = Math.max(0, Math.min(layout.units, Number(value)));
    one("#stage").value = state.stage;
    const layer = layout.layerOf(state.stage), cells = picture.frame.stageOf(state.stage).count;
    const before = layer > 1 ? layout.ends[layer - 2] : 0;
    const where = state.stage === layout.units ? "all units"
      : layer === 0 ? "no unit" : `layer ${layer}, unit ${state.stage - before}`;
    say("stage", `${where} · ${many(cells)} ${cells === 1 ? "cell" : "cells"}`);
    one("#stage").setAttribute("aria-valuetext", `${where}, ${cells} cells`);
    root.querySelectorAll("[data-layer]").forEach((b) => {
      b.setAttribute("aria-pressed", String(layout.ends[b.dataset.layer] === state.stage));
    });
    picture.refresh(false);
    describe();
    return cells;
  }

  function counts() {
    root.querySelectorAll(".cells-after").forEach((span, k) => {
      span.textContent = many(picture.frame.counts[layout.ends[k]]);
    });
  }

  // -- the cell under the pointer

  function point(px, py) {
    const [x, y] = picture.toDomain(px, py);
    say("at", `${layout.axes[0]} = ${number(x)}, ${layout.axes[1]} = ${number(y)}`);
    choose(picture.frame ? picture.frame.cellAt(x, y, layout.window) : -1);
  }

  function choose(cell) {
    if (cell === picture.chosen) return;
    picture.chosen = cell;
    picture.highlight();
    describe();
  }

  function describe() {
    const i = picture.chosen, { frame } = picture, found = frame && i >= 0;
    one('[data-part="cell"]').hidden = !found;
    say("cell", found ? `Cell ${many(i)}` : "Hover a cell");
    if (!found) return;
    const { root: label } = frame.stageOf(state.stage);
    let area = 0;
    for (let k = 0; k < frame.cells; k++) if (label[k] === label[i]) area += frame.areas[k];
    say("area", number(area));
    const last = state.stage >= layout.units; // an early cell has no affine map of its own
    say("region", last ? many(frame.linear[i]) : "with all units");
    say("slope", last ? number(frame.slope[i]) : "with all units");
    say("pattern", patternText(frame.patternOf(i, layout.units), layout.widths, state.stage));
    const map = frame.mapOf(i, layout.outputs);
    const rows = Array.from({ length: map && last ? layout.outputs : 0 }, (_, o) => {
      const text = affine(map.subarray(3 * o, 3 * o + 3), layout.axes);
      return layout.outputs > 1 ? `f${o} = ${text}` : text;
    });
    const none = last ? "left out of this page for its size" : "with all units";
    say("map", rows.join("\n") || none);
  }

  const centre = () => {
    const at = picture.toDomain(canvas.width / 2, canvas.height / 2);
    return picture.frame ? picture.frame.cellAt(...at, layout.window) : -1;
  };

  // -- legend of the colours

  function legend() {
    const part = one('[data-part="legend"]');
    part.replaceChildren();
    const chip = (ink, text) => {
      const span = document.createElement("span"), dot = document.createElement("i");
      dot.className = "chip";
      dot.style.background = ink;
      span.append(dot, ` ${text}`);
      return span;
    };
    const chips = document.createElement("div");
    chips.className = "chips";
    if (state.colour === "output" && layout.outputs > 1) {
      for (let c = 0; c < layout.outputs; c++) {
        chips.append(chip(tint(layout.palette[layout.classColours[c]], state.dark), `class ${c}`));
      }
      part.append(chips);
    } else if (state.colour === "depth") {
      for (let k = 0; k <= layout.widths.length; k++) {
        chips.append(chip(picture.depthColour(k), k ? `layer ${k}` : "uncut"));
      }
      part.append(chips);
    } else if (state.colour === "slope" || state.colour === "output") {
      const bar = document.createElement("div"), ends = document.createElement("div");
      bar.className = "ramp";
      bar.style.background = `linear-gradient(to right, ${VIRIDIS.join(",")})`;
      ends.className = "ends";
      const range = picture.frame.range(state.colour === "slope" ? "slope" : "value");
      ends.innerHTML = `<span>${number(range[0])}</span><span>${number(range[1])}</span>`;
      part.append(bar, ends);
    }
  }

  // -- controls

  function build() {
    say("domain", layout.domain);
    say("boundary-name", layout.outputs > 1 ? "decision boundary" : "zero set");
    one('[data-part="points"]').hidden = !layout.points.length;
    one('[data-part="time"]').hidden = layout.frames.length < 2;
    one("#frame").max = layout.frames.length - 1;
    one("#stage").max = layout.units;
    const names = { linear: "linear region", activation: "activation region", slope: "slope",
      output: layout.outputs > 1 ? "winning class" : "output", depth: "depth" };
    for (const [value, text] of Object.entries(names)) one("#colour").add(new Option(text, value));
    layout.widths.forEach((width, k) => layerRow(k, width));
  }

  function layerRow(k, width) {
    const box = document.createElement("input"), swatch = document.createElement("span");
    box.type = "checkbox";
    box.checked = true;
    box.setAttribute("aria-label", `edges of layer ${k + 1}`);
    box.addEventListener("change", () => {
      state.layers[k] = box.checked;
      picture.refresh(false);
    });
    swatch.className = "swatch";
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.layer = k;
    button.textContent = `layer ${k + 1}: ${width} units`;
    button.title = "show the partition after this layer";
    button.addEventListener("click", () => stage(layout.ends[k]));
    const cells = document.createElement("span");
    cells.className = "cells-after";
    one('[data-part="layers"]').append(box, swatch, button, cells);
  }

  function theme(dark) {
    state.dark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    root.querySelectorAll(".swatch").forEach((s, k) => {
      s.style.borderColor = picture.layerColour(k + 1);
    });
    if (picture.frame) legend();
    picture.refresh(false);
  }

  function player(name, step, pause) {
    const button = one(`[data-do="${name}"]`);
    let timer = 0;
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      button.textContent = on ? "Pause" : "Play";
      clearInterval(timer);
      if (on) timer = setInterval(step, pause);
    });
  }

  function listen() {
    one("#frame").addEventListener("input", (e) => show(Number(e.target.value)));
    one("#stage").addEventListener("input", (e) => stage(e.target.value));
    one("#colour").addEventListener("change", (e) => {
      state.colour = e.target.value;
      legend();
      picture.refresh(false);
    });
    for (const name of ["edges", "boundary", "points"]) {
      one(`#${name}`).addEventListener("change", (e) => {
        state[name] = e.target.checked;
        picture.refresh(false);
      });
    }
    one('[data-do="theme"]').addEventListener("click", () => theme(!state.dark));
    const prefers = globalThis.matchMedia("(prefers-color-scheme: dark)");
    prefers.addEventListener("change", (e) => theme(e.matches));
    theme(prefers.matches);
    player("play-stage", () => stage(state.stage >= layout.units ? 0 : state.stage + 1), 350);
    player("play-time", () => show((now + 1) % layout.frames.length), 900);
    new ResizeObserver(() => {
      picture.resize();
      picture.paint();
    }).observe(canvas);
    pointers();
    canvas.addEventListener("keydown", keys);
    canvas.addEventListener("blur", () => {
      picture.cross = false;
      picture.highlight();
    });
  }

  // One pointer pans, two pinch; a pointer that is up only hovers.
  function pointers() {
    const down = new Map();
    const place = (e) => {
      const box = canvas.getBoundingClientRect();
      return [(e.clientX - box.left) * picture.ratio, (e.clientY - box.top) * picture.ratio];
    };
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      down.set(e.pointerId, place(e));
      picture.cross = false;
      point(...place(e));
    });
    canvas.addEventListener("pointermove", (e) => {
      const [x, y] = place(e);
      if (!down.has(e.pointerId)) {
        picture.cross = false;
        point(x, y);
        return;
      }
      const [a, b] = down.get(e.pointerId);
      if (down.size === 1) picture.pan(x - a, y - b);
      if (down.size === 2) {
        const [other] = [...down.entries()].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
        const before = Math.hypot(a - other[0], b - other[1]);
        picture.zoom(Math.hypot(x - other[0], y - other[1]) / (before || 1), ...other);
      }
      down.set(e.pointerId, [x, y]);
      picture.refresh(true);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (e) => down.delete(e.pointerId));
    }
    canvas.addEventListener("pointerleave", () => {
      if (!picture.cross) choose(-1);
      say("at", "");
    });
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const lines = e.deltaMode === 1 ? 18 : 1;
      picture.zoom(Math.exp(-0.0018 * lines * e.deltaY), ...place(e));
      picture.refresh(true);
    }, { passive: false });
    canvas.addEventListener("dblclick", (e) => {
      picture.zoom(2, ...place(e));
      picture.refresh(false);
    });
  }

  function keys(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const { width, height } = canvas, step = 0.08 * Math.min(width, height);
    const toggle = (name) => one(`#${name}`).click();
    const actions = {
      ArrowLeft: () => picture.pan(step, 0), ArrowRight: () => picture.pan(-step, 0),
      ArrowUp: () => picture.pan(0, step), ArrowDown: () => picture.pan(0, -step),
      "+": () => picture.zoom(1.3, width / 2, height / 2),
      "=": () => picture.zoom(1.3, width / 2, height / 2),
      "-": () => picture.zoom(1 / 1.3, width / 2, height / 2),
      0: () => picture.fit(),
      "[": () => stage(state.stage - 1), "]": () => stage(state.stage + 1),
      ",": () => show(Math.max(0, now - 1)),
      ".": () => show(Math.min(layout.frames.length - 1, now + 1)),
      b: () => toggle("boundary"), e: () => toggle("edges"),
    };
    if (!actions[e.key]) return;
    e.preventDefault();
    actions[e.key]();
    picture.cross = true;
    choose(centre());
    picture.refresh(false);
  }

  build();
  listen();
  const ready = show(0);
  return {
    ready,
    count: (kind = "activation") =>
      kind === "linear" ? picture.frame.countLinear() : picture.frame.cells,
    cellAt: (x, y) => {
      const i = picture.frame.cellAt(x, y, layout.window);
      return i < 0 ? null : { cell: i, linear: picture.frame.linear[i], area: picture.frame.areas[i],
        pattern: picture.frame.patternOf(i, layout.units).join("") };
    },
    stage, frame: show,
    onScreen: (x, y) => {
      const { scale, x: left, y: top } = picture.view, box = canvas.getBoundingClientRect();
      return [box.left + (left + scale * x) / picture.ratio,
        box.top + (top - scale * y) / picture.ratio];
    },
    view: () => ({ ...picture.view, seconds: picture.drawn / 1000 }),
  };
}

const layout = JSON.parse(document.getElementById("layout").textContent);
const texts = layout.frames.map((_, k) => () => document.getElementById(`frame-${k}`).textContent);
window.linregions = mount(document, layout, texts);
window.linregions.ready.catch((error) => {
  document.querySelector('[data-field="exact"]').textContent = error.message;
});
