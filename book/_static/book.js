// What the theme leaves undone for readers who use a keyboard or a screen reader.

window.addEventListener("load", async () => {
  // A button is called what is written on it.
  for (const control of document.querySelectorAll(
    "details > summary[aria-label], .search-button-field[aria-label]"
  )) {
    control.removeAttribute("aria-label");
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

  // What scrolls sideways can be reached and scrolled with the keyboard.
  for (const box of document.querySelectorAll(
    ".bd-article :is(mjx-container[display], div.math, pre, table, .output, .pst-scrollable-table-container)"
  )) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
});
