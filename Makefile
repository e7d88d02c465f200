# What the README's two commands do, and what developers need.
.PHONY: demo test test-long lint format bench fuzz api docs guide clean setup

TOOL = Tools/.build/release/tombolo

setup:
	@sh scripts/setup.sh

demo: setup
	@echo "Building the command line tool alone, in release mode: several minutes; 16 on a slow two-core machine."
	@swift build -c release --package-path Tools --product tombolo
	@$(TOOL) demo

# The quick tier of the tests: every push, and CI. Tests over real sockets come first, apart from the simulations, which
# would keep both processors from them for longer than a peer waits for a stranger.
# All packages into one folder, so that common dependencies are built once; what developers build elsewhere stays as it is.
# SwiftPM would take one package's manifest for another's there.
CHECKED = --scratch-path .build-test --disable-build-manifest-caching
test: setup
	swift build $(CHECKED) --build-tests
	swift test $(CHECKED) --skip-build --filter 'TomboloTests\.'
	swift test $(CHECKED) --skip-build --skip 'TomboloTests\.'
	swift build $(CHECKED) --package-path Tools --build-tests
	swift test $(CHECKED) --package-path Tools --skip-build
	swift build $(CHECKED) --package-path Examples --build-tests
	swift test $(CHECKED) --package-path Examples --skip-build
	swift build $(CHECKED) --package-path Benchmarks
	swift build $(CHECKED) --package-path Fuzz --target Fuzz

# The long tier: before an issue is called resolved. Every suite with more seeds, kills at random instants, the fuzzers,
# the DocC pages, and the guide made anew and compared.
test-long: export TOMBOLO_TOOL = $(CURDIR)/.build-test/debug/tombolo
test-long:
	TOMBOLO_LONG=1 $(MAKE) test
	scripts/crash-test.sh 40
	scripts/check-guide.sh
	$(MAKE) fuzz SECONDS_EACH=20
	$(MAKE) api
	$(MAKE) docs

# The figures of docs/measurements.md. The conversation is made; one of your own: Benchmarks conversation --file FILE.
bench: setup
	@echo "Building the benchmarks in release mode: several minutes; 16 on a slow two-core machine."
	@swift build -c release --package-path Benchmarks
	@Benchmarks/.build/release/Benchmarks conversation
	@Benchmarks/.build/release/Benchmarks latency
	@Benchmarks/.build/release/Benchmarks bulk
	@Benchmarks/.build/release/Benchmarks frontier
	@Benchmarks/.build/release/Benchmarks members
	@Benchmarks/.build/release/Benchmarks erasure
	@Benchmarks/.build/release/Benchmarks forgetting
	@Benchmarks/.build/release/Benchmarks flood
	@Benchmarks/.build/release/Benchmarks sealed
	@Benchmarks/.build/release/Benchmarks reconcile --chart docs/reconciliation.svg --table docs/reconciliation.md

# libFuzzer on everything that decodes what comes from outside, SECONDS_EACH a target; what it finds stays in Fuzz/.build.
SECONDS_EACH = 60
FUZZ_TARGETS = decoders ranges session reconciliation records
fuzz: setup
	@swift build -c release --package-path Fuzz -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld \
		-Xlinker --allow-multiple-definition
	@cd Fuzz/.build && for target in $(FUZZ_TARGETS); do mkdir -p corpus/$$target; echo "fuzzing $$target…"; \
		SWIFT_BACKTRACE=enable=no release/Fuzz $$target corpus/$$target -max_total_time=$(SECONDS_EACH) -max_len=4096 \
			-rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 || exit 1; done

# Compares the public API with docs/api; `python3 scripts/api.py --update` writes the lists anew.
api: setup
	@python3 scripts/api.py

# One DocC archive a product, in .build-test/plugins.
DOCUMENTED = SetReconciliation TomboloCore TomboloCrypto TomboloSQLite TomboloNIO Tombolo TomboloObservation \
	TomboloImport TomboloTesting TomboloSimulation
docs: setup
	@for target in $(DOCUMENTED); do \
		swift package $(CHECKED) generate-documentation --target $$target --warnings-as-errors || exit 1; done

# docs/guide.md: what a new user types and sees.
guide: setup
	@swift build -c release --package-path Tools --product tombolo
	@scripts/guide.sh > docs/guide.md.new && mv docs/guide.md.new docs/guide.md

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Tools/Package.swift Tools/Sources Tools/Tests \
		Benchmarks/Package.swift Benchmarks/Sources Examples/Package.swift Examples/Sources Examples/Tests Fuzz/Package.swift Fuzz/Sources

format:
	swift format --in-place --recursive Package.swift Sources Tests Tools/Package.swift Tools/Sources Tools/Tests \
		Benchmarks/Package.swift Benchmarks/Sources Examples/Package.swift Examples/Sources Examples/Tests Fuzz/Package.swift Fuzz/Sources

clean:
	rm -rf .build .build-test Tools/.build Benchmarks/.build Examples/.build Fuzz/.build
