// Charts as SVG elements that take their colours from the style sheet, so that they follow light, dark and print.
//
// Colours and marks of reward models are those of the figures. A dark page shows them lighter.

const SVG = "http://www.w3.org/2000/svg";

function draw(tag, properties, ...children) {
  return set(document.createElementNS(SVG, tag), properties, children);
}

// Vega's symbols, in a square from -1 to 1; other shapes are paths themselves.
const SYMBOLS = {
  circle: "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",
  square: "M-0.88,-0.88H0.88V0.88H-0.88Z",
  diamond: "M0,-1.15L1.15,0L0,1.15L-1.15,0Z",
  cross: "M-1,-0.35H-0.35V-1H0.35V-0.35H1V0.35H0.35V1H-0.35V0.35H-1Z",
  "triangle-up": "M0,-1.05L1.1,0.9H-1.1Z",
  "triangle-down": "M0,1.05L1.1,-0.9H-1.1Z",
  "triangle-left": "M-1.05,0L0.9,-1.1V1.1Z",
  "triangle-right": "M1.05,0L-0.9,-1.1V1.1Z",
  arrow: "M0,-1.1L0.8,0.1H0.28V1.1H-0.28V0.1H-0.8Z",
};

// Gives an element the colour of a style; the style sheet has the rest.
function coloured(element, style) {
  element.classList.add("series");
  element.style.setProperty("--colour", style.colour);
  return element;
}

function symbol(style, size = 4.2) {
  const path = draw("path", { d: SYMBOLS[style.shape] ?? style.shape, transform: `scale(${size})`, "stroke-width": 1.5 / size });
  path.setAttribute("class", style.is_filled ? "symbol filled" : "symbol");
  return path;
}

// A style's mark within a line of text.
function mark(style) {
  const picture = draw("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, class: "mark", "aria-hidden": "true" }, symbol(style));
  return coloured(picture, style);
}

// Round numbers that divide a range into about `count` parts.
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough - 1e-9);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + 1e-9; place += 1) found.push(place * step);
  return found;
}

// A range as a picture that is as wide as its place: the interval as a line, the value as a mark, zero as a thin line.
function rangePicture({ value, low, high }, [from, to], style, words) {
  const share = (number) => `${((100 * (number - from)) / (to - from)).toFixed(3)}%`;
  const picture = draw("svg", { class: "range", width: "100%", height: 22, role: "img", "aria-label": words });
  const middle = 11;
  if (from <= 0 && to >= 0) picture.append(draw("line", { class: "zero", x1: share(0), x2: share(0), y1: 0, y2: 22 }));
  if (low != null) picture.append(draw("line", { class: "interval", x1: share(low), x2: share(high), y1: middle, y2: middle }));
  picture.append(draw("svg", { x: share(value), y: middle, overflow: "visible" }, symbol(style, 4.6)));
  return coloured(picture, style);
}

// The charts that are on the page, by their elements.
const lineCharts = new WeakMap();

// Paper has a width of its own, and on it are charts, too, that were not yet seen: they would be tiny.
function drawForPaper() {
  for (const element of document.querySelectorAll(".line-chart")) lineCharts.get(element).render(element.closest(".main") ? 700 : 230);
}

function drawForScreen() {
  for (const element of document.querySelectorAll(".line-chart")) lineCharts.get(element).render(element.clientWidth || 320);
}

