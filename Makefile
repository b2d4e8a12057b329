# The pinned toolchain is used even where a local setting says otherwise: older
# net/http versions forward CONNECT and can be poisoned across users.
export GOTOOLCHAIN := auto

# As scripts/release.sh builds: what the linters, the tests and a release compile
# is compiled once. The race detector alone needs cgo.
export GOFLAGS     := -trimpath $(GOFLAGS)
export CGO_ENABLED := 0

GO       ?= go
BIN      := bin
RACE     := CGO_ENABLED=1 $(GO) test -race
LINT     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod golangci-lint
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 1s
BENCH    ?= .
# What make upgrade begins with.
FROM     ?= $(shell git describe --tags --abbrev=0 2>/dev/null || echo HEAD~1)
COUNT    ?= 20
# What reads the bytes of others: fuzzed by CI too, the rest by make fuzz.
EXPOSED  := ./auth ./cache ./config ./internal/exchange ./internal/pathpattern ./internal/redisconn ./limiter ./observability ./proxy ./retry ./tokencache

# Tests of gateways in processes of their own, which no race detector looks into:
# it would only slow down those who ask them. No other package has such names.
APART    := ^Test(Fleet|REL42)
TESTED   := $(CURDIR)/$(BIN)/tested

# Packages whose tests wait for a Redis more than they reckon.
WAITING  := /(redisstore|redisconn|redistest)$$

# Suites of test/ that measure time: each has the machine for itself.
ALONE    := chaos|flood|slow|soak

.DEFAULT_GOAL := help

.PHONY: help
help: ## show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## build and start a gateway in front of a simulated iQmetrix
	@$(BIN)/gateway demo

.PHONY: build
build: ## build the gateway and the simulator into bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

.PHONY: test
test: deps ## run all tests in random order, those within one process with the race detector
	$(GO) build -ldflags='-s -w' -o $(TESTED)/ ./cmd/...
	@$(MAKE) --no-print-directory -j2 test-race test-waiting
	cd test && RIG_PROGRAMS=$(TESTED) $(GO) test -shuffle=on -p 1 $$($(GO) list ./... | grep -E '/($(ALONE))$$')

.PHONY: test-race
test-race: # a part of test; the parallel ones wait more than they reckon
	RIG_PROGRAMS=$(TESTED) $(RACE) -shuffle=on -parallel=6 -skip='$(APART)' $$($(GO) list ./... | grep -vE '$(WAITING)')

.PHONY: test-waiting
test-waiting: test-apart # a part of test, after the other: more at once would disturb each other
	$(RACE) -shuffle=on -p=1 -parallel=6 $$($(GO) list ./... | grep -E '$(WAITING)')

.PHONY: test-apart
test-apart: # a part of test
	@! grep -rlE '^func Test(Fleet|REL42)' --include='*_test.go' . | grep -vE '^./(cmd/gateway|test)/' # would run nowhere
	RIG_PROGRAMS=$(TESTED) $(GO) test -shuffle=on -parallel=6 -run='$(APART)' ./cmd/gateway
	cd test && RIG_PROGRAMS=$(TESTED) $(GO) test -shuffle=on -p 1 $$($(GO) list ./... | grep -vE '/($(ALONE))$$')

.PHONY: check
check: ## everything that CI runs
	@$(MAKE) --no-print-directory -j2 lint deps
	@$(MAKE) --no-print-directory test timing
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' scripts/fuzz.sh $(EXPOSED)
	$(GO) mod tidy -diff
	$(GO) mod verify
	cd test && $(GO) vet ./... && $(GO) mod tidy -diff
	@scripts/verify-test.sh '$(GO)'

.PHONY: timing
timing: ## measure that refusals tell nothing by their time (not under the race detector)
	$(GO) test -count=1 -run=RefusalTime ./auth

.PHONY: lint
lint: ## run the linters
	$(LINT) run ./...
	@scripts/lint-selftest.sh $(LINT)
	$(LINT) fmt --diff ./...
	cd test && $(LINT) run ./... && $(LINT) fmt --diff ./...

