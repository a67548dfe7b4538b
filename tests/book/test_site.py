"""The built pages: no warning, nothing from the network, every link and citation in place."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from notebook_rules import ROOT
from pybtex.database import parse_file

import optimlib
from grading.assignment import all_slugs, load
from grading.release import MARKERS, leaked, secrets

BOOK = ROOT / "book"
SOURCES = sorted([*BOOK.glob("*.md"), *BOOK.glob("text/*.md"), *BOOK.glob("api/*.md")])


def build(source: Path, output: Path) -> subprocess.CompletedProcess:
    jupyter_book = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    return subprocess.run(
        [jupyter_book, "build", source, "--path-output", output, "-n", "-W", "--keep-going"],
        capture_output=True,
        text=True,
        encoding="utf8",
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the built pages."""
    output = tmp_path_factory.mktemp("site")
    run = build(ROOT, output)
    assert run.returncode == 0, run.stdout + run.stderr
    return output / "_build" / "html"


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, BeautifulSoup]:
    found = {
        path: BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
    }
    assert found
    return found


def toc_files() -> set[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    chapters = [entry for part in toc["parts"] for entry in part["chapters"]]
    sections = [section for entry in chapters for section in entry.get("sections", [])]
    return {entry["file"] for entry in [*chapters, *sections]} | {toc["root"]}


def test_contents_list_every_page_that_exists():
    written = {*BOOK.glob("*.md"), *BOOK.glob("api/*.md"), *BOOK.glob("*.ipynb")}
    assert toc_files() == {path.relative_to(ROOT).with_suffix("").as_posix() for path in written}


TELLING = 40  # letters: a line of a solution that is as long stands nowhere by chance
EXAMPLE = "assignments-for-instructors"  # shows how a hidden test is marked


def test_no_solution_and_no_hidden_test_of_an_assignment_is_on_the_site(site, pages):
    suffixes = {".ipynb", ".md", ".txt", ".js", ".json"}
    texts = {path: page.get_text() for path, page in pages.items()}
    for path in site.rglob("*"):
        if path.suffix in suffixes:
            texts[path] = path.read_text(encoding="utf8", errors="ignore")
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as file:
                for name in file.namelist():
                    if Path(name).suffix in suffixes | {".html"}:
                        texts[path / name] = file.read(name).decode("utf8", errors="ignore")
    assignments = [load(slug) for slug in all_slugs()]
    telling = {line for one in assignments for line in secrets(one) if len(line) > TELLING}
    assert len(telling) > 5
    for path, text in texts.items():
        assert [line for line in telling if line in text] == [], path
        if EXAMPLE not in path.name and path.suffix != ".js":  # the search index holds it, too
            assert [mark for mark in MARKERS if mark in text] == [], path
    assert [path for path in texts if "book/assignments/" in path.as_posix()] == []


def test_the_site_gives_away_the_assignments_as_students_get_them(site):
    folder = site / "files" / "assignments"
    names = {f"{slug}.ipynb" for slug in all_slugs()}
    assert {path.name for path in folder.iterdir()} == names | {"assignments.zip"}
    with zipfile.ZipFile(folder / "assignments.zip") as file:
        assert set(file.namelist()) == names
    for slug in all_slugs():
        text = (folder / f"{slug}.ipynb").read_text(encoding="utf8")
        assert leaked(load(slug), text) == []
        assert "YOUR CODE HERE" in text


def test_every_listed_page_is_built(site, pages):
    assert {site / f"{name}.html" for name in toc_files()} <= set(pages)


# The network


def external(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def test_pages_load_nothing_from_the_network(pages):
    loading = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
    found = [
        f"{path.name}: {address}"
        for path, page in pages.items()
        for tag, attribute in loading.items()
        for element in page.find_all(tag)
        if external(address := element.get(attribute, ""))
        and not {"canonical", "license"} & set(element.get("rel", []))
    ]
    assert found == []


def test_scripts_in_pages_name_no_content_network(pages):
    hosts = re.compile(r"unpkg|jsdelivr|cdnjs|googleapis|cloudflare|https?://[^\s\"']+\.(?:m?js|css)")
    found = [
        f"{path.name}: {hit}"
        for path, page in pages.items()
        for script in page.find_all("script")
        for hit in hosts.findall(script.get_text())
    ]
    assert found == []


def test_style_sheets_load_nothing_from_the_network(site):
    loads = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")
    found = [
        f"{sheet.name}: {address}"
        for sheet in site.rglob("*.css")
        for address in loads.findall(sheet.read_text(encoding="utf8"))
    ]
    assert found == []


def test_mathematics_is_set_by_files_of_the_book(site, pages):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))["sphinx"]["config"]
    mathjax = site / "_static" / Path(config["mathjax_path"]).parent
    needed = ["core", *config["mathjax3_config"]["loader"]["load"], "output/chtml/fonts/tex"]
    assert [name for name in needed if not (mathjax / f"{name}.js").is_file()] == []
    assert len(list((mathjax / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))) == 23
    with_mathematics = [path for path, page in pages.items() if page.find(class_="math")]
    assert with_mathematics
    for path in with_mathematics:
        sources = [script.get("src", "") for script in pages[path].find_all("script")]
        assert any(config["mathjax_path"] in source for source in sources), path


