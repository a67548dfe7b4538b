"""What a reader does with a cell of a page: run, edit, stop, restore, with mouse and keyboard."""

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from built_site import SITE

PAGE = "momentum"


def cell(page, number):
    """The box of a cell of a page, its tools and output in it."""
    handle = page.evaluate_handle(f"runInPage.cells.at({number}).box")
    return handle.as_element()


def press(page, number, name):
    cell(page, number).query_selector(f"button:has-text('{name}')").click()


def wait_for(page, number, state):
    page.wait_for_function(f"runInPage.cells.at({number}).state === '{state}'")


def output(page, number):
    return page.evaluate(f"runInPage.cells.at({number}).output.innerText")


def write(page, number, text):
    """Put a text in place of a cell's code, as a reader would, and leave the focus in the editor."""
    press(page, number, "Edit")
    page.wait_for_function(f"runInPage.cells.at({number}).editor?.hasFocus")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def stored_is_shown(page, number):
    return page.evaluate(f"runInPage.cells.at({number}).stored.isConnected")


def bar(page):
    return page.locator(".run-status")


def test_nothing_is_fetched_before_the_first_click(open_page):
    page = open_page(PAGE)
    page.wait_for_function("runInPage.cells.length > 5")
    page.wait_for_timeout(1000)
    names = page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    of_python = [name for name in names if "/run/" in name]
    assert [name for name in of_python if not re.search(r"run\.(js|css)(\?|$)", name)] == []


def test_megabytes_are_shown_while_python_loads(open_page):
    page = open_page(PAGE)
    press(page, 0, "Run")
    page.wait_for_selector(".run-status >> text=/^\\d+ of 2\\d MB/")
    wait_for(page, 0, "ran")
    assert bar(page).is_hidden()


def test_a_changed_cell_runs_is_kept_and_is_restored(open_page):
    page = open_page(PAGE)
    original = page.evaluate("runInPage.cells[1].original")
    write(page, 1, "x = 6\nprint(x * 7)\nx")
    page.keyboard.press("Shift+Enter")
    wait_for(page, 1, "ran")
    assert output(page, 1).split() == ["42", "6"]
    assert not stored_is_shown(page, 1)

    page.reload()
    assert page.evaluate("runInPage.cells[1].pre.textContent") == "x = 6\nprint(x * 7)\nx"
    assert "changed one cell" in bar(page).inner_text()
    press(page, 1, "Restore")
    assert page.evaluate("runInPage.cells[1].source()") == original
    assert stored_is_shown(page, 1)
    page.reload()
    assert page.evaluate("runInPage.cells[1].source()") == original


def test_a_name_from_above_points_to_run_all_above(open_page):
    page = open_page(PAGE)
    press(page, 1, "Run")
    wait_for(page, 1, "failed")
    assert "NameError: name 'np' is not defined" in output(page, 1)
    cell(page, 1).query_selector(".run-hint button").click()
    wait_for(page, 1, "ran")
    assert "steps" in output(page, 1)


def test_a_traceback_begins_in_the_readers_cell(open_page):
    page = open_page(PAGE)
    write(page, -1, "import optimlib\ntheta = [1]\noptimlib.SGD(theta, 'fast')")
    page.keyboard.press("Shift+Enter")
    wait_for(page, -1, "failed")
    lines = output(page, -1).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].lstrip().startswith('File "<cell ')
    assert len(lines) < 12


@pytest.mark.parametrize("body", ["pass", "print(1)"])
def test_an_endless_loop_can_be_stopped(open_page, body):
    page = open_page(PAGE)
    write(page, -1, f"while True:\n    {body}")
    page.keyboard.press("Shift+Enter")
    wait_for(page, -1, "running")
    page.wait_for_timeout(1000)
    bar(page).locator("button", has_text="Stop").click()
    assert "gone" in bar(page).inner_text()
    write(page, -1, "print('alive')")
    page.keyboard.press("Shift+Enter")
    wait_for(page, -1, "ran")
    assert "alive" in output(page, -1)


def test_the_whole_page_is_restored_when_the_reader_agrees(open_page):
    page = open_page(PAGE)
    original = page.evaluate("runInPage.cells.map((cell) => cell.source())")
    write(page, 1, "x = 6")
    page.keyboard.press("Shift+Enter")
    wait_for(page, 1, "ran")
    write(page, -1, "x")
    restore = page.locator(".run-end button", has_text="Restore what was stored")
    page.once("dialog", lambda dialog: dialog.dismiss())
    restore.click()
    assert page.evaluate("runInPage.cells[1].source()") == "x = 6"
    page.once("dialog", lambda dialog: dialog.accept())
    restore.click()
    assert page.evaluate("runInPage.cells.map((cell) => cell.source())") == original
    assert page.evaluate("runInPage.cells.every(({output}) => output.hidden)")
    write(page, -1, "x")
    page.keyboard.press("Shift+Enter")
    wait_for(page, -1, "failed")  # Python has forgotten it, too
    page.reload()
    assert page.evaluate("runInPage.cells[1].source()") == original[1]


