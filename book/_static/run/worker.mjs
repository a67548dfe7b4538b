// One Python for one page.
// Messages in: {source, number, asserts} runs a cell, {forget: true} clears what cells have defined.
// Messages out: {kind, data}, where "loaded", "starting", "ready" and "broken" are about Python, and the others about the
// cell that runs; "done" is the last of them.
const folder = new URL("./", import.meta.url).href;
const say = (kind, data) => postMessage({ kind, data });
let bytes = 0;

// Whatever is fetched from here on is counted, so that the page can show how far it is. What fails is told at once: Pyodide
// may wait forever for a file that doesn't come.
const broken = (error) => say("broken", String(error?.message ?? error));
self.addEventListener("unhandledrejection", (event) => (event.preventDefault(), broken(event.reason)));

const plainFetch = self.fetch.bind(self);
self.fetch = async (...request) => {
  const answer = await plainFetch(...request).catch((error) => {
    broken(error);
    throw error;
  });
  if (!answer.ok) broken(`${answer.url}: ${answer.status} ${answer.statusText}`);
  const counted = new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      say("loaded", bytes);
      controller.enqueue(chunk);
    },
  });
  answer.body.pipeTo(counted.writable).catch(broken);
  return new Response(counted.readable, { status: answer.status, headers: answer.headers });
};

async function start() {
  const { loadPyodide } = await import(folder + "python/pyodide.mjs");
  const python = await loadPyodide({
    indexURL: folder + "python/",
    env: { HOME: "/home/pyodide", MPLBACKEND: "agg" },
  });
  const [, wheel, fonts, runtime] = await Promise.all([
    python.loadPackage(["numpy", "matplotlib"], { messageCallback() {}, errorCallback: console.error }),
    fetch(folder + "optimlib.whl").then((answer) => answer.arrayBuffer()),
    fetch(folder + "python/fontlist.json").then((answer) => answer.text()),
    fetch(folder + "runtime.py").then((answer) => answer.text()),
  ]);
  say("starting");
  python.unpackArchive(wheel, "wheel");
  // With this file, Matplotlib does not look at every font first.
  python.FS.writeFile("/lib/python3.12/site-packages/matplotlib/fontlist.json", fonts);
  python.globals.set("say", say);
  python.runPython(runtime);
  say("ready");
  return { run: python.globals.get("run"), forget: python.globals.get("forget") };
}

const ready = start();
ready.catch(broken);

onmessage = async ({ data: { source, number, asserts, forget } }) => {
  const python = await ready;
  if (forget) python.forget();
  else say("done", python.run(source, number ?? null, asserts));
};
