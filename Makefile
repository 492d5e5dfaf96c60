# Every target sets up .venv by itself when that is needed, and only then.
RECIPE ?= dialogpt-mini-int4
ARGS   ?=
PYTHON ?= python3
VENV   := .venv
READY  := $(VENV)/.ready
OVRUN  := $(VENV)/bin/ovrun
# A file's tests stay in one process, so that what they share is made once; the many short ones come last.
TWO    := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: setup optimize sweep plan validate list show report test fuzz newest check reference revisions bench bench-sweep bench-large bench-memory bench-data bench-eval bench-calibration bench-scaling bench-tasks bench-peers clean help

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 27
	@echo
	@echo "  RECIPE=name      which recipe (default: $(RECIPE))"
	@echo "  ARGS=\"key=value\" values that replace the recipe's, and options of ovrun"

setup: $(READY)  ## make .venv with everything (the other targets do it when needed)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: ovrun needs Python 3.11 or newer; name one with PYTHON=python3.x" >&2; exit 1; }
	@echo "Setting up $(VENV); this takes a minute or two, once."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(VENV)/bin/python -m compileall -q runner  # where PYTHONDONTWRITEBYTECODE is set, nothing else would
	@touch $@

optimize: $(READY)  ## run a recipe from validation to a published artifact
	@$(OVRUN) optimize $(RECIPE) $(ARGS)

sweep: $(READY)  ## run every point of a grid of recipes
	@$(OVRUN) sweep $(if $(filter command line environment,$(origin RECIPE)),$(RECIPE),dialogpt-mini-grid) $(ARGS)

plan: $(READY)  ## show the stages of a recipe, what is cached, and why not
	@$(OVRUN) plan $(RECIPE) $(ARGS)

validate: $(READY)  ## check every recipe, or the one that RECIPE names
	@$(OVRUN) validate $(if $(filter command line environment,$(origin RECIPE)),$(RECIPE),--all) $(ARGS)

list: $(READY)  ## show recipes and published versions
	@$(OVRUN) list $(ARGS)

show: $(READY)  ## show the latest version of a recipe
	@$(OVRUN) show $(RECIPE) $(ARGS)

report: $(READY)  ## write outputs/report.html to choose from, and show its table
	@$(OVRUN) report $(if $(filter command line environment,$(origin RECIPE)),$(RECIPE)) $(ARGS)

test: $(READY)  ## run the tests; those that `make newest` alone runs are more of the same
	@$(VENV)/bin/python -m pytest $(TWO) -m "not newest" $(ARGS)

fuzz: $(READY)  ## attack it: thousands of wrong, hostile and damaged inputs; ARGS="--share 0.02 --seed 7"
	@$(VENV)/bin/python -m tests.campaigns $(ARGS)

newest: .venv-newest/.ready  ## run the tests of the libraries with the newest versions that pyproject.toml allows (6 GB)
	@.venv-newest/bin/python -m pip list --disable-pip-version-check --format=freeze | grep -iE '^(openvino|nncf|optimum|torch|transformers)'
	@.venv-newest/bin/python -m pytest $(TWO) -m "libraries or newest" $(ARGS)

.venv-newest/.ready: pyproject.toml
	@$(PYTHON) -m venv --clear .venv-newest
	@.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

check: $(READY)  ## style and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

reference: $(READY)  ## write schemas and docs/reference.md anew from the declarations
	@$(VENV)/bin/python -m runner.registry.schemas
	@$(VENV)/bin/python -m runner.report.reference_page > docs/reference.md
	@$(VENV)/bin/python -m runner.report.patches_page > docs/patches.md
	@$(VENV)/bin/python -m runner.report.tasks_page > docs/tasks.md
	@$(VENV)/bin/python -m runner.report.metrics_page > docs/metrics.md

revisions: $(READY)  ## note the code behind each stage, once the revisions are right
	@$(VENV)/bin/python -m tests.revisions

bench: $(READY)  ## measure against optimum-cli, on this machine, in turn
	@$(VENV)/bin/python bench/run.py $(ARGS)

bench-sweep: $(READY)  ## twelve points against twelve runs of optimum-cli; plans of many points; memory
	@$(VENV)/bin/python bench/sweep.py $(ARGS)
	@$(VENV)/bin/python bench/sweep_plan.py
	@$(VENV)/bin/python bench/sweep_memory.py

bench-large: $(READY)  ## the same with 1.1e9 parameters; takes 10 GB of memory and of disk
	@$(VENV)/bin/python bench/large.py $(ARGS)

bench-memory: $(READY)  ## peak memory against the bare NNCF call
	@$(VENV)/bin/python bench/memory.py $(ARGS)

bench-data: $(READY)  ## memory with 500 rows of a jsonl file of 2 GB, first ones, chosen and shuffled
	@$(VENV)/bin/python bench/data_memory.py $(ARGS)

bench-eval: $(READY)  ## tokens per second of an evaluation against bare inference of the same windows
	@$(VENV)/bin/python bench/evaluation.py $(ARGS)

bench-calibration: $(READY)  ## what a second setting costs that needs calibration data
	@$(VENV)/bin/python bench/calibration.py $(ARGS)

bench-scaling: $(READY)  ## stages that only wait, on 1 to 16 workers; what a stage costs beyond its work
	@$(VENV)/bin/python bench/scaling.py $(ARGS)

bench-tasks: $(READY)  ## a cold int8 run of T5, Whisper, ViT, CLIP, MiniLM and LLaVA, against optimum-cli
	@$(VENV)/bin/python bench/tasks.py $(ARGS)

bench-peers: $(READY)  ## the same job by ovrun, by hand, by optimum-cli and by Olive; installs Olive beside
	@$(VENV)/bin/python bench/peers.py $(ARGS)

clean:  ## remove .venv and caches; outputs/ stays
	rm -rf $(VENV) .venv-newest build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
