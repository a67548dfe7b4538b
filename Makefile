# Every target first makes .venv, or brings it up to date with requirements.txt and pyproject.toml.
# Another Python: make PYTHON=python3.12 book. CONTRIBUTING.md has the same commands for Windows.

PYTHON ?= python3
CHAPTER ?= *
PORT ?= 8000

BIN := .venv/bin
READY := .venv/ready
TEXTS := $(wildcard book/text/$(CHAPTER).md)
NOTEBOOKS := $(TEXTS:book/text/%.md=book/%.ipynb)

# Jupyter finds the kernel of .venv first, and a sum is split the same way on every machine.
export JUPYTER_PREFER_ENV_PATH := 1
SINGLE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1

.PHONY: help book test mutants notebooks lab serve bench pins clean

help:
	@echo "make book        build the HTML book in _build/html, warnings being errors"
	@echo "make test        run every test, and every notebook against its stored outputs"
	@echo "make mutants     plant every one-token mistake in the optimizers: do the tests catch it?"
	@echo "make notebooks   make the notebooks from book/text: sync, execute, normalise"
	@echo "                 (one of them: make notebooks CHAPTER=09-adam)"
	@echo "make lab         open JupyterLab on the notebooks"
	@echo "make serve       show the built book on http://localhost:$(PORT)"
	@echo "make bench       measure an Adam step"
	@echo "make pins        renew requirements.txt from requirements.in"
	@echo "make clean       remove the built book and the caches (not .venv)"

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

book: $(READY)
	$(BIN)/jupyter-book build . --all -n -W --keep-going

test: $(READY)
	$(BIN)/python -m pytest

mutants: $(READY)
	$(SINGLE_THREAD) $(BIN)/python tests/mutation.py

# The text wins: it is made the newer of the two before jupytext brings them in step.
notebooks: $(READY)
	$(if $(TEXTS),,$(error There is no book/text/$(CHAPTER).md))
	touch $(TEXTS)
	$(BIN)/jupytext --quiet --sync $(TEXTS)
	$(SINGLE_THREAD) $(BIN)/jupyter nbconvert --log-level WARN --KernelManager.transport_encryption=auto --to notebook --execute --inplace --NotebookExporter.preprocessors=nbconvert.preprocessors.CoalesceStreamsPreprocessor $(NOTEBOOKS)
	$(BIN)/nbstripout --keep-output --keep-count --keep-id --extra-keys "metadata.language_info metadata.jupytext" $(NOTEBOOKS)

lab: $(READY)
	$(BIN)/jupyter lab book

serve: book
	$(BIN)/python -m http.server --directory _build/html $(PORT)

bench: $(READY)
	$(BIN)/python benchmarks/adam_step.py

# uv is fetched into a throw-away environment: nothing else here needs it.
pins:
	$(PYTHON) -m venv .venv-pins
	.venv-pins/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-pins/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" \
		requirements.in -o requirements.txt
	rm -rf .venv-pins

clean:
	rm -rf _build build .pytest_cache .ruff_cache .hypothesis .jupyter_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
