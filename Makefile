# Every command of the project. CI calls the same targets (.ci/run).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go

# What bin/manager answers to --version. A clone without history has no name to give.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)

# Generators and linters are pinned in modules of their own, so that they never lift
# a dependency of the operator. `go tool -n` builds one at need and prints where it is.
CONTROLLER_GEN = $$($(GO) -C hack/tools tool -n controller-gen)
CRD_REF_DOCS = $$($(GO) -C hack/tools/reference tool -n crd-ref-docs)
GOLANGCI_LINT = $$($(GO) -C hack/tools/lint tool -n golangci-lint)

# promtool judges the alerting rules, and takes three minutes to build for the first time.
PROMTOOL = $$($(GO) -C hack/tools/promtool tool -n promtool)

# Hugo makes the site of the documentation, and takes some minutes to build for the first time.
HUGO = $$($(GO) -C hack/tools/site tool -n hugo)

HELM = $$($(GO) -C hack/tools/helm tool -n helm)

# Your kubectl, or else the one that is built beside the test control plane.
KUBECTL ?= $$(command -v kubectl || echo "$$(hack/envtest.sh)/kubectl")

# Tests talk to a control plane that Go's test cache cannot see change.
TESTFLAGS ?= -count=1 -timeout 30m

# How long `make fuzz` stays with each target.
FUZZTIME ?= 10s

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try it

.PHONY: demo
demo: ## Show the operator at work, without a cluster (DURATION=90s ends by itself)
	@trap : INT; assets="$$(hack/envtest.sh demo)"; $(GO) build -o bin/demo/demo ./hack/demo; \
	KUBEBUILDER_ASSETS="$$assets" exec bin/demo/demo $(if $(DURATION),--duration $(DURATION))

.PHONY: test
test: ## Run the tests; needs neither a cluster nor Docker
	@hack/test.sh $(TESTFLAGS)

.PHONY: test-browser
test-browser: ## Sign in by kubectl spaces login with a real Chromium (skipped where there is none)
	@if ! command -v chromium chromium-browser google-chrome >/dev/null 2>&1; then echo "test-browser: skipped: there is no Chromium here (apt-get install chromium)"; exit 0; fi; \
	export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; $(GO) -C hack/browser test $(TESTFLAGS) ./...

.PHONY: test-processes
test-processes: ## Test operators as processes beside tenants who mean harm, and over an API server that went back
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; PROCESSES=1 $(GO) test -count=1 -v $(TESTFLAGS) -run 'TestAnAPIServerThatWentBack|TestWhatATenantForges|TestOneTenantStopsNoOther|TestTheOperatorsRequestsHaveALineOfTheirOwn|TestAClusterGoesBack' . ./internal/testbed

.PHONY: test-interop
test-interop: ## Test the client and a live operator against a server that nobody here wrote (ory/fosite)
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; $(GO) -C test/interop test $(TESTFLAGS) ./...

.PHONY: test-example
test-example: ## Test the example of a foreign module that tests itself by fakespaces and the operator's binary
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; $(GO) -C fakespaces/example test $(TESTFLAGS) ./...

.PHONY: test-gitops
test-gitops: ## Test what Argo CD and Flux make of every reason, and the policies and roles of config/samples
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; $(GO) -C test/gitops test $(TESTFLAGS) ./...

.PHONY: test-release
test-release: ## Test image and release: what is in them, that two builds are one, and that krew installs the plugin
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; $(GO) -C hack/release test $(TESTFLAGS) ./...

.PHONY: test-alerts
test-alerts: ## Have every alert fire and keep silent by promtool, and evaluate the dashboard over a run full of trouble
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)" PROMTOOL="$(PROMTOOL)"; $(GO) -C test/monitoring test $(TESTFLAGS) ./...

.PHONY: monitoring-pictures
monitoring-pictures: ## Draw the pictures of docs/monitoring.md from such a run, a minute or two
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)" PICTURES="$(CURDIR)/docs/images"; $(GO) -C test/monitoring test $(TESTFLAGS) -run TestTheDashboardShowsEveryTrouble ./...

