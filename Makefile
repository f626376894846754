# `make demo` shows what it is about in a browser, with nothing to install or to train. `make
# tutorial` runs the series, `make lab` opens it in JupyterLab. `make test` tests it in a
# quarter of an hour, `make test-slow` and `make test-weekly` run the remaining tests. `make
# outputs` refreshes the stored outputs, `make colab REPOSITORY=owner/name` sets the address
# for Colab, `make torch` runs the series on PyTorch and `make book` builds the web site, in
# environments of their own.

PYTHON ?= python3
PROFILE ?= sample
# YAML: SETTINGS="seed: 1, corpus: my texts.txt"
SETTINGS ?=
# Recipes read it from the environment, where quotes need no escaping.
export SETTINGS
VENV := .venv
INSTALLED := $(VENV)/installed
TORCH := .venv-torch
# The newest instructions that XLA uses in the slow tests
ISA ?= SSE4_2
BOOK := .venv-book
RUNTIME := book/node_modules
NOTEBOOKS := 01_setup_and_baseline 02_mlm_preprocessing 03_encoder_pretraining \
	04_what_it_has_learnt 05_fine_tuning 06_using_your_encoder 07_scaling_out
# No other notebook needs what these compute.
UNNUMBERED := attention_by_hand appendix_presets_and_sizes
ARTIFACTS := $(or $(patsubst ~/%,$(HOME)/%,$(TUTORIAL_ARTIFACTS)),$(CURDIR)/artifacts)

# Huge pages for large arrays save a sixth of a pretraining step, otherwise spent on page
# faults. Only the C library of Linux reads this.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: demo runtime tutorial series test test-slow test-weekly book lab outputs colab torch clean

# With npm, the page can run the encoder in the browser. Without it, it shows what is stored.
runtime:
	@command -v npm > /dev/null && $(MAKE) --no-print-directory $(RUNTIME)/installed || true

demo: runtime
	@$(PYTHON) scripts/demo.py $(PORT)

tutorial: $(INSTALLED)
	@$(MAKE) --no-print-directory series

series:
	@$(VENV)/bin/python scripts/series.py "$(PROFILE)" "{$$SETTINGS}" \
		"$(ARTIFACTS)/$(PROFILE)" $(NOTEBOOKS:%=notebooks/%.ipynb) \
		$(UNNUMBERED:%=notebooks/%.ipynb)

# Notebooks run shortened. `make test-slow` compares all of their outputs.
test: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest tests --durations 25
	$(VENV)/bin/python -m pytest --nbval notebooks --durations 25

# The whole series, on older instructions than this processor's, against its stored outputs.
# Solutions and programs need its results. Two processes share the other tests, file by
# file, because slow fixtures serve a whole file.
test-slow: $(INSTALLED) $(BOOK)/installed
	XLA_FLAGS=--xla_cpu_max_isa=$(ISA) $(VENV)/bin/python -m pytest --nbval --full notebooks \
		--durations 25
	$(VENV)/bin/python -m pytest tests -m "slow and not weekly" -n 2 --dist loadfile --durations 25
	$(MAKE) book
	$(BOOK)/bin/python -m pytest -o addopts= book --durations 25

# Colab, the large profiles, and the oldest versions
test-weekly: $(INSTALLED)
	$(VENV)/bin/python -m pytest tests -m weekly -n 2 --dist loadfile --durations 25

# Builds artifacts/book/_build/html from the stored outputs, without executing anything; any
# warning is an error. The pages of `helpers` are written to api/, and removed again.
book: $(BOOK)/installed runtime
	rm -rf artifacts/book api
	$(BOOK)/bin/jupyter-book build . --config book/_config.yml --toc book/_toc.yml \
		--path-output artifacts/book --warningiserror --keep-going --quiet
	if [ -d $(RUNTIME) ]; then mkdir artifacts/book/_build/html/_static/ort && cd $(RUNTIME)/onnxruntime-web/dist && \
		cp ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm \
		$(CURDIR)/artifacts/book/_build/html/_static/ort; fi

# In a container, as root: make lab LAB_OPTIONS=--allow-root
lab: $(INSTALLED)
	$(VENV)/bin/jupyter lab $(LAB_OPTIONS) notebooks

# Executes each notebook in place, and removes its metadata except the kernel's name.
outputs: $(INSTALLED)
	rm -rf artifacts/outputs
	mkdir -p artifacts/outputs
	TUTORIAL_ARTIFACTS="$(CURDIR)/artifacts/outputs" \
		TUTORIAL_FINDINGS="$(CURDIR)/artifacts/outputs/findings.jsonl" \
		$(VENV)/bin/jupyter nbconvert \
		--to notebook --execute --inplace --log-level ERROR \
		--ExecutePreprocessor.record_timing=False \
		--NotebookExporter.preprocessors="['nbconvert.preprocessors.CoalesceStreamsPreprocessor']" \
		--ExecutePreprocessor.extra_arguments="['--log-level=ERROR']" \
		--ClearMetadataPreprocessor.enabled=True \
		--ClearMetadataPreprocessor.clear_cell_metadata=False \
		--ClearMetadataPreprocessor.preserve_nb_metadata_mask="{'kernelspec'}" \
		$(NOTEBOOKS:%=notebooks/%.ipynb) $(UNNUMBERED:%=notebooks/%.ipynb) \
		$(NOTEBOOKS:%=notebooks/solutions/%.ipynb)
	$(VENV)/bin/python scripts/outputs.py artifacts/outputs/findings.jsonl
	$(VENV)/bin/ruff format --quiet notebooks

colab:
	@echo '$(REPOSITORY)' | grep -Eqx '[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+' || \
		{ echo 'Give the owner and the name of a repository: make colab REPOSITORY=a/b'; exit 1; }
	old=$$(sed -n 's#^Repository = "https://github.com/\(.*\)"#\1#p' pyproject.toml); \
	sed -E -i.old "s#(github\.com|/github)/$$old([^A-Za-z0-9_.-]|\$$)#\1/$(REPOSITORY)\2#g" \
		pyproject.toml README.md notebooks/*.ipynb notebooks/solutions/*.ipynb
	rm -f *.old notebooks/*.old notebooks/solutions/*.old

torch: $(TORCH)/installed
	KERAS_BACKEND=torch $(TORCH)/bin/python -m pytest tests/test_models.py tests/test_pretraining.py \
		tests/test_finetuning.py
	KERAS_BACKEND=torch TUTORIAL_ARTIFACTS="$(CURDIR)/artifacts/torch" \
		$(MAKE) series VENV=$(TORCH)

# Marked as installed only at the end, so that a failed installation is repeated.
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

$(RUNTIME)/installed: book/package-lock.json
	npm ci --prefix book --ignore-scripts --no-audit --no-fund --silent
	touch $@

clean:
	rm -rf $(VENV) $(TORCH) $(BOOK) $(RUNTIME) artifacts api
