# `make tutorial` runs the series, `make test` proves it, and `make lab` opens it.
# `make outputs` refreshes the stored outputs, `make colab REPOSITORY=owner/name` says where
# Colab finds the series, `make torch` runs it on PyTorch, in an environment of its own, and
# `make book` builds it as a web site, in another one.

PYTHON ?= python3
PROFILE ?= sample
VENV := .venv
INSTALLED := $(VENV)/installed
TORCH := .venv-torch
BOOK := .venv-book

# Large arrays in huge pages: a step of pretraining then takes a sixth less time, which it
# would spend on page faults. For the C library of Linux; others don't read it.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: tutorial test book lab outputs colab torch clean

tutorial: $(INSTALLED)
	$(VENV)/bin/python -m helpers.tutorial $(PROFILE) $(SETTINGS)

# From nothing, into a folder of its own: what `make tutorial` left is neither used nor lost.
test: $(INSTALLED) book
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest tests --ignore tests/test_solutions.py
	$(BOOK)/bin/python -m pytest book
	rm -rf artifacts/tested
	TUTORIAL_ARTIFACTS=$(CURDIR)/artifacts/tested $(VENV)/bin/python -m pytest \
		--nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg \
		--nbval-cell-timeout 1800 notebooks tests/test_solutions.py

# From the stored outputs, without executing anything, into artifacts/book/_build/html. A
# warning fails it. In api/ it writes the pages of `helpers`, and takes them away again.
book: $(BOOK)/installed
	rm -rf artifacts/book api
	$(BOOK)/bin/jupyter-book build . --config book/_config.yml --toc book/_toc.yml \
		--path-output artifacts/book --warningiserror --keep-going --quiet

lab: $(INSTALLED)
	$(VENV)/bin/jupyter lab notebooks

outputs: $(INSTALLED)
	rm -rf artifacts/outputs
	TUTORIAL_ARTIFACTS=$(CURDIR)/artifacts/outputs \
		$(VENV)/bin/python -m helpers.tutorial sample --in-place

colab: $(INSTALLED)
	$(VENV)/bin/python -m helpers.colab $(REPOSITORY)

torch: $(TORCH)/installed
	KERAS_BACKEND=torch $(TORCH)/bin/python -m pytest tests/test_models.py \
		tests/test_training.py tests/test_backends.py
	KERAS_BACKEND=torch TUTORIAL_ARTIFACTS=$(CURDIR)/artifacts/torch \
		$(TORCH)/bin/python -m helpers.tutorial $(PROFILE) $(SETTINGS)

# Marked as installed only at the end, so that a broken installation is made again.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo 'Python 3.11, 3.12 or 3.13 is needed: make $(or $(MAKECMDGOALS),tutorial) PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(TORCH)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check \
		-r requirements.txt torch==2.13.0
	touch $@

$(BOOK)/installed: book/requirements.txt
	$(PYTHON) -m venv $(BOOK)
	$(BOOK)/bin/python -m pip install --quiet --disable-pip-version-check \
		-r book/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(TORCH) $(BOOK) artifacts api
