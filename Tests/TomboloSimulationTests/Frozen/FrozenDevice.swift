import TomboloCore
@testable import TomboloSimulation

/// A real engine over a store in memory, with copies of the store as it was synced and as it was long ago.
final class FrozenDevice {
    /// How a device stops and begins again.
    enum Stop { case crash, powerCut, backup, backupUnnoticed }

    let number: Int
    /// Whether the store is kept as it was synced; of one device, since the copies take most of the time.
    let mayLosePower: Bool
    private let recordMode: RecordMode
    private var generator: SeededGenerator
    private(set) var store = MemoryStore()
    private var durable = MemoryStore()
    private var backup = MemoryStore()
    private(set) var engine: Engine<StandInCryptography>
    /// The inputs of the next batch.
    var inbox: [EngineInput] = []
    private(set) var counts = FrozenCounts()
    private(set) var invitations: [Invitation] = []
    private(set) var created: [GroupID] = []
    private(set) var removals: [DeviceRemoval] = []
    private(set) var opening: BundleOpening?
    private(set) var secrets: [CarriedSecret] = []
    /// Effects, to be compared in the order of these texts: their order in a batch may change.
    private(set) var notes: [String] = []
    /// Whether each batch of more than passing time had to be synced.
    private(set) var synced = FrozenDigest()
    private var batches = 0

    init(number: Int, seed: UInt64, recordMode: RecordMode, mayLosePower: Bool) throws {
        self.number = number
        self.mayLosePower = mayLosePower
        self.recordMode = recordMode
        generator = SeededGenerator(seed: seed)
        engine = try Engine(
            opening: store, cryptography: StandInCryptography(), generator: SeededGenerator(seed: generator.next()),
            beginsIncarnation: false, recordMode: recordMode)
        durable = MemoryStore(copying: store)
        backup = MemoryStore(copying: store)
    }

    /// The name of the device on links of the mvds dialect: the hash of an address.
    static func address(of number: Int) -> DeviceKey {
        DeviceKey(StandInCryptography().sha256(Array("mvds device \(number)".utf8)))
    }

    /// Takes everything in the inbox, or that time has passed.
    func process(now: UInt64) throws -> [EngineEffect] {
        let inputs = inbox.isEmpty ? [.timePassed] : inbox
        let mustBeSynced = engine.mustBeSynced(inputs)
        if !inbox.isEmpty { synced.add(mustBeSynced ? 1 : 0 as UInt8) }
        counts.add("batch.\(min(inputs.count, 4))")
        inbox = []
        let effects = try engine.process(inputs, now: now, in: store)
        if mustBeSynced, mayLosePower { durable = MemoryStore(copying: store) }
        batches += 1
        // The first one must know a group.
        if batches.isMultiple(of: 100) || backup.groups().isEmpty && !store.groups().isEmpty {
            backup = MemoryStore(copying: store)
        }
        for effect in effects { note(effect) }
        return effects
    }

    /// Opens the engine anew: on the store, on what was synced of it, or on an old copy.
    func restart(_ stop: Stop) throws {
        switch stop {
        case .crash: break
        case .powerCut: store = MemoryStore(copying: durable)
        case .backup, .backupUnnoticed: store = MemoryStore(copying: backup)
        }
        inbox = []
        engine = try Engine(
            opening: store, cryptography: StandInCryptography(), generator: SeededGenerator(seed: generator.next()),
            beginsIncarnation: stop == .powerCut || stop == .backup, beginsLogs: stop == .backup,
            recordMode: recordMode, recentEvents: 8)
        durable = MemoryStore(copying: store)
        counts.add("restart.\(stop)")
    }

    func root(of group: GroupID) -> Bytes32? { engine.root(of: group) }

    /// Counts what the final state shows.
    func count(_ name: String) { counts.add(name) }

    private func note(_ effect: EngineEffect) {
        guard let (name, text) = Self.words(for: effect) else { return }
        counts.add("effect.\(name)")
        if case .agreed(_, _, let report) = effect { counts.add("agreed.\(report.strategy.rawValue)") }
        if case .failed(_, .fileQuota) = effect { counts.add("failed.fileQuota") }
        switch effect {
        case .close(_, .visibilityChanged): counts.add("close.visibilityChanged")
        case .close(_, .protocolViolation): counts.add("close.protocolViolation")
        case .close(_, .invalidEvent): counts.add("close.invalidEvent")
        default: break
        }
        if let text { notes.append("\(name) \(text)") }
        switch effect {
        case .invited(_, let invitation): invitations.append(invitation)
        case .created(_, let group): created.append(group)
        case .removed(_, let removal): removals.append(removal)
        case .openedBundle(_, let made): opening = made
        case .sealedSecrets(_, let made): secrets = made
        default: break
        }
    }

    /// The name of an effect, and what is compared of it; nil where the network takes it, or its order and number are free.
    private static func words(for effect: EngineEffect) -> (name: String, text: String?)? {
        switch effect {
        case .send: nil
        case .changed: ("changed", nil)
        case .erased: ("erased", nil)
        case .fileChanged: ("fileChanged", nil)
        case .close(let session, let error): ("close", "\(session.rawValue) \(error)")
        case .appended(let request, let id): ("appended", "\(request) \(id)")
        case .ingested(let request, let accepted, let held): ("ingested", "\(request) \(accepted) \(held)")
        case .created(let request, let group): ("created", "\(request) \(group)")
        case .invited(let request, let invitation): ("invited", "\(request) \(hexadecimal(invitation.encoded))")
        case .removed(let request, let removal): ("removed", "\(request) \(removal.device)")
        case .openedBundle(let request, _): ("openedBundle", "\(request)")
        case .sealedSecrets(let request, let secrets): ("sealedSecrets", "\(request) \(secrets.count)")
        case .done(let request): ("done", "\(request)")
        case .failed(let request, let error): ("failed", "\(request) \(error)")
        case .transferring(let session, let isBusy): ("transferring", "\(session.rawValue) \(isBusy)")
        case .receivedEphemeral(let group, let log, let time, let content):
            ("receivedEphemeral", "\(group) \(log.map { "\($0)" } ?? "-") \(time) \(hexadecimal(content))")
        case .forked(let group, let one, let other): ("forked", "\(group) \(min(one, other)) \(max(one, other))")
        case .foundOlder(let group): ("foundOlder", "\(group)")
        case .joined(let session, let group): ("joined", "\(session.rawValue) \(group)")
        case .agreed(let session, let group, let report):
            (
                "agreed",
                "\(session.rawValue) \(group) \(report.strategy.rawValue) \(report.logs) \(report.bytesSent) "
                    + "\(report.bytesReceived) \(report.roundTrips)"
            )
        case .differed(let session, let group): ("differed", "\(session.rawValue) \(group)")
        case .exchanged(let session, let group): ("exchanged", "\(session.rawValue) \(group)")
        case .peerReady(let session, let device, let groups):
            ("peerReady", "\(session.rawValue) \(device) \(groups.sorted())")
        }
    }
}
