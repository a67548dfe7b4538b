# Every target first makes the environment that it needs, or brings it up to date with its requirements and
# pyproject.toml: .venv, .venv-frameworks for what compares with other libraries, .venv-grading for the assignments.
# Another Python: make PYTHON=python3.12 book. CONTRIBUTING.md has the same commands for Windows.

PYTHON ?= python3
CHAPTER ?= *
PORT ?= 8000
ASSIGNMENT ?=
PRIVATE ?=
SITE ?=
TRUST ?=
UPGRADE ?= --upgrade

BIN := .venv/bin
READY := .venv/ready
BIN_FRAMEWORKS := .venv-frameworks/bin
READY_FRAMEWORKS := .venv-frameworks/ready
BIN_PAGES := .venv-pages/bin
READY_PAGES := .venv-pages/ready
BIN_GRADING := .venv-grading/bin
READY_GRADING := .venv-grading/ready
TEXTS := $(wildcard book/text/$(CHAPTER).md)
NOTEBOOKS := $(TEXTS:book/text/%.md=book/%.ipynb)
# Those that import other libraries have the tag "frameworks" on their first cell, after `:tags:` or in YAML.
FIRST_CELL_SAYS_SO := FNR == 1 { cell = 0 } index($$0, "```{code-cell}") == 1 { cell++ } \
	{ tags = /^:?tags:/ || tags && /^[ -]/ } \
	cell == 1 && tags && /[^a-z-]frameworks([^a-z-]|$$)/ { print FILENAME; cell++ }
BESIDE := $(patsubst book/text/%.md,book/%.ipynb,$(if $(TEXTS),$(shell awk '$(FIRST_CELL_SAYS_SO)' $(TEXTS))))
ALONE := $(filter-out $(BESIDE),$(NOTEBOOKS))

# Jupyter finds the kernel of .venv first, and a sum is split the same way on every machine.
export JUPYTER_PREFER_ENV_PATH := 1
SINGLE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1

.PHONY: help book pdf check test test-frameworks test-pages test-cells test-grading assignments grade rehearse mutants notebooks pictures lab serve bench bench-grading pins clean

help:
	@echo "make book             build the HTML book in _build/html, warnings being errors"
	@echo "make pdf              build it, and print it to one PDF, which the front page then offers"
	@echo "make check            run the fast tests, in about a minute"
	@echo "make test             run every test, and every notebook against its stored outputs"
	@echo "make test-frameworks  run what compares with PyTorch, JAX, Keras, SciPy, Numba and others"
	@echo "make test-pages       try in a browser what a reader does with the built pages"
	@echo "make test-cells       run every cell of the built pages in a browser, against its stored output"
	@echo "make test-grading     prove that the assignments are graded as they should be"
	@echo "make assignments      make the students' notebooks in _build/assignments, and a zip of them"
	@echo "make grade            grade a folder or a zip file: make grade SUBMITTED=... [ASSIGNMENT=adaptive-steps]"
	@echo "make rehearse         grade the assignments' own solutions, with your own tests: make rehearse PRIVATE=folder"
	@echo "make mutants          plant every one-token mistake in the optimizers: do the tests catch it?"
	@echo "make notebooks        make the notebooks from book/text: sync, execute, normalise"
	@echo "                      (one of them: make notebooks CHAPTER=adam)"
	@echo "make pictures         take the pictures of the README and the front page from the notebooks"
	@echo "make lab              open JupyterLab on the notebooks"
	@echo "make serve            show the built book on http://localhost:$(PORT)"
	@echo "make bench            measure a step, a gradient check and an epoch beside other libraries, and workers beside one"
	@echo "make bench-grading    measure how long it takes to grade 30 submissions"
	@echo "make pins             renew requirements.txt from requirements.in"
	@echo "                      (without moving what is pinned: make pins UPGRADE=)"
	@echo "make clean            remove the built book and the caches (not .venv)"

define environment
@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
$(PYTHON) -m venv $(@D)
$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(patsubst %,-r %,$(filter %.txt,$^))
$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch $@
endef

$(READY): requirements.txt pyproject.toml
	$(environment)

$(READY_FRAMEWORKS): requirements.txt requirements-frameworks.txt pyproject.toml
	$(environment)

$(READY_PAGES): requirements.txt requirements-pages.txt pyproject.toml
	$(environment)

$(READY_GRADING): requirements.txt requirements-grading.txt pyproject.toml
	$(environment)

book: $(READY)
	$(BIN)/jupyter-book build . --all -n -W --keep-going

# No notebook runs here, and to load nbval takes longer than a thousand tests: so its options go, too.
check: $(READY)
	$(BIN)/python -m pytest tests optimlib -m "not slow" --durations=5 -p no:nbval \
		-o addopts="--doctest-modules -n auto --dist loadfile --strict-markers --strict-config"

