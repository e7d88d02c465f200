import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// An engine over a store on disk.
struct DiskEngine: ~Copyable {
    private(set) var engine: Engine<SwiftCryptography>
    let storage: SQLiteStorage
    /// Milliseconds since 1970.
    var now: UInt64 = 1_760_000_000_000

    init(_ storage: SQLiteStorage, seed: UInt64) throws {
        var opened: Engine<SwiftCryptography>?
        try storage.write(isDurable: true) { store in
            opened = try Engine(
                opening: store, cryptography: SwiftCryptography(), generator: SplitMix(seed: seed),
                beginsIncarnation: false)
        }
        guard let opened = opened.take() else { throw BenchmarkError("the engine did not open") }
        engine = opened
        self.storage = storage
    }

    /// - Returns: seconds until it was committed.
    mutating func timed(_ inputs: [EngineInput]) throws -> Double {
        let start = ContinuousClock.now
        let effects = try storage.write(isDurable: false) { store in
            try engine.process(inputs, now: now, in: store)
        }
        for case .failed(_, let error) in effects { throw error }
        return (ContinuousClock.now - start).inSeconds
    }

    /// Knows the group as if it had been told.
    mutating func join(_ group: GroupID, of owner: EngineDevice) throws {
        try storage.write(isDurable: true) { store in
            var record = try owner.record(of: group)
            record.reference = 0
            (record.ownSeed, record.ownLog) = (nil, nil)
            try store.put(&record)
        }
        self = try DiskEngine(storage, seed: 7)
    }
}
