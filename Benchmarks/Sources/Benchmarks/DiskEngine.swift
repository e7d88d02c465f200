import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// An engine with a store on disk.
struct DiskEngine: ~Copyable {
    private(set) var engine: Engine<SwiftCryptography>
    let storage: SQLiteStorage
    /// The time in milliseconds since 1970.
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

    /// - Returns: the seconds until the batch was committed.
    mutating func timed(_ inputs: [EngineInput]) throws -> Double {
        let start = ContinuousClock.now
        let effects = try storage.write(isDurable: false) { store in
            try engine.process(inputs, now: now, in: store)
        }
        for case .failed(_, let error) in effects { throw error }
        return (ContinuousClock.now - start).inSeconds
    }

    /// Adds the group to the store, as if the device had been invited.
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
