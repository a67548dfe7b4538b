"""A page on paper: light, whatever the reader reads in."""

import pytest


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_is_printed_in_the_light(open_page, theme):
    page = open_page("notation", f"localStorage.setItem('mode', '{theme}')", color_scheme=theme)
    page.wait_for_load_state("load")
    seen = page.evaluate(
        """async () => {
            const colors = () => {
                const body = getComputedStyle(document.body);
                return [document.documentElement.dataset.theme, body.backgroundColor];
            };
            const before = colors();
            dispatchEvent(new Event("beforeprint"));
            const during = colors();
            dispatchEvent(new Event("afterprint"));
            return [before, during, colors()];
        }"""
    )
    assert seen[0][0] == seen[2][0] == theme
    assert seen[0] == seen[2]
    assert seen[1] == ["light", "rgb(255, 255, 255)"]
