# Installs into .venv, runs the study and its checks; `make` alone lists all targets.

VENV := .venv
BIN := $(VENV)/bin
# As in uadbench/study/placement.py: the process retains the memory of tensors, which avoids page faults.
ALLOCATION := MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824

.PHONY: help demo test nightly lint style types site reference packaged format setup clean

help: ## print this list
	@echo "make TARGET [PYTHON=…] [TORCH=cpu]"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-9s %s\n", $$1, $$2}'
	@sed -n 's/^# \([A-Z]*\)=… /  \1  /p' $(firstword $(MAKEFILE_LIST))

demo: setup ## run the whole study on a simulated cohort; goes on where it was interrupted
	$(BIN)/snakemake --cores all

# With bytecode, since a hundred processes of the tests import the library.
test: setup ## run the tests
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(ALLOCATION) $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

nightly: setup ## run the slow tests, which install packages
	$(BIN)/python -m pytest -m slow

lint: style types ## check style, workflow and types

style: setup ## check style and workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

types: setup ## check types
	$(BIN)/mypy

site: setup ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The scan is that of the report's example subject on BraTS-T1.
SHOWN := results/demo/data/raw/brats/MICCAI_BraTS2020_TrainingData/BraTS20_Training_009/BraTS20_Training_009
reference: setup ## store what the site shows of the finished study results/demo in docs/reference/demo
	rm -rf results/shown $(addprefix docs/reference/demo/,data training paper evaluation/*/)
	$(BIN)/uadbench excerpt results/demo --config config.yaml --out docs/reference/demo
	$(BIN)/uadbench cost results/demo > docs/reference/demo/cost.md
	$(BIN)/uadbench score --run results/demo/training/disyre/t1/seed-1 --image $(SHOWN)_t1.nii.gz --truth $(SHOWN)_seg.nii.gz --html --out results/shown/map.nii.gz
	$(BIN)/python docs/hooks/shown.py results/shown/map.html
	$(BIN)/uadbench claims docs/reference/demo docs/reference/all-methods --out docs/claims.md

# Twice on one machine gives the same bytes.
PAINTED := results/packaged-painted
packaged: setup ## make and measure the run that comes with the package: MRI_MORE=…, MRI_MINI=… (folders)
	rm -rf $(PAINTED)
	$(BIN)/uadbench index --dataset depression --layout sheet --root $(MRI_MORE)/people.csv --validation 6 --out $(PAINTED)/subjects.csv
	$(BIN)/uadbench paint --sheet $(PAINTED)/subjects.csv --out $(PAINTED)/scans
	MRI_MORE=$(MRI_MORE) $(BIN)/snakemake --cores all --configfile config/packaged.yaml -- results/packaged/evaluation/results.csv
	rm -rf uadbench/resources/run
	$(BIN)/uadbench share results/packaged/training/disyre/t1/seed-1 --undated --licence cc0-1.0 --note config/packaged.md --out uadbench/resources/run
	$(if $(MRI_MINI),$(BIN)/python benchmarks/packaged.py $(MRI_MINI))

format: setup ## format code and workflow
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

setup: $(VENV)/ready ## install the versions of requirements.lock into .venv; goes on where it was interrupted

clean: ## delete the results of the demo
	rm -rf results/demo .snakemake

# PYTHON=… interpreter to install with, a name or a path; otherwise the first on PATH that fits
#
# antspyx, scipy and torch have wheels for these versions; pyproject.toml has the same bounds. `python3` precedes the
# newest version, since an active environment sets it; an existing .venv keeps its version.
VERSIONS := 3.11 3.12 3.13
OLD := 2.% 3.0 3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10
version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
installed = $(call version,$(BIN)/python)
candidates = $(or $(PYTHON),$(addprefix python,$(installed)) python3 python3.13 python3.12 python3.11)
fitting = $(firstword $(foreach name,$(candidates),$(if $(filter $(VERSIONS),$(call version,$(name))),$(name))))
judged = $(if $(1),$(if $(filter $(OLD),$(1)),Python $(1) (too old),Python $(1) (too new)),missing)
found = $(foreach name,$(candidates),$(name) is $(call judged,$(call version,$(name)));)
remedy = install Python 3.13, or name an interpreter: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.13
python = $(or $(fitting),$(error Python 3.11 to 3.13 is needed: $(found) $(remedy)))
stale = $(if $(wildcard $(VENV)),$(if $(filter $(call version,$(python)),$(installed)),,--clear))

# TORCH=…  cpu: torch without CUDA, which spares a machine without an NVIDIA GPU a download of 2.7 GB
#
# Only Linux has two builds; the one without CUDA has `+cpu` behind its version.
plain_torch := $(addsuffix +cpu,$(shell grep '^torch==' requirements.lock))
torch_cpu := --extra-index-url https://download.pytorch.org/whl/cpu '$(plain_torch)'
torch = $(if $(filter-out cpu,$(TORCH)),$(error TORCH=$(TORCH): there is cpu; leave TORCH out for torch with CUDA),$(if $(TORCH),$(if $(filter Linux,$(shell uname -s)),$(torch_cpu))))

# Exactly the versions of the lock file, and the command `uadbench`, which runs the files of this folder.
$(VENV)/ready: requirements.lock requirements.hashes pyproject.toml
	$(python) -m venv $(stale) $(VENV)
	$(BIN)/python -m pip install --no-deps --require-hashes --requirement requirements.hashes
	$(BIN)/python -m pip install --requirement requirements.lock $(torch) --editable '.[all]'
	touch $@
