import ArgumentParser
import Foundation
import SetReconciliation
import TomboloCore
import TomboloCrypto

/// The cost of finding the difference of two sets, by each algorithm.
struct Reconcile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds the difference of two sets of N ids, by each algorithm; no network.",
        discussion: """
            Bytes are of ids, both ways; bodies are not counted. CPU is one thread, both sides together. `rateless` \
            and `sketch` know how many differ, and count only coded bytes; `adaptive` knows only that the sets \
            differ, and its bytes include the ids. `× best`: the time that `adaptive` takes on a link of 1 Mbit/s and \
            50 ms a round trip, by the time of the best single algorithm that also brings the ids. `bloom`: up to \
            --rounds questions each way, the ids of what was found included.
            """)
    @Option(help: "Sizes of the common part.") var common = [1_000, 100_000, 1_000_000]
    @Option(help: "Differences.") var differences = [0, 1, 10, 100, 1_000, 10_000, 100_000]
    @Option(help: "Seed of the ids.") var seed: UInt64 = 1
    @Option(help: "Questions each way by Bloom filters, at most; a tenth of it for more than 100,000 ids.")
    var rounds = 300
    @Option(help: "Writes a chart of bytes a difference for the largest N.") var chart: String?
    @Option(help: "Writes all rows as a page.") var table: String?

    enum Placement: String, CaseIterable { case spread, recent }
    enum Side: String, CaseIterable {
        case even, oneSided = "one-sided"
    }

    func run() throws {
        var all: [Row] = []
        for count in common {
            var generator = SplitMix(seed: seed)
            let items = (0..<count).map { item(UInt64($0), &generator) }
            try buildTable(items)
            for row in Row.heading { printRow(row) }
            for difference in differences where difference <= count {
                for placement in Placement.allCases {
                    for side in Side.allCases where difference > 0 || side == .even && placement == .spread {
                        let sets = split(items, difference, placement, side, &generator)
                        let rows = try measure(sets, common: count, difference, placement, side)
                        for row in rows { printRow(row.cells) }
                        all += rows
                    }
                }
            }
            print("")
        }
        if let worst = all.compactMap({ row in row.ratio.map { ($0, row) } }).max(by: { $0.0 < $1.0 }) {
            print(
                "adaptive, at worst: \(worst.0.rounded(to: 2)) × the best at N = \(worst.1.common), d = \(worst.1.difference)"
            )
        }
        if let table { try Data(page(of: all).utf8).write(to: URL(fileURLWithPath: table)) }
        if let chart, let largest = common.max() {
            let rows = all.filter { $0.common == largest && $0.side == .even && $0.difference > 0 }
            try Data(Chart(rows: rows, common: largest).svg.utf8).write(to: URL(fileURLWithPath: chart))
        }
    }

    private func page(of rows: [Row]) -> String {
        var lines = [
            "# Set reconciliation, all rows", "",
            "`Benchmarks/.build/release/Benchmarks reconcile --table docs/reconciliation.md`, seed \(seed). What the columns mean: "
                + "`Benchmarks reconcile --help`. `cold ms` is what making the structures that are kept up to date would take both sides.",
            "[Measurements](measurements.md) compares them with other implementations.", "",
        ]
        lines += Row.heading.map(tableRow) + rows.map { tableRow($0.cells) }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Sets

    private func item(_ time: UInt64, _ generator: inout SplitMix) -> RangeItem {
        var bytes: [UInt8] = []
        for _ in 0..<4 { withUnsafeBytes(of: generator.next()) { bytes += $0 } }
        guard let id = ItemID(bytes) else { preconditionFailure("32 bytes make an id") }
        return RangeItem(timestamp: 1_700_000_000 + time, id: id)
    }

    /// Adds new items to one side or the other; all given items are in common.
    private func split(
        _ items: [RangeItem], _ difference: Int, _ placement: Placement, _ side: Side, _ generator: inout SplitMix
    ) -> (a: [RangeItem], b: [RangeItem]) {
        var (a, b) = (items, items)
        for number in 0..<difference {
            let time =
                placement == .recent
                ? UInt64(items.count + number) : UInt64.random(in: 0..<UInt64(items.count), using: &generator)
            let new = item(time, &generator)
            if side == .oneSided || number.isMultiple(of: 2) { b.append(new) } else { a.append(new) }
        }
        return (a, b)
    }

    // MARK: Measuring

    struct Row {
        let common: Int
        let difference: Int
        let placement: Placement
        let side: Side
        let algorithm: String
        let bytes: Int
        let roundTrips: Int
        /// The processor time if the structures that are kept up to date exist already.
        let milliseconds: Double
        /// The time to create these structures, for both sides.
        let coldMilliseconds: Double
        var symbols: Double?
        /// The time on a link, divided by that of the best single algorithm.
        var ratio: Double?

        static let heading = [
            [
                "N", "d", "where", "split", "algorithm", "bytes", "bytes/d", "round trips", "CPU ms", "cold ms",
                "symbols/d", "× best",
            ],
            ["---:", "---:", "---", "---", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:"],
        ]

        var cells: [String] {
            let perDifference = difference > 0 ? (Double(bytes) / Double(difference)).rounded(to: 1) : ""
            return [
                "\(common)", "\(difference)", placement.rawValue, side.rawValue, algorithm, "\(bytes)", perDifference,
                "\(roundTrips)", milliseconds.rounded(to: 3), coldMilliseconds.rounded(to: 1),
                symbols?.rounded(to: 2) ?? "", ratio?.rounded(to: 2) ?? "",
            ]
        }
    }

    private func seconds<Result>(_ body: () throws -> Result) rethrows -> (Double, Result) {
        let start = ContinuousClock.now
        let result = try body()
        return ((ContinuousClock.now - start).inSeconds, result)
    }

    private func sha256(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { SwiftCryptography().sha256($0) }.bytes }

    private func buildTable(_ items: [RangeItem]) throws {
        var generator = SplitMix(seed: 9)
        let shuffled = items.shuffled(using: &generator)
        let (sorted, _) = seconds { SortedItems(items) }
        let (inOrder, tree) = try seconds { try RangeTree(items) }
        let (atRandom, _) = try seconds { try RangeTree(shuffled) }
        let key = SipHashKey(1, 2)
        let (cells, _) = seconds { RatelessSketch(of: items.lazy.map { $0.id.prefix }, count: 128, key: key) }
        let (many, _) = seconds { RatelessSketch(of: items.lazy.map { $0.id.prefix }, count: 14_000, key: key) }
        let sample = items.prefix(10_000)
        let (sums, _) = seconds {
            var sketch = ExactSketch(capacity: 10)
            for item in sample { sketch.toggle(item.id.prefix) }
        }
        func micro(_ seconds: Double, _ count: Int) -> String { (1_000_000 * seconds / Double(count)).rounded(to: 3) }
        print("N = \(items.count)\n")
        printRow(["structure", "build ms", "one insert µs"])
        printRow(["---", "---:", "---:"])
        printRow(["sorted array", (1_000 * sorted).rounded(to: 1), "–"])
        printRow(["tree, in order", (1_000 * inOrder).rounded(to: 1), micro(inOrder, tree.count)])
        printRow(["tree, at random", (1_000 * atRandom).rounded(to: 1), micro(atRandom, tree.count)])
        printRow(["128 coded symbols", (1_000 * cells).rounded(to: 1), micro(cells, items.count)])
        printRow(["14,000 coded symbols", (1_000 * many).rounded(to: 1), micro(many, items.count)])
        printRow(["exact sketch of 10", "", micro(sums, sample.count)])
        print("")
    }

    private func measure(
        _ sets: (a: [RangeItem], b: [RangeItem]), common: Int, _ difference: Int, _ placement: Placement, _ side: Side
    ) throws -> [Row] {
        func row(
            _ name: String, _ bytes: Int, _ trips: Int, _ seconds: Double, cold: Double, symbols: Double? = nil
        ) -> Row {
            Row(
                common: common, difference: difference, placement: placement, side: side, algorithm: name, bytes: bytes,
                roundTrips: trips, milliseconds: 1_000 * seconds, coldMilliseconds: 1_000 * cold, symbols: symbols)
        }
        let (sorting, (a, b)) = seconds {
            (SortedItems(sets.a, indexesIDs: true), SortedItems(sets.b, indexesIDs: true))
        }
        var rows: [Row] = []
        let (time, (bytes, trips, found)) = try seconds {
            try exchange(RangeReconciler(a, sha256: sha256), RangeReconciler(b, sha256: sha256))
        }
        guard found == difference else { throw BenchmarkError("ranges found \(found) of \(difference)") }
        rows.append(row("range", bytes, trips, time, cold: sorting))
        if difference > 0 {
            rows.append(
                try byCodedSymbols(sets, difference) { bytes, time, cold, cells in
                    row("rateless", bytes, 1, time, cold: cold, symbols: Double(cells) / Double(difference))
                })
        }
        let (making, sketches) = seconds { (shortIDs(of: sets.a), shortIDs(of: sets.b)) }
        let (adapting, outcome) = try seconds {
            try exchange(
                AdaptiveReconciler(
                    a, sketch: sketches.0, key: adaptiveKey, options: AdaptiveOptions(isKnownToDiffer: difference > 0),
                    sha256: sha256),
                AdaptiveReconciler(b, sketch: sketches.1, key: adaptiveKey, sha256: sha256))
        }
        guard outcome.found == difference else { throw BenchmarkError("adaptively \(outcome.found) were found") }
        if (1...100).contains(difference) {
            rows.append(try bySketch(sets, difference) { row("sketch", $0, 1, $1, cold: $2) })
        }
        var adaptive = row("adaptive", outcome.bytes, outcome.trips, adapting, cold: making + sorting)
        let best = rows.map { wholeTime(of: $0, needed: sets.b.count - common) }.min()
        adaptive.ratio = best.map { wholeTime(of: adaptive, needed: 0) / $0 }
        rows.append(adaptive)
        if difference > 0 {
            let (asking, answer) = try seconds { try byQuestions(a, b, placement) }
            let name = answer.found == difference ? "bloom" : "bloom, \(answer.found) found"
            rows.append(row(name, answer.bytes, answer.rounds, asking, cold: sorting))
        }
        return rows
    }

    /// The time in milliseconds until the initiator knows the ids.
    ///
    /// Coded symbols and exact sketches name the other side's items by short ids. These cost a round trip, their five
    /// bytes each, and the ids. The size of the difference costs a summary.
    private func wholeTime(of row: Row, needed: Int) -> Double {
        let isCoded = row.algorithm == "rateless" || row.algorithm == "sketch"
        // Four bytes of each checksum suffice.
        let symbols = row.symbols.map { $0 * Double(row.difference) * 4 } ?? 0
        let bytes = isCoded ? Double(row.bytes) - symbols + 37 * (2 + Double(needed)) : Double(row.bytes)
        return LinkCost().milliseconds(
            bytes: bytes, roundTrips: row.roundTrips + (isCoded && needed > 0 ? 1 : 0), processor: row.milliseconds)
    }

    /// Sends questions about slices of time in both directions until nothing is missing. The answers are the missing
    /// ids.
    private func byQuestions(
        _ a: SortedItems, _ b: SortedItems, _ placement: Placement
    ) throws -> (bytes: Int, rounds: Int, found: Int) {
        var generator = SplitMix(seed: seed)
        var (bytes, round, lastFound) = (0, 0, 0)
        var found: Set<ItemID> = []
        let known = [Set((0..<a.count).map { a[$0].id }), Set((0..<b.count).map { b[$0].id })]
        let difference = known[0].symmetricDifference(known[1]).count
        let most = max(a.count, b.count) > 150_000 ? rounds / 10 : rounds
        while found.count < difference, round < most {
            for (asker, holder) in [(a, b), (b, a)] {
                let query = try BloomQuery(
                    over: asker, placement == .recent ? .pivot : .modulo, using: &generator)
                let answer = try query.missing(in: holder, limit: .max)
                bytes += query.bytes.count + 32 * answer.count
                for index in answer { found.insert(holder[index].id) }
            }
            round += 1
            lastFound = found.count
        }
        return (bytes, round, lastFound)
    }

    private var adaptiveKey: SipHashKey { SipHashKey(3, 4) }

    /// The sketch that a set keeps up to date for the adaptive reconciler.
    private func shortIDs(of items: [RangeItem]) -> RatelessSketch<UInt64> {
        RatelessSketch(
            of: items.lazy.map { $0.id.short }, count: 16_384,
            key: adaptiveKey)
    }

    private func exchange(
        _ a: some Reconciler, _ b: some Reconciler
    ) throws -> (bytes: Int, trips: Int, found: Int) {
        var (one, other) = (a, b)
        var (bytes, trips, found) = (0, 0, 0)
        var message: [UInt8]? = try one.initiate()
        while let query = message, let reply = try other.reconcile(query).reply {
            bytes += query.count + reply.count
            trips += 1
            let step = try one.reconcile(reply)
            found += step.have.count + step.need.count
            message = step.reply
        }
        return (bytes, trips, found)
    }

    /// Sends cells of one side's sketch until the difference is decoded.
    private func byCodedSymbols(
        _ sets: (a: [RangeItem], b: [RangeItem]), _ difference: Int,
        _ row: (_ bytes: Int, _ seconds: Double, _ cold: Double, _ cells: Int) -> Row
    ) throws -> Row {
        let key = SipHashKey(seed, 7)
        let count = difference < 1_000 ? 4 * difference + 32 : difference * 3 / 2
        let (cold, (theirs, ours)) = seconds {
            (
                RatelessSketch(of: sets.a.lazy.map { $0.id.prefix }, count: count, key: key),
                RatelessSketch(of: sets.b.lazy.map { $0.id.prefix }, count: count, key: key)
            )
        }
        let (time, (bytes, decoder)) = try seconds {
            var decoder = RatelessDecoder<UInt64>(key: key)
            for (one, other) in zip(theirs.cells, ours.cells) where !decoder.isComplete {
                try decoder.append(one, other)
            }
            let coding = RatelessCoding(size: theirs.size)
            var bytes: [UInt8] = []
            for (index, cell) in theirs.cells.prefix(decoder.cellCount).enumerated() {
                coding.write(cell, index: index, into: &bytes)
            }
            return (bytes.count, decoder)
        }
        guard decoder.isComplete, decoder.remote.count + decoder.local.count == difference else {
            throw BenchmarkError("coded symbols did not decode")
        }
        return row(bytes, time, cold, decoder.cellCount)
    }

    private func bySketch(
        _ sets: (a: [RangeItem], b: [RangeItem]), _ difference: Int,
        _ row: (_ bytes: Int, _ seconds: Double, _ cold: Double) -> Row
    ) throws -> Row {
        func sketch(_ items: [RangeItem]) -> ExactSketch {
            var sketch = ExactSketch(capacity: difference)
            for item in items { sketch.toggle(item.id.prefix) }
            return sketch
        }
        let (cold, (theirs, ours)) = seconds { (sketch(sets.a), sketch(sets.b)) }
        let (time, found) = seconds {
            var sum = theirs
            sum.merge(ours)
            return sum.decoded()
        }
        guard found?.count == difference else { throw BenchmarkError("the sketch did not decode") }
        return row(theirs.bytes.count, time, cold)
    }
}

extension ItemID {
    /// The short id.
    fileprivate var prefix: UInt64 { UInt64(bytes: bytes[..<8]) }
}