// Lines of accuracy over N, with intervals as bands. Pointing at it, or the arrow keys, tell the numbers at one N.
//
// `series` are {style, label, points: [{n, value, low, high, words}]}; `range` is that of the vertical axis; `about` is
// told beside N.
class LineChart {
  constructor(series, { range, sizes, height = 200, label, about = "" }) {
    this.series = series;
    this.range = range;
    this.sizes = sizes;
    this.height = height;
    this.about = about;
    this.place = null;
    this.width = 0;
    this.picture = draw("svg", { class: "lines", height, tabindex: 0, role: "img", "aria-label": label });
    this.element = make("div", { class: "line-chart" }, this.picture);
    this.element.style.setProperty("--band", Math.min(0.1, 0.5 / Math.max(series.length, 1)));
    lineCharts.set(this.element, this);
    this.render(320);
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width > 0 && width !== this.width) this.render(width);
    }).observe(this.element);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerdown", (event) => this.point(event));
    // A finger leaves at once; what it asked for stays until another place is touched.
    this.picture.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.tell(null);
    });
    this.picture.addEventListener("blur", () => this.tell(null));
    this.picture.addEventListener("keydown", (event) => this.onKey(event));
  }

  x(n) {
    const [first, last] = [this.sizes[0], this.sizes.at(-1)].map(Math.log2);
    const share = last > first ? (Math.log2(n) - first) / (last - first) : 0.5;
    return 34 + share * (this.width - 34 - 12);
  }

  y(value) {
    const [low, high] = this.range;
    return 8 + (1 - (value - low) / (high - low)) * (this.height - 8 - 24);
  }

  render(width) {
    this.width = width;
    set(this.picture, { width, viewBox: `0 0 ${width} ${this.height}` }, []);
    this.picture.replaceChildren(...this.axes(), ...this.series.map((each) => this.line(each)));
    this.guide = draw("line", { class: "guide", y1: 8, y2: this.height - 24, visibility: "hidden" });
    this.picture.append(this.guide);
  }

  axes() {
    const parts = [];
    for (const value of ticks(...this.range, 4)) {
      const y = this.y(value);
      parts.push(draw("line", { class: "grid", x1: 34, x2: this.width - 6, y1: y, y2: y }));
      parts.push(draw("text", { x: 28, y: y + 4, "text-anchor": "end" }, `${value}`));
    }
    for (const n of this.sizes) parts.push(draw("text", { x: this.x(n), y: this.height - 6, "text-anchor": "middle" }, `${n}`));
    return parts;
  }

  line({ style, points }) {
    const group = coloured(draw("g", {}), style);
    const known = points.filter((point) => point.low != null);
    if (known.length > 1) {
      const edge = [...known.map((point) => [point.n, point.high]), ...known.toReversed().map((point) => [point.n, point.low])];
      group.append(draw("path", { class: "band", d: this.path(edge) }));
    } else if (points.length === 1 && known.length === 1) {
      const [x, { low, high }] = [this.x(known[0].n), known[0]];
      group.append(draw("line", { class: "interval", x1: x, x2: x, y1: this.y(low), y2: this.y(high) }));
    }
    if (points.length > 1) {
      group.append(draw("path", { class: "line", d: this.path(points.map((point) => [point.n, point.value])), "stroke-dasharray": dashes(style) }));
    }
    for (const point of points) {
      group.append(draw("g", { transform: `translate(${this.x(point.n)},${this.y(point.value)})` }, symbol(style, 3.6)));
    }
    return group;
  }

  path(places) {
    return places.map(([n, value], place) => `${place ? "L" : "M"}${this.x(n).toFixed(1)},${this.y(value).toFixed(1)}`).join("");
  }

  point(event) {
    const box = this.picture.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.width;
    const distances = this.sizes.map((n) => Math.abs(this.x(n) - at));
    this.tell(distances.indexOf(Math.min(...distances)));
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.tell(null);
    if (!step) return;
    event.preventDefault();
    const last = this.sizes.length - 1;
    this.tell(Math.min(Math.max((this.place ?? (step > 0 ? -1 : last + 1)) + step, 0), last));
  }

  // Shows the numbers at one of the sizes; null for none.
  tell(place) {
    if (place === this.place) return;
    this.place = place;
    if (place === null) {
      this.guide.setAttribute("visibility", "hidden");
      tip.hide();
      return;
    }
    const n = this.sizes[place];
    const x = this.x(n);
    set(this.guide, { x1: x, x2: x, visibility: "visible" }, []);
    const found = this.series
      .map((each) => ({ ...each, point: each.points.find((point) => point.n === n) }))
      .filter((each) => each.point)
      .toSorted((one, other) => other.point.value - one.point.value);
    const rows = found.map(({ style, label, point }) =>
      make("tr", {}, make("th", { scope: "row" }, mark(style), " ", said(label)), ...point.words.map((word) => make("td", {}, word))),
    );
    const box = this.picture.getBoundingClientRect();
    tip.show([make("strong", {}, `N = ${n}`), this.about ? `, ${this.about}` : "", make("table", {}, make("tbody", {}, ...rows))], box.left + (x / this.width) * box.width, box);
  }
}

function dashes(style) {
  const [dash, gap] = style.dash;
  return style.dash.length === 2 && gap === 0 && dash ? null : style.dash.join(" ");
}

// One small box for all charts, beside what it is about.
const tip = {
  element: null,
  show(content, x, around) {
    this.element ??= document.body.appendChild(make("div", { class: "tip", role: "status" }));
    this.element.replaceChildren(...content);
    this.element.hidden = false;
    const { width, height } = this.element.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const beside = x + 14 + width < room ? x + 14 : x - 14 - width;
    const left = Math.min(Math.max(beside, 8), Math.max(room - width - 8, 8));
    const above = around.top - height - 8;
    // Where it would cover the chart on a narrow screen, it is above or below.
    const isNarrow = left < x + 8 && left + width > x - 8;
    const top = isNarrow ? (above > 0 ? above : around.bottom + 8) : Math.max(around.top, 8);
    this.element.style.setProperty("left", `${left + scrollX}px`);
    this.element.style.setProperty("top", `${top + scrollY}px`);
  },
  hide() {
    if (this.element) this.element.hidden = true;
  },
};