test: $(READY)
	$(BIN)/python -m pytest

test-frameworks: $(READY_FRAMEWORKS)
	$(BIN_FRAMEWORKS)/python -m pytest tests book -m frameworks

# Chromium comes from the system: where none is there and Debian's tools are, it is installed.
define browser
@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	{ apt-get update && apt-get install --yes --no-install-recommends chromium; }
endef

pdf: $(READY_PAGES) book
	$(browser)
	$(BIN_PAGES)/python book/paper.py _build/html

EVERY_CELL := tests/pages/test_every_cell.py

test-pages: $(READY_PAGES) book
	$(browser)
	$(BIN_PAGES)/python -m pytest tests/pages --ignore $(EVERY_CELL) -n 2 --dist worksteal

test-cells: $(READY_PAGES) book
	$(browser)
	$(BIN_PAGES)/python -m pytest $(EVERY_CELL) -n 2 --dist worksteal

# The sandbox comes from the system: where it is missing and Debian's tools are there, it is installed.
test-grading: $(READY_GRADING)
	@command -v bwrap || { apt-get update && apt-get install --yes --no-install-recommends bubblewrap; }
	$(BIN_GRADING)/python -m pytest tests/grading -m grading -p no:nbval \
		-o addopts="-n 2 --dist load --strict-markers --strict-config"

assignments: $(READY_GRADING)
	$(BIN_GRADING)/python -m grading release $(if $(SITE),--site $(SITE)) $(if $(PRIVATE),--private "$(PRIVATE)")

# The results lie beside the folder. Where there is no sandbox it refuses, unless TRUST=1 is given.
grade: $(READY_GRADING)
	$(if $(SUBMITTED),,$(error Which folder? make grade SUBMITTED=folder))
	$(BIN_GRADING)/python -m grading grade "$(SUBMITTED)" $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) \
		$(if $(SITE),--site $(SITE)) $(if $(PRIVATE),--private "$(PRIVATE)") $(if $(TRUST),--trust)

rehearse: $(READY_GRADING)
	$(BIN_GRADING)/python -m grading rehearse $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) \
		$(if $(PRIVATE),--private "$(PRIVATE)") $(if $(TRUST),--trust)

mutants: $(READY)
	$(SINGLE_THREAD) $(BIN)/python tests/mutation.py

EXECUTE := jupyter nbconvert --log-level WARN --KernelManager.transport_encryption=auto --to notebook --execute --inplace --NotebookExporter.preprocessors=nbconvert.preprocessors.CoalesceStreamsPreprocessor

# The text wins: it is made the newer of the two before jupytext brings them in step.
notebooks: $(READY) $(if $(BESIDE),$(READY_FRAMEWORKS))
	$(if $(TEXTS),,$(error There is no book/text/$(CHAPTER).md))
	$(BIN)/python book/ledger.py
	touch $(TEXTS)
	$(BIN)/jupytext --quiet --sync $(TEXTS)
	$(if $(ALONE),$(SINGLE_THREAD) TQDM_DISABLE=1 $(BIN)/$(EXECUTE) $(ALONE))
	$(if $(BESIDE),$(SINGLE_THREAD) TQDM_DISABLE=1 $(BIN_FRAMEWORKS)/$(EXECUTE) $(BESIDE))
	$(BIN)/python book/fold_solutions.py $(NOTEBOOKS)
	$(BIN)/nbstripout --keep-output --keep-count --keep-id --extra-keys "metadata.language_info metadata.jupytext" $(NOTEBOOKS)
	$(BIN)/python book/pictures.py

pictures: $(READY)
	$(BIN)/python book/pictures.py

lab: $(READY)
	$(BIN)/jupyter lab book

serve: book
	$(BIN)/python -m http.server --directory _build/html $(PORT)

bench: $(READY_FRAMEWORKS)
	$(BIN_FRAMEWORKS)/python benchmarks/adam_step.py
	$(BIN_FRAMEWORKS)/python benchmarks/gradient_check.py
	$(BIN_FRAMEWORKS)/python benchmarks/epoch.py
	$(BIN_FRAMEWORKS)/python benchmarks/data_parallel.py

bench-grading: $(READY_GRADING)
	$(BIN_GRADING)/python benchmarks/grading_room.py

# uv is fetched into a throw-away environment: nothing else here needs it.
pins:
	$(PYTHON) -m venv .venv-pins
	.venv-pins/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-pins/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest $(UPGRADE) \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" \
		requirements.in -o requirements.txt
	rm -rf .venv-pins

clean:
	rm -rf _build build .mypy_cache .pytest_cache .ruff_cache .hypothesis .jupyter_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +
