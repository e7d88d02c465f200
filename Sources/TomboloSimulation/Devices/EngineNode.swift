import TomboloCore

/// A node with the real engine and a store in memory.
final class EngineNode<Crypto: Cryptography>: SimulatedNode {
    private let crypto: Crypto
    let number: Int
    private let skew: Int64
    let history: History
    private(set) var directory: Directory
    private(set) var store: MemoryStore
    /// The store as of its last sync to disk; kept if the scenario has power cuts.
    private var durable: MemoryStore?
    /// An old copy of the store; kept if the scenario restores backups.
    private var backup: MemoryStore?
    private let keeps: (durable: Bool, backup: Bool)
    private(set) var engine: Engine<Crypto>
    private var generator: SeededGenerator
    let mutant: Mutant?
    /// The lifetime of every other message, in milliseconds.
    private let lifetime: UInt64?
    private let isPrivate: Bool
    /// The events that were passed to the application. An event that is erased later is not passed on again.
    private var handedOver = BitSet()
    /// The number of entries of the store's change log that were passed on.
    private var taken = 0
    /// The number of batches. Every 200th makes a backup.
    private var batches = 0
    /// The effects of inputs between batches. They are carried out with the next batch.
    private var askedEffects: [EngineEffect] = []

    init(
        number: Int, crypto: Crypto, skew: Int64, history: History, directory: Directory,
        keeps: (durable: Bool, backup: Bool), lifetime: UInt64?, isPrivate: Bool, mutant: Mutant?, seed: UInt64
    ) throws(StoreError) {
        (self.number, self.crypto, self.skew, self.history, self.directory) = (number, crypto, skew, history, directory)
        (self.keeps, self.lifetime, self.isPrivate, self.mutant) = (keeps, lifetime, isPrivate, mutant)
        generator = SeededGenerator(seed: seed)
        store = MemoryStore(sharing: history.pool)
        engine = try Self.open(store, crypto, &generator, mutant)
        enter()
        keepCopies(isSynced: true)
    }

    private static func open(
        _ store: MemoryStore, _ crypto: Crypto, _ generator: inout SeededGenerator, _ mutant: Mutant?,
        beginsIncarnation: Bool = false, beginsLogs: Bool = false
    ) throws(StoreError) -> Engine<Crypto> {
        // Stores in memory answer at once and there are thousands of devices, so each engine caches few events.
        var engine = try Engine(
            opening: store, cryptography: crypto, generator: SeededGenerator(seed: generator.next()),
            beginsIncarnation: beginsIncarnation, beginsLogs: beginsLogs, recentEvents: 16)
        engine.letsSessionsRest = mutant != .restless
        return engine
    }

    /// The group of all devices, once it is created.
    var group: GroupID { directory.group }

    private func enter() {
        (directory.keys[number], directory.members[number]) = (engine.device, engine.member)
        directory.admissions[number] = engine.admittedBy
    }

    /// The time on the device's clock.
    func clock(_ now: UInt64) -> UInt64 { UInt64(Int64(now) + skew) }

    var nextWake: UInt64? { engine.nextWake.map { UInt64(max(0, Int64($0) - skew)) } }
    var held: Int { Int(store.lastOrdinal()) }

    /// - Returns: the group's id.
    func createGroup(named name: String, now: UInt64) throws(StoreError) -> GroupID? {
        let policy: Policy = isPrivate ? .private : .open
        for case .created(_, let id) in try ask([.createGroup(1, name: name, policy: policy)], now: now) { return id }
        return nil
    }

    func invite(now: UInt64) throws(StoreError) -> Invitation? {
        let expiry = clock(now) + 86_400_000
        // In a private group the founder invites administrators, so that several devices can admit a wiped device
        // again. In an open group every member can.
        for role in isPrivate && number == 0 ? [Role.admin, .member] : [.member] {
            let input = EngineInput.invite(1, group: group, addresses: [], expiry: expiry, role: role)
            for case .invited(_, let made) in try ask([input], now: now) { return made }
        }
        return nil
    }

    func linkDevice(now: UInt64) throws(StoreError) -> Invitation? {
        let input = EngineInput.linkDevice(1, addresses: [], expiry: clock(now) + 86_400_000)
        for case .invited(_, let made) in try ask([input], now: now) { return made }
        return nil
    }