.PHONY: test-chart
test-chart: ## Install, upgrade, roll back and remove the chart by helm, and run the operator with its rights
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)" HELM="$(HELM)"; $(GO) test $(TESTFLAGS) ./charts

.PHONY: test-e2e
test-e2e: ## Tell what happens to the operator on a real node: in its image, by the chart (skipped where none can be had)
	@hack/e2e.sh

.PHONY: test-runbook
test-runbook: ## Run the commands of docs/runbook.md, each in a cluster that has that trouble
	@export KUBEBUILDER_ASSETS="$$(hack/envtest.sh)"; RUNBOOK=1 $(GO) test $(TESTFLAGS) ./test/runbook

.PHONY: test-workloads
test-workloads: ## Run the Go, Node, Python and shell programs of docs/workloads.md beside tokens that change
	@$(GO) test -v $(TESTFLAGS) ./spacestoken ./test/workloads

.PHONY: test-one
test-one: ## Run the tests that a sentence names: make test-one FOCUS='a secretName stays'
	@hack/test-one.sh "$(FOCUS)"

.PHONY: deflake
deflake: ## Run the tests that a sentence names until one fails: make deflake FOCUS='a secretName stays' COUNT=20
	@for ((run = 1; run <= $(or $(COUNT),20); run++)); do echo "deflake: run $$run of $(or $(COUNT),20)"; hack/test-one.sh "$(FOCUS)"; done

.PHONY: chaos
chaos: ## Tell every story once for every request and mishap, and print the matrix
	@MATRIX=1 hack/specs.sh --label-filter=matrix

.PHONY: fuzz
fuzz: ## Try odd answers, files, templates and histories by chance (FUZZTIME=10s for each target)
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: soak
soak: ## Let chance do its worst to two operators (DURATION=20m, SEED=n, SHARDS=1), and judge the end
	@trap : INT; assets="$$(hack/envtest.sh)"; $(GO) build -o bin/soak/soak ./test/soak; \
	KUBEBUILDER_ASSETS="$$assets" exec bin/soak/soak $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(CREDENTIALS),--credentials $(CREDENTIALS)) $(if $(SHARDS),--shards)

.PHONY: count
count: ## Count the requests to the API server for a first token and a renewal
	@trap : INT; assets="$$(hack/envtest.sh)"; $(GO) build -o bin/count/count ./test/count; \
	KUBEBUILDER_ASSETS="$$assets" exec bin/count/count

