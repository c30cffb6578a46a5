# make demo   watch AURELIA answer a question about a clip, without any key
# make test   ruff, mypy --strict and pytest
# make live   the tests that need your keys, weights or server; each says what it lacks (tests/live/README.md)
# make pictures  the pictures and the table of settings in docs, from real runs (needs chromium and its driver)
# make bench  the benchmarks, each as a ratio to a named baseline
# make attack  hostile clips, paths, text, failing providers and machines, each figure with its bound
# make constraints  renew constraints.txt from the newest versions that pyproject.toml admits

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test live bench attack pictures constraints clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY)
	@AURELIA_HOME=$(DEMO)/home $(BIN)/python -m aurelia.mini.demo $(DEMO)

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --dist loadfile

live: $(READY)
	$(BIN)/pytest tests/live --run-live

bench: $(READY)
	$(BIN)/python benchmarks/run.py

attack: $(READY)
	$(BIN)/python benchmarks/attack/run.py

pictures: $(READY)
	$(BIN)/python docs/pictures.py

constraints:
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	{ echo "# Versions that were tested together; renewed by: make constraints"; \
	  build/constraints/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.txt

clean:
	rm -rf build $(VENV)
