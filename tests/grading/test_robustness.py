"""What is broken loses its own points, says so to a person, and stops nothing else."""

import json
from dataclasses import replace

import nbformat
import pytest
from submissions import (
    ADAPTIVE,
    EVERY,
    QUICK,
    lost,
    marked,
    place,
    solved,
    with_cell,
    with_change,
    with_source,
)

from grading.assignment import Cell
from grading.limits import Limits

ADAM = {"adam-first-step", "adam-count", "adam-state", "adam-betas", "adam-epsilon", "inputs-unchanged"}
ENDINGS = {
    "an endless loop": ("while True:\n    pass", "took longer"),
    "os._exit": ("import os\nos._exit(0)", "ended its process"),
    "a crash of the interpreter": ("import ctypes\nctypes.string_at(0)", "ended its process"),
    "its own signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended its process"),
}
HARMLESS = {
    "an exception": ("1 / 0", ["ZeroDivisionError", "division by zero"]),
    "sys.exit": ("import sys\nsys.exit(3)", ["SystemExit", "3"]),
    "a syntax error": ("def f(:\n    pass", ["SyntaxError"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_a_cell_that_ends_the_process_is_left_out_and_the_rest_is_graded(tmp_path, name):
    source, words = ENDINGS[name]
    limits = Limits(cell=2, submission=40)
    result = marked(with_cell(solved(ADAPTIVE), source, "rmsprop"), ADAPTIVE, tmp_path, limits)
    assert lost(result, ADAPTIVE) == set()
    assert any(note.startswith("crash: a cell of your own") and words in note for note in result["look"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_a_function_that_ends_the_process_loses_its_own_points(tmp_path, name):
    source, words = ENDINGS[name]
    body = "def adam(theta, g, state, **settings):\n" + "".join(
        f"    {line}\n" for line in source.splitlines()
    )
    limits = Limits(cell=1, submission=60)
    result = marked(with_source(solved(ADAPTIVE), "adam", body), ADAPTIVE, tmp_path, limits)
    assert lost(result, ADAPTIVE) == ADAM
    assert all(words in result["failed"][cell] for cell in ADAM)


def test_a_submission_that_takes_too_long_in_all_keeps_what_it_had(tmp_path):
    limits = Limits(cell=4, submission=7)
    notebook = with_cell(solved(ADAPTIVE), "while True:\n    pass", "rmsprop")
    notebook = with_cell(notebook, "while True:\n    pass", "rmsprop")
    result = marked(notebook, ADAPTIVE, tmp_path, limits)
    assert lost(result, ADAPTIVE) == {cell for cell in EVERY if not cell.startswith("adagrad")}
    assert any("7 seconds in all" in note for note in result["look"])


@pytest.mark.parametrize("name", HARMLESS)
def test_an_error_in_a_cell_of_their_own_costs_nothing(tmp_path, name):
    source, words = HARMLESS[name]
    result = marked(with_cell(solved(ADAPTIVE), source, "rmsprop"), ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == set()
    assert [error[1 : 1 + len(words)] for error in result["errors"]] == [words]


def test_a_syntax_error_in_a_solution_costs_that_step(tmp_path):
    notebook = with_change(solved(ADAPTIVE), "adam", "t = t + 1", "t = = 1")
    result = marked(notebook, ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == ADAM
    assert [error[:2] for error in result["errors"]] == [["adam", "SyntaxError"]]


def test_test_cells_are_taken_from_the_source(tmp_path):
    notebook = solved(ADAPTIVE)
    notebook["cells"].insert(3, dict(notebook["cells"][place(notebook, "rmsprop-weights")]))
    del notebook["cells"][place(notebook, "adam-count")]
    with_source(notebook, "adagrad-root", "assert True")
    with_change(notebook, "adagrad", "np.sqrt(G)", "G")
    result = marked(notebook, ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == {"adagrad-root"}
    for note in ("deleted cell: adam-count", "changed cell: adagrad-root"):
        assert note in result["look"]
    assert "duplicated cell: rmsprop-weights" in result["look"]


def test_a_deleted_solution_loses_its_points_only(tmp_path):
    notebook = solved(ADAPTIVE)
    del notebook["cells"][place(notebook, "minimize")]
    result = marked(notebook, ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == {cell for cell in EVERY if cell.startswith("minimize")}
    assert "deleted cell: minimize" in result["look"]


@pytest.mark.parametrize(
    "value",
    ["None", "'a step'", "object()", "(theta,)", "(theta, 1, 2)", "lambda: 0", "(theta + 1j, 0)"],
)
def test_results_of_a_wrong_type_lose_points_and_nothing_else(tmp_path, value):
    body = f"def adam(theta, g, state, **settings):\n    return {value}"
    result = marked(with_source(solved(ADAPTIVE), "adam", body), ADAPTIVE, tmp_path)
    assert ADAM - {"inputs-unchanged"} <= lost(result, ADAPTIVE) <= ADAM
    assert not any(note.startswith("crash") for note in result["look"])


def test_objects_that_equal_everything_deceive_nobody(tmp_path):
    source = """
class Anything(np.ndarray):
    def _yes(self, *args): return True
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __bool__ = _yes
    def __float__(self): return 0.0
    def __getitem__(self, key): return self
    def __abs__(self): return 0
    def __array_ufunc__(self, *args, **kwargs): return self

def adam(theta, g, state, **settings):
    return np.zeros(np.shape(theta)).view(Anything), Anything((1,))
"""
    result = marked(with_source(solved(ADAPTIVE), "adam", source), ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) >= ADAM - {"inputs-unchanged", "adam-betas"}


# Files


def test_a_notebook_of_an_older_jupyter_is_graded(tmp_path):
    old = nbformat.convert(nbformat.from_dict(solved(ADAPTIVE)), 3)
    result = marked(nbformat.v3.writes_json(old), ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == set()


def test_a_notebook_without_ids_is_graded(tmp_path):
    notebook = solved(ADAPTIVE) | {"nbformat_minor": 2}
    for cell in notebook["cells"]:
        del cell["id"]
        cell["source"] = cell["source"].splitlines(keepends=True)
    assert lost(marked(notebook, ADAPTIVE, tmp_path), ADAPTIVE) == set()


@pytest.mark.slow
def test_outputs_of_50_megabytes_are_no_trouble(tmp_path):
    notebook = solved(ADAPTIVE)
    output = {"output_type": "stream", "name": "stdout", "text": "spam " * 10_000_000}
    notebook["cells"][place(notebook, "adam")]["outputs"] = [output]
    with_cell(notebook, "for _ in range(50):\n    print('spam ' * 200_000)", "adam")
    assert lost(marked(notebook, ADAPTIVE, tmp_path), ADAPTIVE) == set()


DAMAGED = {
    "empty": "",
    "half of a notebook": json.dumps(solved(ADAPTIVE))[:5000],
    "no notebook": "[1, 2]",
    "deep": "[" * 100_000,
    "another version": '{"nbformat": 9, "cells": []}',
    "cells that are none": '{"nbformat": 4, "cells": 3}',
    "without our cells": '{"nbformat": 4, "metadata": {}, "cells": []}',
    "another assignment": json.dumps({**solved(ADAPTIVE), "metadata": {"assignment": "momentum"}}),
}


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path):
    bomb = '{"nbformat": 4, "cells": [' + "{}," * 2_000_001 + "{}]}"
    (note,) = marked(bomb, ADAPTIVE, tmp_path)["look"]
    assert note == "damaged: it holds more than 2000000 signs {"


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_shown_to_a_person(tmp_path, name):
    result = marked(DAMAGED[name], ADAPTIVE, tmp_path)
    assert lost(result, ADAPTIVE) == EVERY
    (note,) = result["look"]
    assert note.startswith("damaged: ")


def test_bytes_that_are_no_text_and_files_that_are_too_large(tmp_path):
    limits = Limits(notebook=1000)
    (note,) = marked(solved(ADAPTIVE), ADAPTIVE, tmp_path, limits)["look"]
    assert note == "damaged: it is larger than 1000 bytes"
    assert marked(
        "\udcff".encode("utf8", "surrogateescape").decode("latin1"), ADAPTIVE, tmp_path, QUICK
    )["look"]


@pytest.mark.parametrize("body", ["raise ValueError('no')", "while True:\n        pass"])
def test_a_locked_cell_that_calls_a_function_that_fails_stops_nothing(tmp_path, body):
    call = Cell("table", "locked", "start, _ = rmsprop(np.zeros(1), np.ones(1), None)")
    cells = list(ADAPTIVE.cells)
    cells.insert(1 + [cell.name for cell in cells].index("rmsprop"), call)
    assignment = replace(ADAPTIVE, cells=tuple(cells))
    failing = f"def rmsprop(theta, g, state, lr=0.01, rho=0.9, eps=1e-8):\n    {body}"
    notebook = with_source(solved(ADAPTIVE), "rmsprop", failing)
    result = marked(notebook, assignment, tmp_path, Limits(cell=1, submission=60))
    assert lost(result, ADAPTIVE) == {"rmsprop-forgets", "rmsprop-weights", "inputs-unchanged"}
