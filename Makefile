# Every target sets up what it needs in .venv. Nothing here needs a container or a running server, or root but for stack-check.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := $(VENV)/.ready-demo
NEWEST := .venv-newest
OLDEST := .venv-oldest
DEPLOY := .venv-deploy

# What runs under other Pythons and other versions than those of `make test`: everything but what takes long, and two files that need
# matplotlib and celery.
# a set that covers each wing in a minute or two
UNIT   := -m "not long" \
	tests/state/schema tests/state/values tests/state/reader tests/state/patching tests/state/instrumentation tests/state/llm \
	$(addprefix tests/state/writer/test_,protocol.py lua_apply.py lua_hello.py store.py telemetry.py) \
	$(addprefix tests/state/process/test_,fork.py termination.py) \
	$(addprefix tests/exporter/,test_collector.py test_asgi.py exposition/test_exposition.py http/test_server.py) \
	$(addprefix tests/app/test_,api.py gateway.py calls.py)

# Tests start hundreds of Pythons: each would compile our modules anew if the machine's environment forbade to keep that.
export PYTHONDONTWRITEBYTECODE :=

KILLS    ?= 50
SENTINEL ?= 20
CLUSTER  ?= 20
MINUTES  ?= 10
WATCHED  ?= 20
NUMBERS  ?=
SECONDS  ?= 180

.PHONY: help setup demo test test-newest test-oldest simulate fuzz chaos drill bench matrix matrix-servers matrix-openai soak dashboards grafana-schemas reference site docs observe pictures lint types format wheel-test deploy-check manifests stack-check release-check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with everything that the other targets need

define SET_UP
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "fleetmeter needs Python >= 3.11, and $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
  echo "$(PYTHON) cannot create virtual environments; install its venv package (Debian: python3-venv)" >&2; exit 1; }
@$(PYTHON) .ci/environment.py
endef

$(READY): pyproject.toml constraints.txt
	$(SET_UP) dev

$(DEMO): pyproject.toml constraints.txt
	$(SET_UP) demo

demo: $(DEMO)  ## run the whole system here: store, upstream, 3 replicas, exporter, load (DEMO_SECONDS=30 ends it)
	@$(BIN)/python -m fleetmeter_app.demo

test: $(READY)  ## run all tests
	$(BIN)/python -m pytest

test-newest: $(READY)  ## run the shorter tests and the wheel's under the newest Python that is here, if it is newer
	@newest=$$(PYTHONPATH=tests $(BIN)/python -m support.interpreters) && \
	if [ -z "$$newest" ]; then echo "test-newest: skipped, no Python here is newer than $$($(BIN)/python --version)"; \
	else \
	  $(BIN)/uv venv --quiet --clear --seed --python "$$newest" $(NEWEST) && \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(NEWEST)/bin/python --constraint constraints.txt --editable '.[test]' && \
	  $(NEWEST)/bin/python --version && \
	  $(NEWEST)/bin/python -m pytest $(UNIT) && \
	  $(NEWEST)/bin/python -m pytest tests/packaging; \
	fi

test-oldest: $(READY)  ## run the shorter tests with the oldest versions that pyproject.toml permits
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python $(OLDEST)
	PYTHONPATH=tests $(BIN)/python -m support.oldest >$(OLDEST)/constraints.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(OLDEST)/bin/python --constraint $(OLDEST)/constraints.txt --editable '.[test]'
	$(OLDEST)/bin/python -m pytest $(UNIT)

SEEDS ?= 1000
SEED ?= 0
simulate: $(READY)  ## run the protocol under SEEDS random schedules of faults, from seed SEED on
	PYTHONPATH=tests $(BIN)/python -m simulator --seeds $(SEEDS) --first $(SEED)

FAMILIES ?= 200000
FORMATS ?= 20000
fuzz: $(READY)  ## hold the exposition of FAMILIES random families against prometheus_client's, FORMATS in both formats of numbers
	PYTHONPATH=tests $(BIN)/python -m fuzz --families $(FAMILIES) --formats $(FORMATS) --seed $(SEED)

bench: $(READY)  ## run the side-by-side benchmarks (ONLY=flush runs one)
	PYTHONPATH=tests $(BIN)/python -m bench $(ONLY)

chaos: $(READY)  ## run real stores under real faults, about 15 min (KILLS, SENTINEL, CLUSTER, MINUTES, WATCHED set it; NUMBERS=fields)
	PYTHONPATH=tests $(BIN)/python -m chaos --kills $(KILLS) --sentinel $(SENTINEL) --cluster $(CLUSTER) --minutes $(MINUTES) --watched $(WATCHED) $(if $(NUMBERS),--numbers $(NUMBERS))

