# What the README's two commands do, and what developers need.
.PHONY: demo test lint format bench fuzz docs guide clean setup

TOOL = Tools/.build/release/tombolo

setup:
	@sh scripts/setup.sh

demo: setup
	@echo "Building the command line tool alone, in release mode: 6 to 7 minutes on two cores the first time."
	@swift build -c release --package-path Tools --product tombolo
	@$(TOOL) demo

# All packages into one folder, so that what they have in common is built once; what developers build elsewhere stays as it is.
# SwiftPM would take one package's manifest for another's there.
CHECKED = --scratch-path .build-test --disable-build-manifest-caching
test: setup
	swift build $(CHECKED) --build-tests
	swift test $(CHECKED) --skip-build
	swift build $(CHECKED) --package-path Tools --build-tests
	swift test $(CHECKED) --package-path Tools --skip-build
	swift build $(CHECKED) --package-path Examples --build-tests
	swift test $(CHECKED) --package-path Examples --skip-build
	swift build $(CHECKED) --package-path Benchmarks
	swift build $(CHECKED) --package-path Fuzz --target Fuzz

# The figures of docs/measurements.md.
bench: setup
	@echo "Building the benchmarks in release mode: 6 to 7 minutes on two cores the first time."
	@swift build -c release --package-path Benchmarks
	@Benchmarks/.build/release/Benchmarks conversation
	@Benchmarks/.build/release/Benchmarks latency
	@Benchmarks/.build/release/Benchmarks bulk
	@Benchmarks/.build/release/Benchmarks frontier
	@Benchmarks/.build/release/Benchmarks members
	@Benchmarks/.build/release/Benchmarks erasure
	@Benchmarks/.build/release/Benchmarks forgetting
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

# One DocC archive a product, in .build/plugins.
docs: setup
	@for target in SetReconciliation TomboloCore TomboloCrypto TomboloSQLite TomboloNIO Tombolo TomboloObservation TomboloTesting TomboloSimulation; do \
		swift package generate-documentation --target $$target --warnings-as-errors || exit 1; done

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