    func open(_ group: GroupRecord, now: UInt64) throws(StoreError) {
        _ = try ask([.openGroup(1, group)], now: now)
        enter()
    }

    func root() -> Bytes32? { engine.root(of: group) }

    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect] {
        var effects: [NodeEffect] = []
        let early = askedEffects
        askedEffects = []
        for effect in early + (try run(inputs.compactMap { engineInput($0, now: now) }, now: now)) {
            switch effect {
            case .send(let session, let bytes):
                effects.append(.send(link: session.rawValue, mutant == .keepsItsSecrets ? withoutShares(bytes) : bytes))
            case .close(let session, let error):
                effects.append(.close(link: session.rawValue, reason: error.description))
            case .appended(let request, let id):
                guard let number = history.pool.number(of: id) else { continue }
                let redacted = Int(request) - Self.redactions
                effects.append(redacted < 0 ? .said(number) : .redacted(redacted, by: number))
            case .failed(let request, .notAllowed): effects.append(.refused(isUtterance: request == Self.utterance))
            case .failed(_, let error): effects.append(.failed(error.description))
            case .forked(_, let one, let other):
                effects.append(.forked(history.pool.number(of: one) ?? 0, history.pool.number(of: other) ?? 0))
            case .changed: effects.append(.delivered)
            default: break
            }
        }
        return effects
    }

    /// Processes inputs between batches. Their remaining effects are carried out with the next batch.
    private func ask(_ inputs: [EngineInput], now: UInt64) throws(StoreError) -> [EngineEffect] {
        let effects = try run(inputs, now: now)
        askedEffects += effects.filter { if case .failed = $0 { false } else { true } }
        return effects
    }

    private func run(_ inputs: [EngineInput], now: UInt64) throws(StoreError) -> [EngineEffect] {
        let isSynced = (keeps.durable || keeps.backup) && engine.mustBeSynced(inputs)
        let effects = try engine.process(inputs, now: clock(now), in: store)
        keepCopies(isSynced: isSynced && (mutant != .forgetsToSync || taken < 10))
        return effects
    }

    private func become(_ store: MemoryStore, in directory: Directory) throws(StoreError) {
        self.store = store
        self.directory = directory
        engine = try Self.open(store, crypto, &generator, mutant)
    }

    private func keepCopies(isSynced: Bool) {
        if keeps.durable, isSynced { durable = MemoryStore(copying: store) }
        batches += 1
        // The first backup must contain the group.
        if keeps.backup, backup == nil && !store.groups().isEmpty || batches % 200 == 0 {
            backup = MemoryStore(copying: store)
        }
    }

    private static var utterance: RequestID { 1 }
    private static var act: RequestID { 2 }
    /// The first request id of redactions. The number of the redacted message is added to it.
    private static var redactions: Int { 16 }

    private func engineInput(_ input: NodeInput, now: UInt64) -> EngineInput? {
        switch input {
        case .linkOpened(let link, let peer, let isDialler, let invitation):
            let binding = Array("link \(link)".utf8).withUnsafeBytes { crypto.sha256($0) }
            return .linkOpened(
                PeerLink(
                    session: SessionID(rawValue: link), peer: directory.keys[peer] ?? engine.device,
                    isDialler: isDialler, binding: binding, invitation: invitation))
        case .linkClosed(let link): return .linkClosed(SessionID(rawValue: link))
        case .received(let link, let bytes): return .payloadReceived(SessionID(rawValue: link), bytes)
        case .says(let utterance, let text):
            let expiry = utterance.isMultiple(of: 2) ? lifetime.map { clock(now) + $0 } : nil
            return .append(Self.utterance, group: group, kind: .message, content: text, expiry: expiry)
        case .redacts(let number):
            return .redact(
                UInt64(number + Self.redactions), group: group, history.pool.events[number].reference, reason: "")
        case .acts(let act): return engineInput(act)
        case .timePassed, .presence: return .timePassed
        case .datagram: return nil
        }
    }

    private func engineInput(_ act: Act) -> EngineInput? {
        switch act {
        case .setsRole(let number, let role):
            return directory.members[number].map { .setRole(Self.act, group: group, of: $0, to: role) }
        case .setsKey(let key, let value):
            return .setState(Self.act, group: group, key: key, value: value.map { [$0] })
        case .removesDevice(let number): return directory.keys[number].map { .removeDevice(Self.act, $0) }
        case .proposesCheckpoint: return .proposeCheckpoint(Self.act, group: group)
        }
    }

    func takeChanges() -> [ViewChange] {
        let changes = store.changes(in: group, after: taken)
        taken += changes.count
        var told = changes.compactMap { change -> ViewChange? in
            guard let number = history.pool.number(of: change.event.event.id) else { return nil }
            switch change.kind {
            case .delivered, .restored:
                _ = handedOver.insert(number)
                return .delivered(number)
            // An event whose content was already erased at its arrival is reported by this change alone.
            case .erased: return handedOver.insert(number) ? .delivered(number) : nil
            case .withdrawn: return .withdrawn(number)
            // A store in memory does not report forgotten events.
            case .forgotten: return nil
            }
        }
        switch mutant {
        case .deliversBackwards: told.reverse()
        case .deliversTwice where taken > 20:
            if let first = told.first { told.append(first) }
        case .hidesItsOwn where taken > 20:
            told.removeAll { history.pool.events[$0.number].header.log == store.groups().first?.ownLog }
        case .hidesWhatIsWithdrawn: told.removeAll { $0 == .withdrawn($0.number) }
        default: break
        }
        return told
    }

    func status(of number: Int) -> EventStatus? {
        if mutant == .forgetsWhatWasRead, number > 10, number.isMultiple(of: 7) { return nil }
        return store.status(of: history.pool.events[number], in: group)
    }

    func isForgotten(_ number: Int) -> Bool {
        let header = history.pool.events[number].header
        return store.floor(ofLog: header.log, in: group) >= header.sequence
    }

    func hasContent(of number: Int) -> Bool {
        if mutant == .keepsWhatIsErased { return true }
        return store.stored(history.pool.events[number], in: group)?.event.content != nil
    }

    func canRead(_ number: Int) throws -> Bool {
        if mutant == .readsNothing, number > 10 { return false }
        let record = store.groups().first { $0.id == group }
        guard let reference = record?.reference, let event = store.stored(history.pool.events[number], in: group)?.event
        else { return false }
        var opener = ContentOpener(using: crypto) { [store] in store.secret(of: $0, inGroup: reference) }
        return try event.content == nil || opener.content(of: event) != nil
    }

    private func withoutShares(_ bytes: [UInt8]) -> [UInt8] {
        guard var payload = try? Payload(decoding: bytes[...]) else { return bytes }
        for group in payload.groups.indices { payload.groups[group].share = nil }
        return payload.encoded
    }

    func restart(after stop: Stop, now: UInt64) throws {
        switch stop {
        case .crash: break
        case .powerCut: if let durable { store = MemoryStore(copying: durable) }
        case .restoredBackup: if let backup { store = MemoryStore(copying: backup) }
        case .wiped: store = MemoryStore(sharing: history.pool)
        }
        engine = try Self.open(
            store, crypto, &generator, mutant, beginsIncarnation: stop != .crash,
            beginsLogs: stop == .restoredBackup && mutant != .goesOnInItsLog)
        askedEffects = []
        if stop != .crash { (taken, handedOver) = (0, BitSet()) }
        enter()
        durable = keeps.durable ? MemoryStore(copying: store) : nil
    }
}

/// The knowledge that devices have of each other from outside the protocol: keys, and the group to join.
final class Directory {
    var keys: [Int: DeviceKey] = [:]
    var members: [Int: MemberKey] = [:]
    /// The devices that admitted each device, itself last.
    var admissions: [Int: [DeviceKey]] = [:]
    var group = GroupID(Bytes32.zero)
}

extension EngineNode {
    /// A second copy of the device with a store of its own. A device that forks its log consists of two.
    func clone() throws(StoreError) -> EngineNode {
        let clone = try EngineNode(
            number: number, crypto: crypto, skew: skew, history: history, directory: Directory(), keeps: (false, false),
            lifetime: lifetime, isPrivate: isPrivate, mutant: nil, seed: 0)
        try clone.become(MemoryStore(copying: store), in: directory)
        return clone
    }
}