matrix: $(READY)  ## try servers, job runners and metric libraries of others, each in an environment of its own (ONLY=rq runs one)
	PYTHONPATH=tests $(BIN)/python -m matrix $(ONLY)

matrix-servers: $(READY)  ## run the tests of packed numbers against Redis 6.2 to 8 and Valkey, from wheels and the PATH
	PYTHONPATH=tests $(BIN)/python -m matrix.servers

ROUNDS ?= 10
matrix-openai: $(READY)  ## hold calls by each SDK version, transport and form, by frameworks, and of examples/, against the upstream's ledger
	PYTHONPATH=tests $(BIN)/python -m matrix.openai --rounds $(ROUNDS)
	PYTHONPATH=tests $(BIN)/python -m matrix.frameworks
	PYTHONPATH=tests $(BIN)/python -m matrix.gateway
	PYTHONPATH=tests $(BIN)/python -m matrix.beside
	PYTHONPATH=tests $(BIN)/python -m matrix.examples

SOAK ?= 15
REQUESTS ?= 100000
soak: $(READY)  ## hold the gateway under load: REQUESTS to one replica, SOAK minutes with trouble to three; about 20 min
	PYTHONPATH=tests $(BIN)/python -m soak --minutes $(SOAK) --requests $(REQUESTS)

SPEED ?= 30
drill: $(READY)  ## let faults happen to a demo, windows divided by SPEED: do all alerts reach a webhook, and resolve?
	PYTHONPATH=tests $(BIN)/python -m drill --speed $(SPEED)

dashboards: $(READY)  ## write grafana/dashboards anew, from what the code declares (LABELS=team,tenant FOLDER=mine: with your labels)
	PYTHONPATH=grafana $(BIN)/python -m fleetmeter_dashboards $(if $(LABELS),--labels $(LABELS)) $(if $(FOLDER),--folder $(FOLDER))

grafana-schemas: $(READY)  ## hold the dashboards against the types of Grafana 10 to 13 (npm's @grafana/schema), about 2 min
	PYTHONPATH=tests:grafana $(BIN)/python tests/grafana/schema

reference: $(READY)  ## write docs/reference anew, from the code
	PYTHONPATH=docs:grafana $(BIN)/python -m fleetmeter_docs

site: $(READY)  ## build the documentation into site/; it fails for a link that leads nowhere
	PYTHONPATH=docs:grafana $(BIN)/python -m fleetmeter_docs --check
	PYTHONPATH=docs:grafana NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

docs: site  ## the same, and check links, guarantees and every block of code
	$(BIN)/python -m pytest tests/docs

observe: $(READY)  ## compare what every panel shows of a run with the ledger, about 4 min (SECONDS=180)
	PYTHONPATH=tests $(BIN)/python -m observation --seconds $(SECONDS)

pictures: $(READY)  ## draw docs/pictures anew, from a fleet under load and a real Prometheus, about 6 min
	PYTHONPATH=tests $(BIN)/python -m pictures

lint: $(READY)  ## check style and format, and that the dashboards are what the code builds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=grafana $(BIN)/python -m fleetmeter_dashboards --check

types: $(READY)  ## check types
	$(BIN)/mypy

format: $(READY)  ## put imports and layout in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel-test: $(READY)  ## build the wheel and try it in a fresh environment, beside a project with its own `app`
	$(BIN)/python -m pytest tests/packaging

$(DEPLOY)/.ready: $(READY) pyproject.toml constraints.txt
	@echo "setting up $(DEPLOY): helm, hadolint, schemas of Kubernetes; this happens once"
	@$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python $(DEPLOY)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(DEPLOY)/bin/python --constraint constraints.txt --editable '.[deploy]'
	@touch $@

deploy-check: $(DEPLOY)/.ready  ## check deploy/: images, compose file, chart for three Kubernetes versions, units
	$(DEPLOY)/bin/python -m pytest tests/deploy

manifests: $(DEPLOY)/.ready  ## write deploy/kubernetes anew, from the chart
	$(DEPLOY)/bin/python deploy/manifests.py

TAG ?=
release-check: $(DEPLOY)/.ready  ## build sdist and wheel twice, look through them, try them by each Python here (TAG=v1.2.3)
	PYTHONPATH=tests $(DEPLOY)/bin/python -m release $(TAG)

stack-check: $(READY)  ## run deploy/compose.yaml without an engine: its services as processes, apart by the kernel; needs root
	PYTHONPATH=tests $(BIN)/python -m stack

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(NEWEST) $(OLDEST) $(DEPLOY) dist build site .pytest_cache .mypy_cache .ruff_cache
