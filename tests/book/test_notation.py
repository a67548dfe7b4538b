"""The table of notation lists every letter of every equation in a math block, for its chapter."""

import re

import pytest
from notebook_rules import ROOT

BOOK = ROOT / "book"
BLOCK = re.compile(r"```\{math\}\n:label: (eq-\S+)\n(.*?)```", re.DOTALL)
ACCENTS = "hat|bar|tilde|dot|mathbf|mathrm"
WORDS = re.compile(r"\\(?:text|operatorname|begin|end|label)\{[^}]*\}|\\mathrm\s*d")
GREEK = "alpha beta gamma delta varepsilon eta kappa lambda mu nu psi rho sigma tau theta Phi varphi"
COMMANDS = "|".join(rf"\\{name}(?![a-z])" for name in GREEK.split())
LETTER = re.compile(
    rf"\\(?:{ACCENTS})\s*\{{?\s*(?:{COMMANDS}|[A-Za-z0-9])\}}?|{COMMANDS}|\\[A-Za-z]+|[A-Za-z]"
)


def letters(latex):
    """Letters with their accents, without the names of functions, layouts and words."""
    found = (re.sub(r"[\s{}]", "", token) for token in LETTER.findall(WORDS.sub(" ", latex)))
    return {
        token
        for token in found
        if not token.startswith("\\") or re.fullmatch(rf"(?:{COMMANDS})|\\(?:{ACCENTS}).+", token)
    }


def table():
    """For every chapter's word, the letters that the table lists for it; under "all", those of all."""
    listed = {}
    for row in (BOOK / "notation.md").read_text(encoding="utf8").splitlines():
        cells = row.strip("|").split(" | ")
        if row.startswith("| $"):
            for word in re.findall(r"<ch-([a-z-]+)>", cells[-1]) or ["all"]:
                listed.setdefault(word, set()).update(letters(cells[0]))
    return listed


LISTED = table()
EQUATIONS = [
    pytest.param(re.search(r"^\(ch-([a-z-]+)\)=$", text, re.M)[1], latex, id=label)
    for text in (path.read_text(encoding="utf8") for path in sorted((BOOK / "text").glob("*.md")))
    for label, latex in BLOCK.findall(text)
]


def plain(letter):
    """A letter without its accent: a hat or a bar is explained with the letter."""
    return re.sub(rf"\\(?:{ACCENTS})", "", letter) or letter


@pytest.mark.parametrize(("word", "latex"), EQUATIONS)
def test_every_letter_of_an_equation_is_in_the_table(word, latex):
    listed = {plain(letter) for letter in LISTED["all"] | LISTED.get(word, set())}
    used = {plain(letter) for letter in letters(latex)}
    assert used - listed - {"d"} == set()  # the d of dx


def test_letters_are_found_with_their_accents():
    latex = r"\hat m_t = \frac{\beta_1 \tilde{g}}{\sqrt{v}} + \text{rest} \eta"
    assert letters(latex) == {r"\hatm", "t", r"\beta", r"\tildeg", "v", r"\eta"}


def test_a_letter_that_is_not_listed_is_seen():
    assert letters(r"\omega + Q") & {"Q"}
    assert "Q" not in LISTED["all"]
