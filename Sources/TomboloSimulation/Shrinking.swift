/// A reduced scenario that breaks a promise: with fewer devices, fewer messages, less time and fewer kinds of faults.
public struct ShrunkFailure: Hashable, Sendable {
    public let scenario: Scenario
    public let seed: UInt64
    public let violation: Violation
    /// The number of runs that the search took.
    public let runs: Int
}

extension Simulation {
    /// Searches for a small scenario that breaks the same promise.
    ///
    /// - Parameters:
    ///   - scenario: a scenario that breaks the promise.
    ///   - seed: the seed with which it does.
    ///   - seeds: the number of seeds to try for each smaller scenario.
    ///   - progress: called at the start of each run with its scenario.
    /// - Returns: nil if the scenario keeps every promise with this seed.
    public static func shrink(
        _ scenario: Scenario, seed: UInt64, seeds: UInt64 = 8, progress: (Scenario) -> Void = { _ in }
    ) throws -> ShrunkFailure? {
        try shrink(scenario, seed: seed, seeds: seeds, mutant: nil, progress: progress)
    }

    package static func shrink(
        _ scenario: Scenario, seed: UInt64, seeds: UInt64 = 8, mutant: Mutant?,
        progress: (Scenario) -> Void = { _ in }
    ) throws -> ShrunkFailure? {
        var runs = 0
        func failure(_ scenario: Scenario, _ seed: UInt64) throws -> Violation? {
            runs += 1
            progress(scenario)
            do {
                _ = try run(scenario, seed: seed, mutant: mutant)
                return nil
            } catch let violation as Violation {
                return violation
            }
        }
        guard var violation = try failure(scenario, seed) else { return nil }
        var (smallest, itsSeed) = (scenario, seed)
        var goesOn = true
        while goesOn {
            goesOn = false
            for smaller in smallest.smaller where smaller.problem == nil && smaller != smallest {
                // The scenario's own seed comes first: often the run is the same without the part that was removed.
                for candidate in [itsSeed] + (1..<max(1, seeds)) {
                    guard let found = try failure(smaller, candidate), found.promise == violation.promise else {
                        continue
                    }
                    (smallest, itsSeed, violation) = (smaller, candidate, found)
                    goesOn = true
                    break
                }
                if goesOn { break }
            }
        }
        return ShrunkFailure(scenario: smallest, seed: itsSeed, violation: violation, runs: runs)
    }
}

extension Scenario {
    /// This scenario with one thing less each, the most informative reductions first.
    var smaller: [Scenario] {
        func changed(_ change: (inout Scenario) -> Void) -> Scenario {
            var scenario = self
            change(&scenario)
            return scenario
        }
        var smaller = [
            changed { $0.messages = max(1, messages / 2) },
            changed { $0.devices = max(2, devices / 2) },
            changed {
                $0.duration = max(1_000, duration / 2)
                $0.talk = talk.map { max(1, $0 / 2) }
            },
            changed { $0.hostile = Array(hostile.dropLast(max(1, hostile.count / 2))) },
            changed { $0.hostile = Array(hostile.dropFirst()) },
            changed { $0.helpers = 0 },
            changed { $0.presence = nil },
            changed { $0.clockSkew = 0 },
        ]
        let rates: [WritableKeyPath<Conditions, Double>] = [
            \.loss, \.duplication, \.reordering, \.corruption, \.natted, \.oneWay, \.linkBreaks, \.crashes, \.powerCuts,
            \.restores,
            \.wipes, \.partitions,
        ]
        for rate in rates where conditions[keyPath: rate] > 0 {
            smaller.append(changed { $0.conditions[keyPath: rate] = 0 })
        }
        smaller += [
            changed { $0.messages = max(1, messages - 1) }, changed { $0.devices = max(2, devices - 1) },
            changed { $0.speakers = nil },
        ]
        // A conversation is shortened from its end.
        if case .replayed(let utterances) = workload {
            for index in smaller.indices {
                smaller[index].workload = .replayed(Array(utterances.prefix(smaller[index].messages)))
            }
        }
        return smaller.map { scenario in
            var scenario = scenario
            scenario.speakers = scenario.speakers.map { min($0, scenario.devices) }
            return scenario
        }
    }
}
