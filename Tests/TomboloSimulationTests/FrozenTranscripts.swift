import Foundation
import Testing

@testable import TomboloSimulation

/// Behaviour as it was: random scripts over real engines whose payloads and final states give the digests that are checked in.
///
/// A change of `TomboloCore` that is to change no behaviour must leave every digest alone. One that is to change behaviour writes
/// them anew: `TOMBOLO_FREEZE=1 swift test --filter FrozenTranscripts`.
@Suite("Frozen transcripts")
struct FrozenTranscripts {
    private static let seeds: Range<UInt64> = 0..<8
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Frozen/transcripts.txt")

    private struct Transcript: Sendable {
        let scenario: Int
        let seed: UInt64
        let digest: String
        let counts: FrozenCounts

        var line: String { "\(FrozenScenario.all[scenario].name) \(seed) \(digest)" }

        init(scenario: Int, seed: UInt64) throws {
            (self.scenario, self.seed) = (scenario, seed)
            (digest, counts) = try FrozenScript.run(FrozenScenario.all[scenario], seed: seed)
        }
    }

    /// Runs all scripts, as many at once as there are processors.
    private func transcripts() async throws -> [Transcript] {
        let scenarios = FrozenScenario.all.indices
        // The first seed comes once more in the end: it must give the same digest.
        var runs = (scenarios.flatMap { scenario in Self.seeds.map { (scenario, $0) } } + scenarios.map { ($0, 0) })[
            ...]
        var transcripts: [Transcript] = []
        try await withThrowingTaskGroup(of: Transcript.self) { group in
            func begin(_ group: inout ThrowingTaskGroup<Transcript, any Error>) {
                guard let (scenario, seed) = runs.popFirst() else { return }
                group.addTask { try Transcript(scenario: scenario, seed: seed) }
            }
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { begin(&group) }
            while let transcript = try await group.next() {
                transcripts.append(transcript)
                begin(&group)
            }
        }
        return transcripts.sorted { ($0.scenario, $0.seed) < ($1.scenario, $1.seed) }
    }

    @Test("every payload and every final state is as it was")
    func transcriptsAreAsTheyWere() async throws {
        var transcripts = try await transcripts()
        for (index, scenario) in FrozenScenario.all.enumerated() {
            guard let again = transcripts.firstIndex(where: { $0.scenario == index && $0.seed == 0 }) else { continue }
            let repeated = transcripts.remove(at: again)
            let once = transcripts.first { $0.scenario == index && $0.seed == 0 }
            #expect(once?.digest == repeated.digest, "\(scenario.name) gives another digest the second time")
        }
        let lines = transcripts.map(\.line)
        if ProcessInfo.processInfo.environment["TOMBOLO_FREEZE"] == "1" {
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: Self.file)
        }
        let frozen = try String(contentsOf: Self.file, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(frozen.count == lines.count, "the file has other runs")
        let differing = zip(frozen, lines).filter { $0 != $1 }
        for (was, isNow) in differing { print("was \(was)\nis  \(isNow)") }
        #expect(
            differing.isEmpty,
            "\(differing.count) of \(lines.count) differ: \(differing.map { $0.1 }.joined(separator: "; "))")
        checkReach(transcripts)
    }

    /// The scripts do reach what they are there for.
    private func checkReach(_ transcripts: [Transcript]) {
        for (index, scenario) in FrozenScenario.all.enumerated() {
            var counts = FrozenCounts()
            for transcript in transcripts where transcript.scenario == index { counts.add(transcript.counts) }
            if ProcessInfo.processInfo.environment["TOMBOLO_FREEZE"] == "1" { print(scenario.name, counts.text) }
            for name in scenario.reaches { #expect(counts[name] > 0, "\(scenario.name) never reaches \(name)") }
        }
    }
}
