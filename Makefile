# Everything is run through uv in one environment; `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help install-uv sync-run run deps status restart stop logs reset token admin-password doctor web sync test test-gateway test-chat \
	test-inference test-agent test-retrieval test-billing test-shared test-local test-manifests test-web test-platform test-slow test-compose check format generate k8s k8s-secrets chart-tools \
	images compose-env bench

export PATH := $(CURDIR)/.uv/bin:$(PATH)
# Where the shell forbids bytecode beside the sources, it is kept in the cache: without any, each of the many processes that a
# run or a test starts compiles the same libraries again, which takes longer than all the rest of its start.
ifdef PYTHONDONTWRITEBYTECODE
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/atrium/bytecode
endif
UV := uv
LOCAL := $(UV) run --no-sync python -m atrium_local
PYTEST := $(UV) run --no-sync pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder
EMAIL_OPTION := $(if $(EMAIL),--email $(EMAIL))

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

install-uv:
	@command -v $(UV) >/dev/null || sh tools/install-uv.sh

sync: install-uv ## install what the lock names (and uv itself when it is missing)
	@$(UV) sync --quiet --locked

# What a person runs needs none of the tools of development; those that are there stay.
sync-run: install-uv
	@$(UV) sync --quiet --locked --inexact --no-dev

run: sync-run ## start everything; Ctrl-C stops it and keeps the data (EXCEPT=inference-service leaves one out)
	@EXCEPT="$(EXCEPT)" exec $(LOCAL) up

deps: sync-run ## start only PostgreSQL and the model server and leave them running
	@$(LOCAL) deps

# 3: nothing runs, which was asked and is no failure.
status: sync-run ## what runs
	@$(LOCAL) status || [ $$? -eq 3 ]

restart: sync-run ## put a new process in place of a running one: nobody is refused, replies under way get 10 s to end (NAME=chat-service; without it all services)
	@$(LOCAL) restart $(NAME)

stop: sync-run ## stop everything, keep the data
	@$(LOCAL) stop

logs: sync-run ## follow the logs (NAMES="gateway chat-service")
	@$(LOCAL) logs $(NAMES)

reset: sync-run ## delete all data of this installation, after asking (CONFIRM=yes)
	@$(LOCAL) reset $(if $(filter yes,$(CONFIRM)),--yes)

token: sync-run ## print a token of the first administrator (EMAIL=who)
	@$(LOCAL) token $(EMAIL_OPTION)

admin-password: sync-run ## give the first administrator a new password (EMAIL=who)
	@$(LOCAL) admin-password $(EMAIL_OPTION)

doctor: sync-run ## check what a run needs
	@$(LOCAL) doctor

web: sync-run ## build the web client
	@$(UV) run --no-sync python -m atrium_local.webclient

test: sync ## run every test (TESTS=path for some)
	@$(UV) run --no-sync python -m atrium_local.webclient test
	@$(PYTEST) $(TESTS)

test-gateway: sync ## the tests of the gateway alone (TESTS=path for some of any of these)
	@$(PYTEST) $(or $(TESTS),gateway/tests)

test-chat: sync ## the tests of chat-service alone
	@$(PYTEST) $(or $(TESTS),chat-service/tests)

test-inference: sync ## the tests of inference-service alone
	@$(PYTEST) $(or $(TESTS),inference-service/tests)

test-agent: sync ## the tests of agent-service alone
	@$(PYTEST) $(or $(TESTS),agent-service/tests)

test-retrieval: sync ## the tests of retrieval-service alone
	@$(PYTEST) $(or $(TESTS),retrieval-service/tests)

test-billing: sync ## the tests of billing-service alone
	@$(PYTEST) $(or $(TESTS),billing-service/tests)

test-shared: sync ## the tests of the shared library alone
	@$(PYTEST) $(or $(TESTS),shared/tests)

test-local: sync ## the tests of the supervisor alone
	@$(PYTEST) $(or $(TESTS),deployments/local/tests)

test-manifests: sync ## the tests of the table of containers and the Kubernetes files alone
	@$(PYTEST) $(or $(TESTS),deployments/manifests/tests)

test-web: sync ## the client's own tests, without a browser
	@$(UV) run --no-sync python -m atrium_local.webclient test

test-platform: sync ## the tests that cross services, on whole platforms
	@$(PYTEST) $(or $(TESTS),tests)

test-slow: sync ## the tests that are too long for every run: before a release (TESTS=path for some)
	@$(UV) run --no-sync pytest --slow $(TESTS)

check: sync ## lint, types, layers, generated files
	@$(UV) run --no-sync ruff check .
	@$(UV) run --no-sync ruff format --check .
	@$(UV) run --no-sync basedpyright
	@$(UV) run --no-sync lint-imports
	@$(UV) run --no-sync python -m atrium_local.webclient check
	@$(UV) run --no-sync python tools/generate.py --check
	@$(UV) run --no-sync pytest -q tests/test_tidy.py

format: sync ## format and fix what can be fixed by itself
	@$(UV) run --no-sync ruff check --fix .
	@$(UV) run --no-sync ruff format .

k8s-secrets: sync ## write 05-secrets.yaml with new secrets into kubernetes/, where git ignores it, or add what it lacks (TO=folder)
	@$(UV) run --no-sync python -m atrium_manifests secrets $(or $(TO),kubernetes)

k8s: sync ## write the Kubernetes files for images of a registry (REGISTRY=registry.example.com/atrium TAG= TO=folder)
	@$(UV) run --no-sync python -m atrium_manifests kubernetes $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(TAG),--version $(TAG)) $(or $(TO),.atrium/kubernetes)

images: sync ## build the container images and write what each is made of (REGISTRY= TAG= NAMES="gateway chat-service" DOCKER=podman)
	@$(UV) run --no-sync python tools/images.py $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(TAG),--tag $(TAG)) $(if $(DOCKER),--docker $(DOCKER)) $(NAMES)

compose-env: sync-run ## write the secrets of Docker Compose into deployments/.env; what is there stays
	@$(LOCAL) secrets --file deployments/.env
	@echo "next: cd deployments && docker compose up -d"
	@sed -n "s|^SETUP_TOKEN='\(.*\)'|then sign up as the administrator: http://127.0.0.1:8000/signup?setup=\1|p" deployments/.env

test-compose: sync ## bring deployments/docker-compose.yml up in a project of its own and use it (STANDINS=1: without any image registry, as root)
	@$(if $(STANDINS),deployments/docker/standins/try.sh,$(UV) run --no-sync python tools/try_compose.py)

chart-tools: sync ## fetch helm and kubectl into .atrium/tools, for the tests of the chart and of kustomize
	@sh tools/install-chart-tools.sh

generate: sync ## write every derived file: OpenAPI, settings page, requirements, web types, Kubernetes, chart
	@$(UV) run --no-sync python tools/generate.py

bench: sync ## measure the gateway hop, the chain, chat turns and the ledger
	@$(UV) run --no-sync python -m benchmarks

bench-%: sync ## one of them
	@$(UV) run --no-sync python -m benchmarks $*
