// Wakes the moving figures up: controls beside each still figure, which redraw its marks by numerics.js. What is drawn
// where is as in optimlib/lab/play/drawing.py.
"use strict";

(() => {
  const FAR = 2000, HEAD = 8, ARM = 6; // pixels
  const PAUSE = 700; // milliseconds without a change, after which a screen reader hears what is seen
  const { digits, grouped, raised, figures } = globalThis.optimPlay;

  // From points to pixels

  function placer(inside) {
    const { x, y, log } = JSON.parse(inside.dataset.scale);
    const part = (axis, number, [low, high]) => {
      const on = (n) => (log.includes(axis) ? Math.log10(Math.max(n, 1e-300)) : n);
      return (on(number) - on(low)) / (on(high) - on(low));
    };
    const [width, height] = ["width", "height"].map((name) => Number(inside.getAttribute(name)));
    const near = (pixels) => Math.min(FAR, Math.max(-FAR, pixels));
    return (point) => [near(part("x", point[0], x) * width), near((1 - part("y", point[1], y)) * height)];
  }

  const write = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;

  function head([x0, y0], [x1, y1]) {
    const [dx, dy] = [x1 - x0, y1 - y0];
    const size = HEAD / Math.max(Math.hypot(dx, dy), 1e-9);
    const back = [x1 - size * dx, y1 - size * dy];
    const side = [0.4 * size * dy, -0.4 * size * dx];
    const [one, other] = [1, -1].map((s) => [back[0] + s * side[0], back[1] + s * side[1]]);
    return `M${write(one)}L${write([x1, y1])}L${write(other)}`;
  }

  function outline(kind, points, place) {
    if (kind === "dots" || kind === "crosses") {
      const shape = kind === "dots" ? "h0" : `m-${ARM},-${ARM}l${2 * ARM},${2 * ARM}m0,-${2 * ARM}l-${2 * ARM},${2 * ARM}`;
      return points.map((point) => (point ? `M${write(place(point))}${shape}` : "")).join("");
    }
    const line = points.map((point, k) => (point ? (points[k - 1] ? "L" : "M") + write(place(point)) : "")).join("");
    if (kind === "area") return `${line}Z`;
    const isArrow = kind === "arrow" && points[0] && points.at(-1);
    return isArrow ? line + head(place(points[0]), place(points.at(-1))) : line;
  }

  // Controls

  const VALUES = {
    linear: (place) => place,
    log10: (place) => Number((10 ** place).toPrecision(3)),
    log2: (place) => 2 ** place,
    "one minus": (place) => Number((1 - 10 ** -place).toPrecision(4)),
  };

  function written(value, scale) {
    if (scale === "log2") return `2${raised(Math.round(Math.log2(value)))}`;
    return value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4) ? grouped(value) : digits(value);
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  let serial = 0;

  // A control is an object with its elements, its value, and a way back.
  function slider({ name, label, low, high, step, scale, unit, value, place }, changed) {
    const id = `play-${name}-${++serial}`;
    const input = element("input", { type: "range", id, name, min: low, max: high, step });
    const at = (k) => Number((low + k * step).toPrecision(9)); // 0.3, not 0.30000000000000004
    const count = Math.round((high - low) / step) + 1;
    const texts = Array.from({ length: count }, (_, k) => written(VALUES[scale](at(k)), scale) + unit);
    const shown = element("output", { for: id, "data-texts": texts.join("\n") });
    const control = { elements: [element("label", { for: id }, label), input, shown], name };
    const take = (taken) => {
      control.value = taken;
      shown.textContent = written(taken, scale) + unit;
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    control.reset = () => {
      input.value = place;
      take(value);
    };
    input.addEventListener("input", () => {
      take(VALUES[scale](Number(input.value)));
      changed();
    });
    control.reset();
    return control;
  }

  function choice({ name, label, options, value }, changed) {
    const id = `play-${name}-${++serial}`;
    const select = element("select", { id, name }, ...options.map((option) => element("option", {}, option)));
    const control = {
      elements: [element("label", { for: id }, label), select, element("span")],
      name,
      get value() {
        return select.value;
      },
      reset() {
        select.value = value;
      },
    };
    select.addEventListener("change", changed);
    control.reset();
    return control;
  }

  // Figures

  function wake(figure) {
    const compute = figures[figure.dataset.play];
    const { controls: wanted, fixed } = JSON.parse(figure.dataset.options);
    const marks = [...figure.querySelectorAll("[data-mark]")].map((mark) => [mark, placer(mark.parentNode)]);
    const said = figure.querySelector(".play-said");
    const heard = element("p", { class: "play-heard", role: "status" });
    let timer;
    const draw = () => {
      const settings = Object.fromEntries(controls.map(({ name, value }) => [name, value]));
      const found = compute({ ...fixed, ...settings });
      for (const [mark, place] of marks) {
        mark.setAttribute("d", outline(mark.dataset.kind, found.points[mark.dataset.mark], place));
      }
      said.textContent = found.said.replace(/ ([=×]) /g, "\u00a0$1\u00a0"); // no line ends there
    };
    const changed = () => {
      draw();
      clearTimeout(timer);
      timer = setTimeout(() => (heard.textContent = said.textContent), PAUSE);
    };
    const controls = wanted.map((one) => (one.options ? choice : slider)(one, changed));
    const back = element("button", { type: "button" }, "Reset");
    back.addEventListener("click", () => {
      for (const control of controls) control.reset();
      changed();
    });
    const box = element("div", { class: "play-controls" }, ...controls.flatMap(({ elements }) => elements), back);
    said.before(box); // above: the controls stay where they are when it grows by a line
    figure.append(heard);
    figure.classList.add("play-awake");
    draw();
  }

  const wakeAll = () => document.querySelectorAll(".play:not(.play-awake)").forEach(wake);

  // Also those that a cell, run in the page, shows later.
  const start = () => {
    wakeAll();
    new MutationObserver(wakeAll).observe(document.body, { childList: true, subtree: true });
  };
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
})();
