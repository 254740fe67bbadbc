# Every target sets itself up: it makes .venv from a Python that is there and installs what has changed since the last time.
# `make` alone explains the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all parity mutants lab bench bench-grading build student-kit site book audio lint format pins clean

VENV := .venv
BIN := $(VENV)/bin
# Work without a network once installed: nothing here looks for a newer pip.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# One thread for each process: the tests already use every core.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1

# A notebook's cells share a kernel, so its tests stay together on one core. What they do is no learner's progress.
PYTEST := COURSE_PROGRESS=off $(BIN)/python -m pytest -n logical --dist loadscope -q
FAST := -m "not slow"
COVERED := $(VENV)/coverage.json
COVER := --cov=course_lib --cov-branch --cov-report=json:$(COVERED)
export COVERAGE_FILE := $(VENV)/coverage
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)
EXTRAS := dev cluster postgresql similarity audio site book

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Students: make lab. Instructors: make demo first. Authors: read CONTRIBUTING.md."
	@echo "The first run makes $(VENV) with Python 3.11 to 3.14 (choose with PYTHON=/path/to/python3) and takes some minutes."

setup: $(VENV)/dev.stamp ## only the environment, for running things by hand

demo: $(VENV)/dev.stamp ## build the lessons, grade a sample class, write feedback and a summary
	$(BIN)/python -m autograder demo

test: $(VENV)/dev.stamp ## all tests: lint, types, code, notebooks, built files (about half an hour on two cores)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m autograder build --check
	$(PYTEST) $(FAST) $(COVER) tests
	$(BIN)/python scripts/branch_coverage.py $(COVERED)
	$(BIN)/python -m course_lib.exercises --table
	$(PYTEST) --nbval solutions
	$(PYTEST) --nbval-lax lessons
	@$(if $(FAST),echo "All passed. Tests marked slow were left to: make test-all",echo "All passed.")

parity: $(VENV)/dev.stamp ## every setting held beside PyTorch, and the largest difference of each kind
	$(BIN)/python scripts/parity.py

mutants: $(VENV)/dev.stamp ## change course_lib in thousands of places and see that a test notices each
	$(BIN)/python scripts/mutants.py

test-all: FAST :=
test-all: export COURSE_TRIALS := all
test-all: test ## make test, and the tests that are slow

lab: $(VENV)/lab.stamp ## JupyterLab on lessons/, for students
	$(BIN)/jupyter lab lessons

bench-grading: $(VENV)/dev.stamp ## time the grading of a class beside stock nbgrader's (ten minutes, on a quiet machine)
	$(BIN)/python scripts/bench_grading.py

bench: $(VENV)/dev.stamp ## time training steps beside PyTorch's, the import, and explorations (a minute, on a quiet machine)
	$(BIN)/python scripts/bench.py
	$(BIN)/python scripts/bench_explore.py

build: $(VENV)/dev.stamp ## rebuild the notebooks whose source has changed
	$(BIN)/python -m autograder build

student-kit: $(VENV)/dev.stamp ## what students get, as one file: dist/student-kit-VERSION.zip
	$(BIN)/python -m autograder student-kit

site: $(VENV)/site.stamp ## the course as a site that runs in the browser, in build/site (needs npm the first time)
	$(BIN)/python -m autograder site $(if $(PYODIDE),--pyodide "$(PYODIDE)")

book: $(VENV)/book.stamp ## the course as a book of static pages, in build/book/html; with every answer: make book ANSWERS=1
	$(BIN)/python -m autograder book $(if $(ANSWERS),--answers) $(if $(SITE),--site "$(SITE)")

audio: $(VENV)/audio.stamp ## render what the lessons say aloud, where it has changed (needs npm the first time)
	$(BIN)/python scripts/make_audio.py

lint: $(VENV)/dev.stamp ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## rewrite code and lesson sources in the house style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python -m autograder build --format

pins: $(VENV)/dev.stamp ## write requirements*.txt from requirements*.in (needs a network); newer versions: make pins UPGRADE=--upgrade
	for file in requirements.txt $(EXTRAS:%=requirements-%.txt); do \
		grep -v -e '^#' -e '^--' "$$file" > "$${file%.txt}.pins" || true; done
	$(COMPILE) requirements.in --output-file requirements.pins
	for extra in $(EXTRAS); do \
		$(COMPILE) requirements-$$extra.in --constraints requirements.pins --output-file requirements-$$extra.pins || exit 1; done
	for file in requirements $(EXTRAS:%=requirements-%); do \
		{ echo "# Written by make pins from $$file.in, where the reasons are." && cat $$file.pins ; } > $$file.txt; done
	echo "--editable ." >> requirements.txt
	rm *.pins

clean: ## remove the environment, caches, and what the demo wrote
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

# The environment. A stamp is newer than the requirements it stands for exactly when they are installed.
# The course itself is built with the setuptools already there: pip's isolated build would want a network every time.
$(VENV)/lab.stamp: requirements.txt pyproject.toml | $(VENV)/made.stamp
	@echo "Installing requirements.txt (the first time takes some minutes)."
	@$(BIN)/python -m pip install --quiet "$$(grep '^setuptools==' requirements.txt)"
	@$(BIN)/python -m pip install --quiet --no-build-isolation --requirement requirements.txt
	@touch $@

$(VENV)/%.stamp: requirements-%.txt $(VENV)/lab.stamp
	@echo "Installing $<."
	@$(BIN)/python -m pip install --quiet --requirement $<
	@touch $@

$(VENV)/made.stamp:
	@found=; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then \
			found=$$python; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "No Python from 3.11 to 3.14 was found. Install one from https://www.python.org/downloads/, or name the one" >&2; \
		echo "you have: make PYTHON=/path/to/python3 (the python3 here: $$(python3 --version 2>/dev/null || echo none))." >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)."; \
	$$found -m venv $(VENV) || { \
		echo "$$found cannot make environments; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@touch $@