.PHONY: fmt
fmt: ## format all code
	$(LINT) fmt ./...
	cd test && $(LINT) fmt ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (1s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' scripts/fuzz.sh

.PHONY: bench
bench: ## run the benchmarks (BENCH=regexp), each beside its bare baseline
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem ./...

.PHONY: stable
stable: deps ## run all tests COUNT (20) times in a row with the race detector
	$(RACE) -shuffle=on -count=$(COUNT) -timeout 60m ./...

.PHONY: cache
cache: ## the cache: the long form (a million URLs, ten thousand variants)
	$(GO) test -count=1 -timeout 30m ./cache -long

.PHONY: fleet
fleet: deps ## several gateways on a real Redis: the long form (all on three topologies, 20 failovers)
	$(GO) test -count=1 -v -timeout 30m -run='^TestFleet' ./cmd/gateway -long

.PHONY: resilience
resilience: deps ## every REL and chaos test, those of the gateway in the long form (30 rolling restarts, 50 kills, 10000 slow clients)
	$(GO) test -count=1 -timeout 30m -run='^Test(REL|Chaos)' $$($(GO) list ./... | grep -v '/cmd/gateway$$')
	$(GO) test -count=1 -v -timeout 60m -run='^Test(REL|FleetREL|Chaos)' ./cmd/gateway -long
	cd test && $(GO) test -count=1 -v -timeout 30m ./slow -long

.PHONY: upgrade
upgrade: deps ## replace three gateways of an older version (FROM=revision) by this one under load, and back, ten times
	rm -rf $(BIN)/before && mkdir -p $(BIN)/before/src
	git archive $(FROM) | tar -x -C $(BIN)/before/src
	cd $(BIN)/before/src && $(GO) build -ldflags='-s -w' -o .. ./cmd/gateway
	rm -rf $(BIN)/before/src
	$(GO) test -count=1 -v -timeout 20m -run='^TestREL42RollingRestarts$$' ./cmd/gateway -long -before $(CURDIR)/$(BIN)/before/gateway

.PHONY: chaos
chaos: deps ## numbered writes through three gateways while everything breaks, the leak soak: the long form (100000 and 1000000)
	cd test && $(GO) test -count=1 -v -p 1 -timeout 60m -run='^(TestChaos|TestREL34Soak)$$' ./chaos ./soak -long

.PHONY: observe
observe: deps ## what is told of requests, in the long form (10000 mixed requests counted everywhere, times while nobody listens)
	cd test && $(GO) test -count=1 -v -p 1 -timeout 20m ./traces -long

.PHONY: edge
edge: deps ## certificates, TLS and strangers in the long form (all of testssl.sh, 10000 requests a second for 20 s, a release from nothing)
	cd test && $(GO) test -count=1 -v -p 1 -timeout 30m ./acme
	cd test && $(GO) test -count=1 -v -p 1 -timeout 30m ./tls ./flood ./supply -long

.PHONY: helm
helm: ## lint, render and pack the chart with the pinned Helm, all variants of its tests
	$(GO) build -modfile=tools/helm/go.mod -o $(BIN)/helm helm.sh/helm/v4/cmd/helm
	@for values in test/helm/testdata/*.yaml; do \
	  $(BIN)/helm lint --strict deploy/helm/iqgateway --values $$values && \
	  $(BIN)/helm template gw deploy/helm/iqgateway --namespace gateways --values $$values >/dev/null || exit 1; done
	$(BIN)/helm package deploy/helm/iqgateway --destination $(BIN)
	cd test && $(GO) test -count=1 ./helm

.PHONY: sim
sim: ## simulate the quota: 10000 random runs, the comparison with usual strategies, the plot in docs/
	$(GO) test -count=1 -v -timeout 60m ./limiter/quotasim -long

.PHONY: docs
docs: ## regenerate the documents that come from the code
	$(GO) test ./proxy -run Docs -update
	$(GO) test ./config -run Document -update
	$(GO) test ./cmd/gateway -run TestDocs -update
	$(GO) test ./observability -run 'Golden|DocsMetrics' -update
	cd test && $(GO) test ./dashboards -run UpToDate -update

.PHONY: vuln
vuln: ## look for reachable known vulnerabilities, without a network (VULNDB=https://vuln.go.dev: the newest)
	@GO='$(GO)' scripts/vulncheck.sh

.PHONY: secrets
secrets: ## look for secrets in the tree and its whole history, with gitleaks
	@GO='$(GO)' scripts/secrets.sh

.PHONY: release
release: ## build gateway, bill of materials and sums into bin/release/, the same bytes each time (SIGNING_KEY=file: signed)
	@GO='$(GO)' VERSION='$(VERSION)' scripts/release.sh $(BIN)/release

.PHONY: deps
deps: ## install what the tests need from the system (a C compiler, curl, redis-server, haproxy, slowhttptest, promtool, nmap, testssl.sh, node, newman)
	@scripts/test-deps.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