.PHONY: bench
bench: ## Measure the operator beside a bare loop, ten minutes (CREDENTIALS="100 1000 10000" ROUNDS=3 WAITING=n PARTS="..." PEER=yes WATCHING=yes MEMORY=256MiB)
	@trap : INT; assets="$$(hack/envtest.sh)"; mkdir -p bin/bench; $(GO) -C test/bench build -o ../../bin/bench/bench .; \
	KUBEBUILDER_ASSETS="$$assets" exec bin/bench/bench $(if $(CREDENTIALS),--credentials "$(CREDENTIALS)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WAITING),--waiting $(WAITING)) $(if $(PARTS),--parts "$(PARTS)") $(if $(PEER),--peer "$(PEER)") $(if $(WATCHING),--watching "$(WATCHING)") $(if $(MEMORY),--memory "$(MEMORY)")

.PHONY: bench-micro
bench-micro: ## Measure judgements, documents, templates and the queue alone, for benchstat (COUNT=6)
	@mkdir -p bin/bench; $(GO) test -run '^$$' -bench . -count $(or $(COUNT),6) ./internal/... | tee bin/bench/micro.txt

.PHONY: bench-picture
bench-picture: ## Draw how renewals of a burst are spread, docs/images/renewals.svg
	@$(GO) -C test/bench run . --picture docs/images/renewals.svg

##@ Change it

.PHONY: generate
generate: ## Write the Go code that follows from the API types
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: ## Write the CRDs and docs/reference.md that follow from the API types, Argo CD's ConfigMap, and what the chart has of config
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	cp config/crd/bases/auth.spaces-operator.io_spacescredentials.yaml charts/spaces-credential-operator/files/crd.yaml
	cp config/crd/bases/auth.spaces-operator.io_clusterspacesclients.yaml charts/spaces-credential-operator/files/crd_cluster_client.yaml
	hack/argocd.sh >config/argocd/argocd-cm.yaml
	$(CRD_REF_DOCS) --source-path=api/v1alpha1 --renderer=markdown --config=hack/tools/reference/config.yaml --templates-dir=hack/tools/reference/templates --output-path=docs/reference.md --log-level=ERROR
	cp config/policies/state_secrets.yaml config/flowcontrol/{priority_level,flow_schema,lease_flow_schema}.yaml config/rbac/*_role.yaml config/prometheus/{rules.yaml,dashboard.json} charts/spaces-credential-operator/files/

.PHONY: fmt
fmt: ## Format the Go code
	@gofmt -s -w $$(git ls-files -co --exclude-standard -- '*.go' | while read -r file; do if [ -f "$$file" ]; then echo "$$file"; fi; done)

.PHONY: lint
lint: ## Look for mistakes and for steps over the seams
	@lint="$(GOLANGCI_LINT)"; set -x; "$$lint" run ./...; cd fakespaces/example; "$$lint" run ./...

.PHONY: presubmit
presubmit: verify lint test ## What a change should pass before it is sent: verify, lint and test

.PHONY: verify
verify: ## Fail when a generated file, the format or a go.mod is out of date
	@for script in hack/verify-*.sh; do echo "verify: $$script"; "$$script"; done

.PHONY: site
site: ## Write the documentation as a site into dist/site
	@$(HUGO) --source hack/site --destination "$$PWD/dist/site" --cleanDestinationDir --noBuildLock

.PHONY: site-serve
site-serve: ## Show that site while you write (http://localhost:1313)
	@$(HUGO) server --source hack/site --noBuildLock

.PHONY: demo-picture
demo-picture: ## Draw docs/images/demo.svg from a real run of the demo
	@assets="$$(hack/envtest.sh demo)"; $(GO) build -o bin/demo/demo ./hack/demo; \
	KUBEBUILDER_ASSETS="$$assets" bin/demo/demo --duration 45s | $(GO) run ./hack/cast -title 'make demo' -drop '^(look inside|sign in):' -out docs/images/demo.svg

.PHONY: vulnerabilities
vulnerabilities: ## Fail when the operator calls code with a known vulnerability (needs the network, or GOVULNDB=file:///folder)
	@hack/vulnerabilities.sh

##@ Run it

.PHONY: build
build: ## Build bin/manager
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/manager .

.PHONY: plugin
plugin: ## Build bin/kubectl-spaces, the kubectl plugin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/kubectl-spaces ./cmd/kubectl-spaces

.PHONY: image
image: ## Build the container images (the operator's, and that of fakespaces) for amd64 and arm64 into dist, without a daemon (NAME=registry/name to name it)
	@$(GO) -C hack/release build -o ../../bin/release/release .
	@bin/release/release -image -fakespaces -version "$(VERSION)" $(if $(NAME),-name $(NAME))

.PHONY: release
release: ## Build all that a release consists of into dist, which is emptied (VERSION=v0.1.0, NAME=registry/name)
	@$(GO) -C hack/release build -o ../../bin/release/release .
	@bin/release/release -version "$(VERSION)" $(if $(NAME),-name $(NAME))

.PHONY: run
run: build ## Run the operator here, against the cluster of your kubeconfig (ARGS='--flag ...')
	bin/manager --leader-elect=false $(ARGS)

.PHONY: install
install: ## Put the CRD into the cluster of your kubeconfig
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: plugin ## End every SpacesCredential and take the CRD out of that cluster (GRANTS=revoke or GRANTS=keep)
	bin/kubectl-spaces uninstall $(if $(GRANTS),--$(patsubst keep,keep-grants,$(GRANTS)))
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: clean
clean: ## Remove what was built here; the test control plane stays
	rm -rf bin dist cover.out
	find . -name '*.test' -type f -not -path './.git/*' -delete
