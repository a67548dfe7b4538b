// What the theme leaves undone for readers who use a keyboard or a screen reader.

// Where a row of a displayed formula has a fraction, the rows stand further apart: LaTeX lets them touch.
if (window.MathJax) {
  const far = (row) => {
    let found = false;
    row.walkTree((node) => (found ||= node.isKind("mfrac") && node.attributes.get("displaystyle")));
    return found;
  };
  const spread = ({ data }) =>
    data.root.walkTree((table) => {
      if (table.isKind("mtable") && table.attributes.get("displaystyle")) {
        const fractions = table.childNodes.map(far);
        const gaps = fractions.slice(1).map((is, after) => (is || fractions[after] ? "0.6em" : "3pt"));
        table.attributes.set("rowspacing", gaps.join(" ") || "3pt");
      }
    });
  window.MathJax.startup = {
    ready() {
      window.MathJax.startup.defaultReady();
      for (const input of window.MathJax.startup.document.inputJax) {
        input.postFilters.add(spread);
      }
    },
  };
}

window.addEventListener("load", async () => {
  // A button is called what is written on it.
  for (const control of document.querySelectorAll(
    "details > summary[aria-label], .search-button-field[aria-label]"
  )) {
    control.removeAttribute("aria-label");
  }

  // An arrow that opens a part of the contents is called after it.
  for (const arrow of document.querySelectorAll(".bd-sidebar-primary summary")) {
    if (!arrow.textContent.trim()) {
      const page = arrow.closest("li")?.querySelector("a");
      arrow.setAttribute("aria-label", `Pages of ${page?.textContent.trim()}`);
    }
  }

  // A bibliography's entries are plain paragraphs: the roles they come with are deprecated.
  for (const entry of document.querySelectorAll(".citation-list, .citation")) {
    entry.removeAttribute("role");
  }

  // The side bar is a landmark.
  const sidebar = document.querySelector(".bd-sidebar-primary");
  sidebar?.setAttribute("role", "navigation");
  sidebar?.setAttribute("aria-label", "Book");

  // A full stop or a comma stays on the line of the formula before it.
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll(".bd-article span.math")) {
    const next = formula.nextSibling;
    const sign = next?.nodeType === Node.TEXT_NODE ? next.data.match(/^[.,:;?!)\]]+/)?.[0] : undefined;
    if (sign) {
      const together = document.createElement("span");
      together.style.whiteSpace = "nowrap";
      next.data = next.data.slice(sign.length);
      formula.replaceWith(together);
      together.append(formula, sign);
    }
  }

  // A formula in a sentence that is wider than its line scrolls, and is not cut.
  for (const formula of document.querySelectorAll(".bd-article span.math")) {
    const line = formula.closest("p, li, dd, dt, td, th, h1, h2, h3, h4");
    if (line?.clientWidth && formula.scrollWidth > line.clientWidth + 2) {
      formula.style.overflowX = "auto";
    }
  }

  // What scrolls sideways can be reached and scrolled with the keyboard.
  for (const box of document.querySelectorAll(
    ".bd-article :is(mjx-container[display], div.math, pre, table, .output, .pst-scrollable-table-container, [style*='overflow'])"
  )) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
});

// Paper is white: a page that is read in the dark is printed in the light.
let readIn;
window.addEventListener("beforeprint", () => {
  readIn = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = readIn;
});

// The ledger of errors: a search hides the entries that lack a word, and a link to an entry opens it.
window.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector(".ledger-search");
  if (!form) {
    return;
  }
  const plain = (words) => words.toLowerCase().replace(/[‘’]/g, "'").replace(/\s+/g, " ").trim();
  const entries = [...document.querySelectorAll("details.erratum")];
  const texts = new Map(entries.map((entry) => [entry, plain(entry.textContent)]));
  const groups = [...document.querySelectorAll("section")].filter(
    (section) => section.querySelector("details.erratum") && !section.contains(form)
  );
  const between = []; // the form and the first group
  for (let part = form.nextElementSibling; part && !groups.includes(part); part = part.nextElementSibling) {
    between.push(part);
  }
  const field = form.querySelector("input");
  const choices = [...form.querySelectorAll("select")];

  const search = () => {
    const phrases = field.value.replace(/[“”„]/g, '"').match(/"[^"]*"?|[^\s"]+/g) ?? [];
    const words = phrases.map((phrase) => plain(phrase.replaceAll('"', ""))).filter(Boolean);
    const chosen = choices.map(({ value }) => plain(value)).filter(Boolean); // what an entry's first line says
    const wanted = [...words, ...chosen];
    const found = entries.filter((entry) => wanted.every((part) => texts.get(entry).includes(part)));
    entries.forEach((entry) => (entry.hidden = !found.includes(entry)));
    groups.forEach((group) => (group.hidden = !found.some((entry) => group.contains(entry))));
    between.forEach((part) => (part.hidden = wanted.length > 0));
    const none = words.length
      ? `No entry${chosen.length ? " of this choice" : ""} contains all of these words.`
      : "There is no entry of this kind on this subject.";
    const count = found.length === 1 ? "1 entry" : `${found.length} entries`;
    form.querySelector("[role=status]").textContent = !wanted.length ? "" : found.length ? count : none;
  };
  form.addEventListener("input", search);
  form.hidden = false;
  search(); // a browser that goes back to the page keeps what was typed

  const show = (hash) => {
    const target = document.getElementById(decodeURIComponent(hash.slice(1)));
    if (target?.closest("[hidden]")) {
      field.value = "";
      choices.forEach((choice) => (choice.value = ""));
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const entry = target?.closest("details.erratum");
    if (entry) {
      entry.open = true;
      entry.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", () => show(location.hash));
  document.addEventListener("click", ({ target }) => {
    const link = target.closest("a[href^='#']");
    if (link) {
      show(link.hash); // also where the address already has it
    }
  });
  show(location.hash);
});