def test_what_a_change_makes_old_runs_again(open_page):
    page = open_page("index")
    own = own_gradient(page)
    press(page, own, "Run")
    wait_for(page, own, "ran")
    write(page, -1, "from time import time\nstarted = time()\nprint(1)")
    page.keyboard.press("Shift+Enter")
    wait_for(page, -1, "ran")
    assert page.evaluate("runInPage.cells.at(-1).ranAs !== null")
    write(page, own, "x = 1")
    page.keyboard.press("Shift+Enter")
    wait_for(page, own, "ran")
    assert page.evaluate("runInPage.cells.at(-1).ranAs === null")


def test_a_failure_ends_a_run_of_all_above_and_leaves_the_rest_as_it_was(open_page):
    page = open_page(PAGE)
    write(page, 0, "raise ValueError('mine')")
    press(page, 2, "Run all above")
    wait_for(page, 0, "failed")
    assert "ValueError: mine" in output(page, 0)
    page.wait_for_function("runInPage.queue.length === 0")
    assert page.evaluate("runInPage.cells[2].state") is None
    assert stored_is_shown(page, 2)


def own_gradient(page):
    """The number of the cell of the front page that checks the reader's own gradient."""
    return page.evaluate("runInPage.cells.findIndex(({original}) => original.includes('my_gradient'))")


def test_a_readers_own_gradient_is_checked_on_the_front_page(open_page):
    page = open_page("index")
    own = own_gradient(page)
    press(page, own, "Run")
    wait_for(page, own, "ran")  # without what stands above it
    assert "FAIL" in output(page, own)
    changed = page.evaluate(f"runInPage.cells[{own}].source()").replace(
        "error(p).sum()", "2 * error(p).sum()"
    )
    write(page, own, changed)
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"runInPage.cells[{own}].output.innerText.includes('PASS')")


def test_a_cell_that_needs_ones_own_machine_says_so(open_page):
    page = open_page("how-check-gradient-decides")
    (box,) = page.query_selector_all(".tag_own-machine")
    assert "own machine" in box.inner_text()
    assert box.query_selector("button:has-text('Run')") is None


def test_the_keyboard_alone_is_enough(open_page):
    page = open_page(PAGE)
    page.evaluate("runInPage.cells[0].run.focus()")
    page.keyboard.press("Enter")
    wait_for(page, 0, "ran")
    page.evaluate("runInPage.cells[0].run.focus()")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Edit
    page.wait_for_function("runInPage.cells[0].editor?.hasFocus")
    page.keyboard.press("Tab")
    assert not page.evaluate("runInPage.cells[0].editor.hasFocus")


def test_figures_and_tables_look_like_the_books(open_page):
    page = open_page(PAGE)
    press(page, 2, "Run all above")
    wait_for(page, 2, "ran")
    boxes = "[runInPage.cells[2].output, runInPage.cells[2].stored]"
    sizes = page.evaluate(f"{boxes}.map((box) => box.querySelector('img').naturalWidth)")
    assert abs(sizes[0] / sizes[1] - 1) < 0.05
    for part in ("querySelector('img').alt", "querySelector('figcaption').textContent"):
        assert len(set(page.evaluate(f"{boxes}.map((box) => box.{part})"))) == 1
    assert page.evaluate("runInPage.cells[2].output.querySelector('figure').id").startswith("fig-")


def test_what_python_can_not_load_is_said(open_page):
    page = open_page(PAGE)
    page.route("**/pyodide.asm.wasm", lambda route: route.abort())
    press(page, 0, "Run")
    page.wait_for_selector(".run-status >> text=/could not be loaded/")
    page.unroute("**/pyodide.asm.wasm")
    press(page, 0, "Run")
    wait_for(page, 0, "ran")


def test_a_browser_without_webassembly_is_told(open_page):
    page = open_page(PAGE, script="delete window.WebAssembly")
    assert "WebAssembly" in page.locator(".run-note").first.inner_text()
    assert page.locator(".run-tools").count() == 0


def test_a_page_opened_as_a_file_says_what_to_do(browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto((SITE / "book" / f"{PAGE}.html").as_uri())
    assert "http.server" in page.locator(".run-note").first.inner_text()
    context.close()


def test_the_scratch_cell_knows_the_chapter(open_page):
    page = open_page(PAGE)
    write(page, -1, "print(curvatures.shape)")
    press(page, 1, "Run all above")
    wait_for(page, 1, "ran")
    press(page, -1, "Run")
    wait_for(page, -1, "ran")
    assert output(page, -1).strip() == "(2,)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    script = f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    page = open_page(PAGE, script=script, color_scheme=theme)
    write(page, 1, "print(1)")
    page.keyboard.press("Shift+Enter")
    wait_for(page, 1, "ran")
    page.wait_for_timeout(1500)
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_nothing_is_wider_than_a_phone(open_page):
    page = open_page(PAGE, viewport={"width": 360, "height": 700}, has_touch=True)
    write(page, 1, "print('x' * 300)")
    page.keyboard.press("Shift+Enter")
    wait_for(page, 1, "ran")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_site_works_from_its_zip(tmp_path):
    shutil.unpack_archive(SITE / "files" / "site.zip", tmp_path)
    run = tmp_path / "_static" / "run"
    assert (run / "optimlib.whl").stat().st_size > 100_000
    assert (run / "python" / "pyodide.asm.wasm").stat().st_size > 5e6
