"""Fill book/_static/run with what Python in a page needs, and write the notice of it.

    python book/run_in_page/vendor.py FOLDER
    python book/run_in_page/vendor.py

FOLDER holds a release of Pyodide: its core, its wheels and its lock file, by the name of
`official-pyodide-lock.json`. Every wheel is held to the hash in that lock. The lock that pages read has
only these packages. Without FOLDER, only the notice is written again, after the editor was bundled.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "book" / "_static" / "run"
TARGET = RUN / "python"
EDITOR = ROOT / "book" / "run_in_page" / "editor" / "package-lock.json"
CORE = ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
NEVER_IMPORTED = {"fonttools", "matplotlib-pyodide", "pytz"}  # by Matplotlib where it draws with Agg
LICENSES = {
    "pyodide": "MPL-2.0",
    "python": "PSF-2.0",
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "PSF-based, in the wheel",
    "numpy": "BSD-3-Clause",
    "packaging": "Apache-2.0 or BSD-2-Clause",
    "pillow": "HPND",
    "pyparsing": "MIT",
    "python-dateutil": "Apache-2.0 or BSD-3-Clause",
    "six": "MIT",
}


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def needed(packages: dict, wanted: list[str]) -> list[str]:
    """The wanted packages and all that they depend on, sorted."""
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in found | NEVER_IMPORTED:
            found.add(name)
            wanted += packages[name]["depends"]
    return sorted(found)


def copy_release(source: Path) -> dict:
    """Copy the core and the wheels that are needed, and return the lock for pages."""
    lock = json.loads((source / "official-pyodide-lock.json").read_text(encoding="utf8"))
    TARGET.mkdir(parents=True, exist_ok=True)
    names = needed(lock["packages"], ["numpy", "matplotlib"])
    for name in names:
        entry = lock["packages"][name]
        if sha256(source / entry["file_name"]) != entry["sha256"]:
            raise ValueError(f"{entry['file_name']} is not the file of the release; expected its hash")
        entry["depends"] = [other for other in entry["depends"] if other not in NEVER_IMPORTED]
        shutil.copyfile(source / entry["file_name"], TARGET / entry["file_name"])
    for name in CORE:
        shutil.copyfile(source / name, TARGET / name)
    return {"info": lock["info"], "packages": {name: lock["packages"][name] for name in names}}


def rows(lock: dict) -> list[tuple[str, str, str, str]]:
    """File, what it is of, version and license, for every file that is not ours."""
    version, python = lock["info"]["version"], lock["info"]["python"]
    found = [(f"python/{name}", "Pyodide", version, LICENSES["pyodide"]) for name in CORE[:3]]
    found.append((f"python/{CORE[3]}", "Python's standard library", python, LICENSES["python"]))
    packages = lock["packages"]
    found += [
        (f"python/{entry['file_name']}", entry["name"], entry["version"], LICENSES[name])
        for name, entry in packages.items()
    ]
    matplotlib = packages["matplotlib"]["version"]
    found += [
        ("python/pyodide-lock.json", "Pyodide", version, LICENSES["pyodide"]),
        ("python/fontlist.json", "Matplotlib's fonts", matplotlib, LICENSES["matplotlib"]),
    ]
    parts = json.loads(EDITOR.read_text(encoding="utf8"))["packages"]
    code = parts["node_modules/@codemirror/view"]["version"]
    found += [(name, "CodeMirror", code, "MIT") for name in ("editor.mjs", "editor.LICENSE.txt")]
    return found


def notice(lock: dict) -> str:
    """What lies in the folder: file, version, license and hash."""
    version, python = lock["info"]["version"], lock["info"]["python"]
    lines = [
        "# Python and an editor for the pages: what is not ours",
        "",
        f"`python` holds files of Pyodide {version}, unchanged: Python {python} and packages for",
        "WebAssembly. They come from https://github.com/pyodide/pyodide/releases and from the",
        "packages of that release. The texts of the licenses are inside the wheels; Pyodide's is the",
        "Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/, and its source is at the",
        "address above. `pyodide-lock.json` is the release's lock file, cut down to these packages.",
        "`fontlist.json` is the list that Matplotlib makes of its own fonts.",
        "",
        "`editor.mjs` is CodeMirror, https://codemirror.net, from the packages that",
        "`book/run_in_page/editor/package-lock.json` names, and bundled there.",
        "",
        "`book/run_in_page/vendor.py` wrote this table, and a test compares the hashes.",
        "",
        "| file | of | version | license | sha256 |",
        "|---|---|---|---|---|",
    ]
    for file, of, number, terms in rows(lock):
        lines.append(f"| {file} | {of} | {number} | {terms} | {sha256(RUN / file)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = TARGET / "pyodide-lock.json"
    if len(sys.argv) > 1:
        path.write_text(json.dumps(copy_release(Path(sys.argv[1])), indent=1) + "\n", encoding="utf8")
    lock = json.loads(path.read_text(encoding="utf8"))
    (RUN / "NOTICE.md").write_text(notice(lock), encoding="utf8")
