import ArgumentParser
import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The cost of a group's state: opening it, adding an event to it, and removing a member.
struct Members: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Resolves the state of a large group, over a store on disk.",
        discussion: """
            An owner and two admins promote and demote members and set keys, each in turn, after receiving the acts of \
            the others. `open`: a device that holds all of them reads them from disk and resolves the state. `head`: \
            one more state event is signed, validated, stored and committed without a sync to disk, beside a message \
            in the same group. `at once`: state events of three admins that act ten times each before they receive \
            those of the others. `remove`: a member that has written is removed.
            """)
    @Option(help: "Members.") var members = 10_000
    @Option(help: "State events.") var events = 100_000
    @Option(help: "Seed of the keys and choices.") var seed: UInt64 = 1

    func run() async throws {
        var generator = SplitMix(seed: seed)
        let makers = try (0..<3).map { _ in try EngineDevice(&generator) }
        let group = try makers[0].createGroup(.private)
        for admin in makers[1...] { try admin.join(group, of: makers[0], as: .admin) }
        let keys = (0..<members).map { _ in
            generator.memberKey()
        }
        note("making \(events) state events…")
        var all = makers[0].messages(of: group)
        for key in keys { all += try makers[0].setRole(of: key, to: .member, in: group) }
        for admin in makers[1...] { try admin.ingest(all, into: group) }
        while all.count < events {
            for maker in makers {
                let made = try (0..<10).flatMap { _ in try act(maker, on: keys, in: group, &generator) }
                for other in makers where other !== maker { try other.ingest(made, into: group) }
                all += made
            }
        }
        try await withScratch { directory in try measure(directory, makers[0], group, all, keys) }
    }

    private func act(
        _ maker: EngineDevice, on keys: [MemberKey], in group: GroupID, _ generator: inout SplitMix
    ) throws -> [Message] {
        let choice = generator.next() % 10
        guard choice < 7 else { return try maker.setState("key \(choice) \(generator.next() % 100)", in: group) }
        let member = keys[Int(generator.next() % UInt64(keys.count))]
        let isWriter = maker.role(of: member, in: group) >= .member
        return try maker.setRole(of: member, to: isWriter ? .reader : .member, in: group)
    }

    private func measure(
        _ directory: URL, _ owner: EngineDevice, _ group: GroupID, _ events: [Message], _ keys: [MemberKey]
    ) throws {
        var generator = SplitMix(seed: seed &+ 1)
        note("ingesting them…")
        var storage = try SQLiteStorage(directory: directory)
        var disk = try DiskEngine(storage, seed: generator.next())
        try disk.join(group, of: owner)
        let taking = try disk.timed([.ingest(0, group: group, events)])
        try storage.close()

        storage = try SQLiteStorage(directory: directory)
        let start = ContinuousClock.now
        disk = try DiskEngine(storage, seed: generator.next())
        let opening = (ContinuousClock.now - start).inSeconds
        guard keys.allSatisfy({ disk.engine.role(of: $0, in: group) == owner.role(of: $0, in: group) }) else {
            throw BenchmarkError("the two do not agree")
        }
        printRow(["members", "state events", "take, events/s", "open, s", "head, ms", "message in the same group, ms"])
        printRow(["---:", "---:", "---:", "---:", "---:", "---:"])
        var (state, message) = (0.0, 0.0)
        let rounds = 200
        for round in 0..<rounds {
            let role: Role = round.isMultiple(of: 2) ? .reader : .member
            let acted = try owner.setRole(
                of: keys[0], to: owner.role(of: keys[0], in: group) == role ? .admin : role, in: group)
            state += try disk.timed([.ingest(0, group: group, acted)])
            let said = try owner.say("some words", in: group)
            message += try disk.timed([.ingest(0, group: group, said)])
        }
        printRow([
            "\(keys.count)", "\(events.count)", "\(Int(Double(events.count) / taking))", opening.rounded(to: 2),
            (1_000 * state / Double(rounds)).rounded(to: 2), (1_000 * message / Double(rounds)).rounded(to: 2),
        ])
        try storage.close()
        try concurrentActs(&generator)
        try removal(&generator)
    }

    /// Measures three members that always act without knowing each other's latest acts.
    private func concurrentActs(_ generator: inout SplitMix) throws {
        let makers = try (0..<3).map { _ in try EngineDevice(&generator) }
        let reader = try EngineDevice(&generator)
        let group = try makers[0].createGroup(.private)
        for admin in makers[1...] { try admin.join(group, of: makers[0], as: .admin) }
        try reader.join(group, of: makers[0])
        // The member that joined first does not know of the second, and could not ingest descendants of its admission.
        for admin in makers[1...] { try admin.ingest(makers[0].messages(of: group), into: group) }
        let keys = (0..<100).map { _ in generator.memberKey() }
        var (count, seconds) = (0, 0.0)
        while count < 600 {
            let made = try makers.map { maker in
                try (0..<10).flatMap { _ in try act(maker, on: keys, in: group, &generator) }
            }
            for (index, maker) in makers.enumerated() {
                for other in makers.indices where other != index { try maker.ingest(made[other], into: group) }
            }
            let start = ContinuousClock.now
            for messages in made { try reader.ingest(messages, into: group) }
            seconds += (ContinuousClock.now - start).inSeconds
            count += made.reduce(0) { $0 + $1.count }
            note("\(count) state events at once: \((1_000 * seconds / Double(count)).rounded(to: 2)) ms each")
        }
        print()
        printRow(["state events at once", "to take, ms each"])
        printRow(["---:", "---:"])
        printRow(["\(count)", (1_000 * seconds / Double(count)).rounded(to: 2)])
    }

    /// Measures a removal in a group of 1,000 members. The removed member has written a thousand messages.
    private func removal(_ generator: inout SplitMix) throws {
        let (owner, writer, other) = (
            try EngineDevice(&generator), try EngineDevice(&generator), try EngineDevice(&generator)
        )
        let group = try owner.createGroup(.private)
        for device in [writer, other] { try device.join(group, of: owner) }
        for _ in 0..<997 {
            _ = try owner.setRole(of: generator.memberKey(), to: .member, in: group)
        }
        _ = try writer.meet(owner)
        for number in 0..<1_000 { _ = try writer.say("message \(number)", in: group) }
        for device in [owner, other] { _ = try writer.meet(device) }
        var start = ContinuousClock.now
        let removal = try owner.setRole(of: writer.member, to: .none, in: group)
        let acting = (ContinuousClock.now - start).inSeconds
        start = ContinuousClock.now
        try other.ingest(removal, into: group)
        let taking = (ContinuousClock.now - start).inSeconds
        let said = try owner.say("some words", in: group)
        guard said.count == 2 else { throw BenchmarkError("there is no rekey event") }
        print()
        printRow(["removal among 1,000", "bytes", "to make, ms", "to take, ms", "rekey event, bytes"])
        printRow(["---", "---:", "---:", "---:", "---:"])
        printRow([
            "the writer of 1,000 messages", "\(removal.reduce(0) { $0 + $1.encoded.count })",
            (1_000 * acting).rounded(to: 2), (1_000 * taking).rounded(to: 2), "\(said[0].encoded.count)",
        ])
    }
}

extension SplitMix {
    /// A key without an owner.
    fileprivate mutating func memberKey() -> MemberKey {
        MemberKey(SwiftCryptography().sha256Bytes("\(next())"))
    }
}
