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

  // What scrolls sideways can be reached and scrolled with the keyboard.
  await window.MathJax?.startup?.promise;
  for (const box of document.querySelectorAll(
    ".bd-article :is(mjx-container[display], div.math, pre, table, .output, .pst-scrollable-table-container)"
  )) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
});
