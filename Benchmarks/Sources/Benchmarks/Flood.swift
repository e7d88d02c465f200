import ArgumentParser
import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The cost of state events in the shapes that hostile members would choose.
struct Flood: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receives floods of concurrent state events, and opens the group again.",
        discussion: """
            `leave`: so many members of a public group leave it without knowing of each other. `demote`: two admins who \
            do not meet demote and promote so many members. `receive`: one batch of all events on \
            a device with a store in memory. `verify`: the part of it that the signatures take, three for each log. \
            `open`: the device opens the group again. `one more`: a further event of the same kind.
            """)
    @Option(help: "Largest number of events.") var most = 16_000
    @Option(help: "Seed of the keys.") var seed: UInt64 = 1

    func run() async throws {
        printRow(["shape", "events", "receive, s", "verify, s", "open, s", "one more, ms"])
        printRow(["---", "---:", "---:", "---:", "---:", "---:"])
        var count = 250
        while count <= most {
            var generator = SplitMix(seed: seed)
            let (group, leaving) = try leave(count, &generator)
            try measure("leave", leaving, in: group, of: try EngineDevice(&generator), policy: .public, logs: count)
            let (owner, crew, demoting) = try demote(count, &generator)
            try measure("demote", demoting, in: crew, of: owner, policy: nil, logs: 3)
            count *= 4
        }
    }

    /// Members of a public group leave it, each without knowing of another.
    private func leave(_ count: Int, _ generator: inout SplitMix) throws -> (GroupID, [Message]) {
        var (group, messages): (GroupID?, [Message]) = (nil, [])
        for _ in 0..<count {
            let device = try EngineDevice(&generator)
            let joined = try device.createGroup(.public)
            group = joined
            messages += try device.setRole(of: device.member, to: .none, in: joined)
        }
        guard let group else { throw BenchmarkError("no member was made") }
        return (group, messages)
    }

    /// Two admins demote and promote the same members, neither knowing what the other does.
    private func demote(
        _ count: Int, _ generator: inout SplitMix
    ) throws -> (EngineDevice, GroupID, [Message]) {
        let admins = try (0..<3).map { _ in try EngineDevice(&generator) }
        let group = try admins[0].createGroup(.open)
        for admin in admins[1...] { try admin.join(group, of: admins[0], as: .admin) }
        let members = (0..<max(1, count / 4)).map { _ in
            MemberKey(SwiftCryptography().sha256Bytes("\(generator.next())"))
        }
        for admin in admins[1...] { try admin.ingest(admins[0].messages(of: group), into: group) }
        var messages = admins[0].messages(of: group)
        for admin in admins[1...] {
            for member in members {
                messages += try admin.setRole(of: member, to: .reader, in: group)
                messages += try admin.setRole(of: member, to: .member, in: group)
            }
        }
        return (admins[0], group, messages)
    }

    private func measure(
        _ shape: String, _ messages: [Message], in group: GroupID, of owner: EngineDevice, policy: Policy?, logs: Int
    ) throws {
        var generator = SplitMix(seed: seed &+ 5)
        let store = MemoryStore()
        var record: GroupRecord
        if policy == nil {
            record = try owner.record(of: group)
            record.reference = 0
            (record.ownSeed, record.ownLog) = (nil, nil)
        } else {
            _ = try owner.createGroup(.public)
            record = try owner.record(of: group)
            record.reference = 0
        }
        store.put(&record)
        var engine = try open(store, &generator)
        let last = messages[messages.count - 1]
        let receive = try time { try process([.ingest(0, group: group, Array(messages.dropLast()))], &engine, store) }
        let one = try time { try process([.ingest(0, group: group, [last])], &engine, store) }
        let opening = try time { engine = try open(store, &generator) }
        let verify = verification(of: logs * 3)
        printRow([
            shape, "\(messages.count)", receive.rounded(to: 3), verify.rounded(to: 3), opening.rounded(to: 3),
            (one * 1_000).rounded(to: 2),
        ])
    }

    private func open(_ store: MemoryStore, _ generator: inout SplitMix) throws -> Engine<SwiftCryptography> {
        try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SplitMix(seed: generator.next()),
            beginsIncarnation: false)
    }

    private func process(
        _ inputs: [EngineInput], _ engine: inout Engine<SwiftCryptography>, _ store: MemoryStore
    ) throws {
        for case .failed(_, let error) in try engine.process(inputs, now: EngineDevice.now, in: store) { throw error }
    }

    private func verification(of count: Int) -> Double {
        let cryptography = SwiftCryptography()
        let key = cryptography.signingKey(seed: cryptography.sha256Bytes("key"))
        let text = [UInt8](repeating: 7, count: 300)
        let signature = text.withUnsafeBytes { cryptography.sign($0, with: key) }
        let known = cryptography.publicKey(of: key)
        let start = ContinuousClock.now
        for _ in 0..<count { _ = text.withUnsafeBytes { cryptography.isValid(signature[...], over: $0, by: known) } }
        return (ContinuousClock.now - start).inSeconds
    }

    private func time(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return (ContinuousClock.now - start).inSeconds
    }
}