# What readers meet


def test_every_picture_has_a_description(pages):
    found = [
        f"{path.name}: {image.get('src')}"
        for path, page in pages.items()
        for image in page.find_all("img")
        if not image.get("alt", "").strip()
    ]
    assert found == []


def test_every_link_within_the_book_leads_somewhere(site, pages):
    anchors = {
        path: {element["id"] for element in page.find_all(id=True)} for path, page in pages.items()
    }
    broken = []
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            if link.find_parent(hidden=True):
                continue  # shown by `make pdf`, which makes what it leads to
            target, anchor = target_of(path, link["href"])
            if target and (
                not target.is_file() or (anchor and anchor not in anchors.get(target, {anchor}))
            ):
                broken.append(f"{path.relative_to(site)}: {link['href']}")
    assert broken == []


def target_of(page: Path, address: str) -> tuple[Path | None, str]:
    """The file and the place in it that an address on a page leads to; no file if it leaves the site."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None, ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return target, unquote(parts.fragment)


def test_the_site_unpacked_from_its_zip_has_no_dead_link_not_even_a_hidden_one(site, tmp_path):
    shutil.unpack_archive(site / "files" / "site.zip", tmp_path)
    unpacked = [path for path in sorted(tmp_path.rglob("*.html")) if "_static" not in path.parts]
    assert {f"{name}.html" for name in toc_files()} <= {
        path.relative_to(tmp_path).as_posix() for path in unpacked
    }
    dead = []
    for path in unpacked:
        page = BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
        found = [element["href"] for element in page.find_all(href=True)]
        found += [element["src"] for element in page.find_all(src=True)]
        for address in found:
            target, _ = target_of(path, address)
            if target and not target.is_file():
                dead.append(f"{path.relative_to(tmp_path)}: {address}")
    assert dead == []
    students = (tmp_path / "book" / "assignments-for-students.html").read_text(encoding="utf8")
    given = {
        Path(link["href"]).name
        for link in BeautifulSoup(students, "html.parser").select('a[href*="files/assignments/"]')
    }
    assert given == {f"{slug}.ipynb" for slug in all_slugs()} | {"assignments.zip"}


def test_no_markup_is_left_in_the_text(pages):
    markup = re.compile(r"\{[a-z:]+\}`|:::|\{(?:glue|cite|numref|ref|eq|doc|term)\b|\\begin\{|\$\$")
    found = []
    for path, page in pages.items():
        article = page.find("article")
        if article is None:
            continue
        for element in article.select("pre, code, script, .math"):
            element.extract()
        found += [f"{path.name}: {hit}" for hit in markup.findall(article.get_text())]
    assert found == []


def test_fields_of_named_tuples_are_not_described_by_their_numbers(pages):
    assert not any("field number" in page.get_text() for page in pages.values())


def test_every_label_is_used_once():
    labels = [
        label
        for source in SOURCES
        for label in re.findall(
            r"^:label: (\S+)|^\$\$ \(([\w-]+)\)|^ +name: (fig-\S+)|^\(([\w-]+)\)=",
            source.read_text(encoding="utf8"),
            flags=re.M,
        )
        for label in filter(None, label)
    ]
    assert sorted(labels) == sorted(set(labels))


# Sources


def test_bibliography_and_citations_agree():
    entries = set(parse_file(str(BOOK / "references.bib")).entries)
    cited = {
        key.strip()
        for source in [*SOURCES, BOOK / "errata.yml"]
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", source.read_text(encoding="utf8"))
        for key in keys.split(",")
    }
    assert cited == entries


# The API pages

LARGEST_PAGE = 400 * 1024  # bytes
API = sorted((BOOK / "api").glob("*.md"))


@pytest.fixture(scope="module")
def api_pages(site, pages) -> dict[str, BeautifulSoup]:
    return {path.stem: pages[site / "book" / "api" / f"{path.stem}.html"] for path in API}


def test_every_module_is_documented_once():
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in (ROOT / "optimlib").rglob("*.py")
    ]
    texts = "".join(path.read_text(encoding="utf8") for path in API)
    found = re.findall(r"automodule:: (optimlib[.\w]+)", texts)
    assert sorted([*found, "optimlib"]) == sorted(modules)


def test_what_can_be_imported_from_the_top_is_on_the_pages_of_what_one_calls(api_pages):
    described = {
        entry["id"].rpartition(".")[2]
        for name, page in api_pages.items()
        if not name.startswith("inside")
        for entry in page.select("dt.sig[id]")
    }
    assert set(optimlib.__all__) - described == set()


def test_no_api_page_is_larger_than_it_should_be(site):
    sizes = {path.stem: (site / "book" / "api" / f"{path.stem}.html").stat().st_size for path in API}
    assert {name: size for name, size in sizes.items() if size > LARGEST_PAGE} == {}


def test_no_example_is_taken_for_a_list_of_parameters(api_pages):
    """An example after a section of a docstring needs a section `Examples` of its own."""
    swallowed = []
    for page in api_pages.values():
        api = BeautifulSoup(str(page), "html.parser")
        for example in api.select("pre"):
            example.extract()
        swallowed += [entry.get_text() for entry in api.select("dl.field-list li, dl.field-list dd")]
    assert [entry for entry in swallowed if ">>>" in entry] == []


# The line in _config.yml that turns the buttons on


def test_one_line_turns_on_the_buttons(tmp_path):
    config = (ROOT / "_config.yml").read_text(encoding="utf8")
    assert config.count('book_repository: ""') == 1
    config = config.replace(
        'book_repository: ""', "book_repository: https://github.com/OWNER/REPOSITORY"
    )
    source = tmp_path / "source"
    (source / "book" / "text").mkdir(parents=True)
    (source / "_config.yml").write_text(config, encoding="utf8")
    (source / "_toc.yml").write_text("format: jb-book\nroot: book/01-page\n", encoding="utf8")
    shutil.copytree(BOOK / "_ext", source / "book" / "_ext")
    shutil.copytree(BOOK / "_static", source / "book" / "_static")
    for name in ("references.bib", "glossary.md", "ledger.py"):
        shutil.copy(BOOK / name, source / "book")
    (source / "book" / "01-page.ipynb").write_text(
        '{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Page"]}],'
        '"metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},'
        '"nbformat": 4, "nbformat_minor": 5}',
        encoding="utf8",
    )
    run = build(source, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    page = (tmp_path / "_build" / "html" / "book" / "01-page.html").read_text(encoding="utf8")
    links = [link["href"] for link in BeautifulSoup(page, "html.parser").find_all("a", href=True)]
    repository = "https://github.com/OWNER/REPOSITORY"
    assert repository in links
    assert f"{repository}/edit/main/book/text/01-page.md" in links
    for place in ("https://colab.research.google.com/github", "https://mybinder.org/v2/gh"):
        assert any(link.startswith(f"{place}/OWNER/REPOSITORY/") for link in links)


def test_the_site_gives_away_the_package_and_the_notebooks(site):
    files = site / "files"
    (wheel,) = files.glob("optimlib-*.whl")
    assert "optimlib/gradcheck/check.py" in zipfile.ZipFile(wheel).namelist()
    notebooks = {path.name for path in BOOK.glob("*.ipynb")}
    whole = zipfile.ZipFile(files / "notebooks.zip")
    assert set(whole.namelist()) == notebooks
    assert "book/index.html" in zipfile.ZipFile(files / "site.zip").namelist()
    exercises = zipfile.ZipFile(files / "exercises.zip")
    assert set(exercises.namelist()) == notebooks
    solved = 0
    for name in notebooks:
        before, after = (archive.read(name).decode() for archive in (whole, exercises))
        solved += "{solution" in before
        assert "{solution" not in after
        assert after.count("{exercise}") == before.count("{exercise}")
    assert solved >= 10


def test_the_tab_of_the_front_page_has_its_title_once(site, pages):
    assert pages[site / "book" / "index.html"].title.get_text() == "Gradients You Can Trust"


def test_pages_say_what_they_are_about(site, pages):
    named = {f"{name}.html" for name in toc_files() if "/api/" not in name}
    for path in (site / name for name in named):
        tags = {tag.get("property"): tag.get("content") for tag in pages[path].find_all("meta")}
        assert tags["og:title"]
        assert len(tags["og:description"]) > 40, path


def test_figures_equations_and_exercises_are_numbered_by_chapter(site, pages):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    chapters = [e["file"] for part in toc["parts"] if part.get("numbered") for e in part["chapters"]]
    for number, name in enumerate(chapters, start=1):
        page = pages[site / f"{name}.html"]
        assert page.select_one("article h1 .section-number").get_text().strip() == f"{number}."
        captions = [found.get_text() for found in page.select("figcaption .caption-number")]
        equations = [found.get_text().strip("()#\u00b6") for found in page.select("span.eqno")]
        exercises = [found.get_text() for found in page.select(".exercise .caption-number")]
        for kind, found in (("figure", captions), ("equation", equations), ("exercise", exercises)):
            numbers = [re.search(r"\d+\.\d+", text)[0] for text in found]
            expected = [f"{number}.{k}" for k in range(1, len(numbers) + 1)]
            assert numbers == expected, (name, kind)


def test_a_term_links_to_the_glossary_once_in_a_chapter(pages):
    for path, page in pages.items():
        chapter = path.with_name(f"{path.stem}.ipynb").name
        if (BOOK / chapter).exists() and path.stem != "index":
            found = page.select('article a[href^="glossary.html#term-"]')
            links = [link["href"] for link in found]
            assert len(links) > 2, path
            assert len(set(links)) == len(links), path
            assert not [link for link in found if link.find_parent(["h1", "h2", "h3", "code", "pre"])]
