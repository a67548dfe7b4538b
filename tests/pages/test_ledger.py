"""The page of the ledger in a browser: its search, and links to its entries."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGE = "errata"
FIELD = ".ledger-search input"
STATUS = ".ledger-search [role=status]"
SHOWN = "details.erratum:not([hidden])"
OURS = "#err-our-slip-hidden"  # the last group: a search for an article's words hides it
LINK = f"details.ledger-subject a[href='{OURS}']"


def choose(page, name, value):
    page.locator(".ledger-search label", has_text=name).locator("select").select_option(label=value)


def wait_until_seen(page, entry):
    """Until the page, which moves smoothly, has brought the head of an entry into view."""
    page.wait_for_function(
        """(entry) => {
            const { top } = document.querySelector(entry).getBoundingClientRect();
            return top >= 0 && top < innerHeight / 2;
        }""",
        arg=entry,
    )


def test_a_search_shows_what_has_all_words_and_the_groups_that_are_left(open_page):
    page = open_page(PAGE)
    every = page.locator(SHOWN).count()
    page.fill(FIELD, "Zeiler's ADADELTA")
    shown = page.locator(SHOWN).all_inner_texts()
    assert 0 < len(shown) < every
    assert page.locator("#our-own-errors").is_hidden()
    assert page.locator("#by-subject").is_hidden()
    page.fill(FIELD, "mean running")
    assert page.locator(SHOWN).count() > 1
    page.fill(FIELD, "“mean running”")
    assert page.locator(SHOWN).count() == 0
    page.fill(FIELD, '"running mean')  # being typed
    assert page.locator(SHOWN).count() > 1
    page.fill(FIELD, "")
    assert page.locator(SHOWN).count() == every
    assert page.locator("#our-own-errors").is_visible()
    assert page.locator(STATUS).inner_text() == ""


def test_how_many_are_left_is_said(open_page):
    page = open_page(PAGE)
    page.fill(FIELD, "1801.09052")
    assert page.locator(STATUS).inner_text() == "1 entry"
    page.fill(FIELD, "zebra")
    assert page.locator(STATUS).inner_text() == "No entry contains all of these words."
    assert page.locator("#the-entries").is_hidden()
    page.fill(FIELD, "")
    choose(page, "Kind", "reference")
    choose(page, "Subject", "clipping")
    assert page.locator(STATUS).inner_text() == "There is no entry of this kind on this subject."
    choose(page, "Subject", "all")
    lines = page.locator(f"{SHOWN} .sd-summary-content > p:first-child > em").all_text_contents()
    assert page.locator(STATUS).inner_text() == f"{len(lines)} entries"
    assert all("Kind: reference." in line for line in lines)


def test_a_link_shows_an_entry_that_a_search_has_hidden(open_page):
    page = open_page(PAGE)
    page.fill(FIELD, "zebra")
    page.evaluate(f"location.hash = '{OURS}'")
    page.wait_for_selector(f"{OURS}[open]")
    assert page.input_value(FIELD) == ""
    wait_until_seen(page, OURS)


def test_a_second_click_on_a_link_opens_the_entry_again(open_page):
    page = open_page(PAGE)
    page.locator("details.ledger-subject", has_text="Adam: ").locator("summary").click()
    for _ in range(2):
        page.locator(LINK).first.click()
        page.wait_for_selector(f"{OURS}[open]")
        wait_until_seen(page, OURS)
        page.locator(f"{OURS} summary").click()
        page.wait_for_selector(f"{OURS}:not([open])")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    script = f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    page = open_page(PAGE, script=script, color_scheme=theme)
    page.fill(FIELD, "first step")
    page.locator(f"{SHOWN} summary").first.click()
    page.wait_for_timeout(1500)
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_nothing_is_wider_than_a_phone(open_page):
    page = open_page(PAGE, viewport={"width": 360, "height": 700}, has_touch=True)
    page.evaluate("document.querySelectorAll('details').forEach((entry) => (entry.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
