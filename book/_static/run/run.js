// Run and change the cells of a page. Nothing is fetched before the first click.
(() => {
  const folder = document.currentScript.src.replace(/run\.js.*$/, "");
  const NEEDS_SERVER =
    "This page was opened as a file, so its cells can't run here. Serve the folder of the site instead: " +
    "python -m http.server, then http://localhost:8000.";
  const NEEDS_WASM = "This browser can't run Python in a page: it has no WebAssembly.";
  const OWN_MACHINE = "This cell needs your own machine: it can't run inside the page.";
  const ALL_OWN_MACHINE =
    "The cells of this page can't run inside it: what you see was computed before. " +
    "To run and change them, download the notebook and use your own machine.";
  const GONE = "Stopped. What the cells had defined is gone; “Run all above” brings it back.";
  const MB = 1e6;

  // What the tests look at, too. With `testing`, the book's assertions count, and a failure stops no other cell.
  const page = { cells: [], all: [], queue: [], running: null, worker: null, ready: false, megabytes: 0, testing: false };
  window.runInPage = page;

  // Small helpers

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") made.addEventListener("click", value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  function button(text, label, onclick) {
    return element("button", { type: "button", class: "run-button", "aria-label": label, onclick }, text);
  }

  // The bar at the bottom: what Python does, how far it is, and what one can do about it

  const bar = {
    text: element("span", { role: "status" }),
    megabytes: element("span", { "aria-hidden": "true" }),
    progress: element("progress", { max: 1, value: 0, "aria-label": "Loading Python" }),
    stop: button("Stop", "Stop Python", () => stop()),
    restore: button("Restore what was stored", "Restore all cells of this page as they were stored", () => restoreAll()),
    close: button("×", "Close this message", () => say("")),
  };
  bar.box = element("div", { class: "run-status", role: "region", "aria-label": "Python in this page", hidden: "" },
    bar.text, bar.megabytes, bar.progress, bar.stop, bar.restore, bar.close);

  function say(text, { loading = false, busy = false, restore = false } = {}) {
    if (bar.text.textContent !== text) bar.text.textContent = text;
    bar.progress.hidden = bar.megabytes.hidden = !loading;
    bar.stop.hidden = !loading && !busy;
    bar.restore.hidden = !restore;
    bar.close.hidden = loading || busy;
    bar.box.hidden = !text;
  }

  // Python: a worker that is there from the first click on

  function start() {
    say("Loading Python", { loading: true });
    page.worker = new Worker(folder + "worker.mjs", { type: "module" });
    page.worker.onmessage = ({ data: { kind, data } }) => hear(kind, data);
    page.worker.onerror = (event) => fail(event.message ?? "its files can't be read");
  }

  function hear(kind, data) {
    if (kind === "loaded") {
      bar.progress.value = Math.min(1, data / MB / page.megabytes);
      const done = Math.min(Math.round(data / MB), Math.round(page.megabytes));
      bar.megabytes.textContent = `${done} of ${Math.round(page.megabytes)} MB`;
    } else if (kind === "starting") {
      say("Starting Python", { loading: true });
    } else if (kind === "ready") {
      page.ready = true;
      next();
    } else if (kind === "broken") {
      fail(data);
    } else if (kind === "done") {
      finish(page.running, data);
    } else if (page.running?.hidden === false) {
      show(page.running, kind, data);
    } else if (kind === "error" || kind === "stderr") {
      console.warn(data);
      if (page.running) page.running.error = data;
    }
  }

  function forget() {
    page.worker?.terminate();
    page.worker = page.running = null;
    page.ready = false;
    page.queue = [];
    for (const cell of page.all) {
      cell.ranAs = null;
      if (waits(cell)) mark(cell, null);
    }
  }

  function fail(why) {
    const text = page.ready
      ? `Python broke down (${why}). Run starts it again, without what the cells had defined.`
      : `Python could not be loaded (${why}). Are you offline, or does something block downloads? Run tries again.`;
    forget();
    say(text);
  }

  function stop() {
    forget();
    say(GONE);
  }

  // Running: one cell after the other. A cell remembers the code that Python knows, until something above it changes.

  const waits = ({ state }) => state === "waiting" || state === "running";

  function run(cell) {
    if (waits(cell)) return;
    if (cell.ranAs !== cell.source()) {
      for (const later of page.all.slice(page.all.indexOf(cell) + 1)) later.ranAs = null;
    }
    cell.ranAs = cell.source();
    mark(cell, "waiting");
    page.queue.push(cell);
    if (!page.worker) start();
    else next();
  }

  function runAbove(cell) {
    for (const above of page.all.slice(0, page.all.indexOf(cell))) {
      if (above.ranAs === null || above.ranAs !== above.source()) run(above);
    }
    run(cell);
  }

  function next() {
    if (!page.ready || page.running || !page.queue.length) return;
    const cell = (page.running = page.queue.shift());
    mark(cell, "running");
    say(cell.hidden ? "Running a cell that the page does not show" : `Running ${cell.name}`, { busy: true });
    cell.fresh = true; // what is shown stays until something else comes
    const asserts = page.testing || (!cell.hidden && cell.isChanged());
    page.worker.postMessage({ source: cell.source(), number: cell.number, asserts });
  }

  function finish(cell, isWell) {
    page.running = null;
    if (!cell.hidden) refresh(cell);
    mark(cell, isWell ? "ran" : "failed");
    if (!isWell) {
      cell.ranAs = null;
      explain(cell);
      if (!page.testing) page.queue.splice(0).forEach((waiting) => ((waiting.ranAs = null), mark(waiting, null)));
    }
    next();
    if (!page.running && (isWell || !cell.hidden)) say("");
  }

  function explain(cell) {
    if (cell.hidden) {
      say(`A cell that the page does not show has failed: ${cell.error.trim().split("\n").at(-1)}`);
    } else if (cell.output.textContent.includes("NameError: name ")) {
      const again = button("Run all above", `Run all cells above ${cell.name}, and it`, () => runAbove(cell));
      cell.output.append(element("p", { class: "run-hint" }, "Is the name defined in an earlier cell? ", again));
    }
  }

  // What a cell shows: what is stored, or what Python sends

  function refresh(cell) {
    if (!cell.fresh) return;
    cell.fresh = false;
    cell.output.replaceChildren();
    cell.output.hidden = false;
    cell.stored?.remove();
  }

  function show(cell, kind, data) {
    refresh(cell);
    if (kind === "png") {
      cell.output.append(figure(cell, "data:image/png;base64," + data));
    } else if (kind === "html") {
      const box = element("div", { class: "output text_html" });
      box.innerHTML = data;
      cell.output.append(box);
      for (const script of box.querySelectorAll("script")) script.replaceWith(element("script", {}, script.textContent));
    } else {
      const last = cell.output.lastElementChild;
      const same = last?.dataset.kind === kind && kind !== "text";
      const pre = same ? last : element("pre", { "data-kind": kind, tabindex: "0" });
      pre.append(data);
      if (!same) cell.output.append(pre);
    }
  }

  // A figure takes the place of the stored one, with its number, its caption and the links to it.
  function figure(cell, src) {
    const alt = "The figure that this cell drew";
    const stored = cell.stored?.querySelectorAll("figure")[cell.output.querySelectorAll("img").length];
    if (!stored) return element("img", { src, alt });
    const copy = stored.cloneNode(true);
    const image = copy.querySelector("img");
    image.removeAttribute("style"); // a figure that the reader has changed may have another size
    image.src = src;
    if (cell.isChanged()) image.alt = alt;
    return copy;
  }

  function mark(cell, state) {
    cell.state = state;
    if (cell.hidden) return;
    cell.run.disabled = cell.above.disabled = waits(cell);
    cell.output.setAttribute("aria-busy", String(waits(cell)));
    cell.box.dataset.run = state ?? "";
    cell.restore.hidden = !cell.isChanged() && cell.output.hidden;
  }

  // Changing: what was typed is kept until it is restored

  const keyOf = (cell) => `run:${location.pathname}:${cell.original}`;

  function kept(cell) {
    try {
      return localStorage.getItem(keyOf(cell));
    } catch {
      return null; // the reader's browser keeps nothing
    }
  }

  function keep(cell) {
    try {
      if (cell.isChanged()) localStorage.setItem(keyOf(cell), cell.source());
      else localStorage.removeItem(keyOf(cell));
    } catch {}
    cell.restore.hidden = !cell.isChanged() && cell.output.hidden;
    cell.box.classList.toggle("run-changed", cell.isChanged());
    if (!waits(cell) && cell.source() !== cell.ranAs) cell.box.dataset.run = "";
  }

  async function edit(cell) {
    cell.box.querySelector("details.above-input")?.setAttribute("open", "");
    if (!cell.editor) {
      const { edit } = await import(folder + "editor.mjs").catch((error) => {
        say(`The editor could not be loaded (${error.message}).`);
        throw error;
      });
      const place = element("div", { class: "run-editor" });
      cell.code.before(place);
      cell.code.hidden = true;
      const label = `Code of ${cell.name}. Shift-Enter runs it, Tab leaves it.`;
      cell.editor = edit(place, cell.text, label, () => run(cell), () => keep(cell));
    }
    cell.editor.focus();
  }

  function restore(cell) {
    const hadFocus = cell.box.contains(document.activeElement);
    cell.editor?.destroy();
    cell.box.querySelector(".run-editor")?.remove();
    cell.editor = null;
    cell.text = cell.original;
    cell.code.hidden = false;
    cell.pre.innerHTML = cell.colored;
    cell.output.replaceChildren();
    cell.output.hidden = true;
    if (cell.stored) cell.output.after(cell.stored);
    keep(cell);
    if (!waits(cell)) mark(cell, null);
    if (hadFocus) cell.run.focus();
  }

  function restoreAll() {
    const changed = page.cells.filter((cell) => cell.isChanged());
    if (changed.length && !confirm("Restore all cells of this page? Your changes to them will be lost.")) return;
    if (page.queue.length || page.running) forget();
    page.cells.forEach(restore);
    page.worker?.postMessage({ forget: true });
    for (const cell of page.all) cell.ranAs = null;
    say("All cells are as they were stored.");
  }

  // The page: buttons beside every cell, and at its end a cell of the reader's own

  function furnish(box) {
    const pre = box.querySelector(":is(.cell_input, .highlight) pre");
    const number = page.cells.length + 1;
    const name = box.matches(".run-scratch") ? "the scratch cell" : `cell ${number}`;
    const cell = { box, pre, number, name, hidden: false, state: null, ranAs: null, editor: null, fresh: false };
    cell.original = pre.textContent.replace(/\n+$/, "");
    cell.colored = pre.innerHTML;
    cell.code = pre.closest(".highlight");
    cell.stored = box.querySelector(".cell_output");
    cell.output = element("div", { class: "run-output cell_output", role: "group", "aria-live": "polite", "aria-label": `Output of ${name}`, hidden: "" });
    cell.text = kept(cell) ?? cell.original;
    cell.source = () => (cell.editor ? cell.editor.state.doc.toString() : cell.text);
    cell.isChanged = () => cell.source() !== cell.original;
    cell.run = button("Run", `Run ${name}`, () => run(cell));
    cell.change = button("Edit", `Edit ${name}`, () => edit(cell));
    cell.above = button("Run all above", `Run all cells above ${name}, and it`, () => runAbove(cell));
    cell.restore = button("Restore", `Restore ${name} as it was stored`, () => restore(cell));
    cell.restore.hidden = true;
    const tools = element("div", { class: "run-tools", role: "group", "aria-label": `Tools of ${name}` }, cell.run, cell.change, cell.above, cell.restore);
    const input = box.querySelector(".cell_input") ?? cell.code;
    (input.closest("details") ?? input).after(tools);
    tools.after(cell.output);
    if (cell.isChanged()) {
      pre.textContent = cell.text;
      cell.restore.hidden = false;
      box.classList.add("run-changed");
    }
    page.cells.push(cell);
    page.all.push(cell);
  }

  function scratch() {
    const text = "# Your own code. It knows what the cells above have defined, once they have run.\n";
    const note =
      "Python runs inside this page: nothing is sent anywhere, and what you change is kept in this browser until you restore it.";
    const restore = button("Restore what was stored", "Restore all cells of this page as they were stored", restoreAll);
    const box = element("div", { class: "run-scratch highlight-python" }, element("div", { class: "highlight" }, element("pre", {}, text)));
    document.querySelector(".bd-article")?.append(
      element("section", { class: "run-end" }, element("h2", {}, "Scratch cell"), element("p", { class: "run-note" }, note), box,
        element("div", { class: "run-tools" }, restore)));
    return box;
  }

  window.addEventListener("DOMContentLoaded", () => {
    const listed = document.getElementById("run-cells");
    if (!listed) return;
    const shown = [...document.querySelectorAll(".bd-article div.cell")].filter((box) => box.querySelector(".cell_input pre"));
    const why = typeof WebAssembly !== "object" ? NEEDS_WASM : location.protocol.startsWith("http") ? null : NEEDS_SERVER;
    if (why) {
      shown[0]?.before(element("p", { class: "run-note" }, why));
      return;
    }
    if (shown.length && shown.every((box) => box.matches(".tag_own-machine"))) {
      shown[0].before(element("p", { class: "run-note" }, ALL_OWN_MACHINE));
      return;
    }
    const { megabytes, hidden } = JSON.parse(listed.textContent);
    page.megabytes = megabytes;
    shown.forEach((box, place) => {
      for (const { at, source } of hidden) {
        if (at === place) page.all.push({ hidden: true, source: () => source, state: null, ranAs: null });
      }
      if (box.matches(".tag_own-machine")) box.append(element("p", { class: "run-note" }, OWN_MACHINE));
      else furnish(box);
    });
    furnish(scratch());
    document.body.append(bar.box);
    const changed = page.cells.filter((cell) => cell.isChanged()).length;
    if (changed) say(`You have changed ${changed === 1 ? "one cell" : `${changed} cells`} of this page.`, { restore: true });
  });
})();
