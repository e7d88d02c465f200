import TestSupport
import Testing
import TomboloCore

/// Engines that write, act on each other and meet at random, some of them on copies of a store. All must end with the
/// same verdict on everything.
struct MembershipConvergenceTests {
    /// The number of seeds. `TOMBOLO_STATE_SEEDS=10000 swift test --filter MembershipConvergenceTests` sets another
    /// one.
    static let seeds = Tier.count(60, long: 1_000, variable: "TOMBOLO_STATE_SEEDS")

    /// Seeds that once found a defect.
    private static let found = [233, 289, 895, 1_393]
    /// Seeds that once found a defect with a linked device.
    private static let foundLinked = [61, 89, 861, 1_157]

    private struct Verdict: Equatable {
        var roles: [MemberKey: Role]
        var statuses: [EventID: Bool]
    }

    private func verdict(_ device: Int, _ devices: Devices, _ group: GroupID, _ members: [MemberKey]) -> Verdict {
        var statuses: [EventID: Bool] = [:]
        for stored in events(device, devices, group) where stored.status != .waiting {
            statuses[stored.event.id] = stored.status == .delivered
        }
        var roles: [MemberKey: Role] = [:]
        for member in members { roles[member] = devices.devices[device].engine.role(of: member, in: group) }
        return Verdict(roles: roles, statuses: statuses)
    }

    /// The number of the group in a store.
    private func number(of group: GroupID, in store: MemoryStore) -> Int64 {
        store.groups().first { $0.id == group }?.reference ?? 0
    }

    /// The events of the group that a device holds.
    private func events(_ device: Int, _ devices: Devices, _ group: GroupID) -> [StoredEvent] {
        let store = devices.devices[device].store
        let logs = Set(store.logs(inGroup: number(of: group, in: store)).map(\.reference))
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal()))).filter { logs.contains($0.log) }
    }

    private func waiting(_ device: Int, _ devices: Devices, _ group: GroupID) -> Set<EventID> {
        Set(events(device, devices, group).filter { $0.status == .waiting }.map(\.event.id))
    }

    /// The events that a device skips because its member joined later.
    private func passedOver(_ device: Int, _ devices: Devices, _ group: GroupID) -> Set<EventID> {
        guard var state = devices.devices[device].engine.state(of: group), !state.policy.sharesHistory else {
            return []
        }
        let member = devices.devices[device].engine.member
        let hidden = events(device, devices, group).filter { stored in
            guard stored.status == .heldBack, let rekey = stored.event.header.rekeys.first else { return false }
            return !state.isOpen(rekey.id, to: member)
        }
        return Set(hidden.map(\.event.id))
    }

    /// Tells whether every waiting event waits for a good reason.
    ///
    /// The reasons are a secret that the device must not have, a secret that nobody can give, and another waiting
    /// event.
    private func waitsRightly(_ device: Int, _ devices: Devices, _ group: GroupID, mayRead: Bool) -> Bool {
        let waiting = waiting(device, devices, group)
        func hasSecret(_ store: MemoryStore, of rekey: EventID) -> Bool {
            store.secrets(inGroup: number(of: group, in: store)).contains { $0.rekey == rekey && $0.extent != .values }
        }
        return events(device, devices, group).allSatisfy { stored in
            guard stored.status == .waiting, !stored.event.header.ancestors.contains(where: waiting.contains) else {
                return true
            }
            guard let rekey = stored.event.header.rekeys.first,
                !hasSecret(devices.devices[device].store, of: rekey.id)
            else { return false }
            return !mayRead || !devices.devices.contains { hasSecret($0.store, of: rekey.id) }
        }
    }

    /// The number of events that share a log and a sequence with another event.
    private func branches(_ device: Int, _ devices: Devices, _ group: GroupID) -> Int {
        let events = events(device, devices, group)
        return events.count - Set(events.map { "\($0.event.header.log) \($0.event.header.sequence)" }).count
    }

    /// Tells whether the changes that the application received add up to the delivered events.
    private func isToldInFull(_ device: Int, _ devices: Devices, _ group: GroupID) -> Bool {
        let store = devices.devices[device].store
        var (shown, known): (Set<EventID>, Set<EventID>) = ([], [])
        for change in store.changes(in: group) {
            let id = change.event.event.id
            switch change.kind {
            case .delivered, .restored: guard shown.insert(id).inserted else { return false }
            // An event whose content was already erased at its arrival is reported by this change alone.
            case .erased: if !known.contains(id) { shown.insert(id) }
            case .withdrawn: guard shown.remove(id) != nil else { return false }
            case .forgotten: break
            }
            known.insert(id)
        }
        let delivered = events(device, devices, group).filter { $0.status == .delivered }
        return Set(delivered.map(\.event.id)) == shown
    }

    /// Tells whether redacted and expired contents are erased and all others are held. Redactions by a member that was
    /// removed later are an exception.
    private func isErasedAsItShould(_ device: Int, _ devices: Devices, _ group: GroupID, _ policy: Policy) -> Bool {
        let events = events(device, devices, group)
        var certificates: [LogID: Certificate] = [:]
        for stored in events {
            certificates[stored.event.header.log] =
                certificates[stored.event.header.log] ?? stored.event.header.certificate
        }
        var graph = StateGraph(owner: devices.devices[0].engine.member, policy: policy)
        graph.insert(
            events.filter { $0.event.header.kind.isState }.compactMap { stored in
                certificates[stored.event.header.log].map { ($0.author, stored) }
            })
        return events.filter(\.event.header.isErasable).allSatisfy { stored in
            let header = stored.event.header
            guard let author = certificates[header.log]?.member else { return false }
            let redactions = graph.redactions(
                of: LogPosition(log: header.log, sequence: header.sequence, id: stored.event.id), by: author)
            let isGone = header.expiry.map { $0 <= devices.now } ?? false || redactions.contains { $0.stands }
            return isGone ? stored.event.content == nil : stored.event.content != nil || !redactions.isEmpty
        }
    }

    @Test func everyoneEndsWithTheSameVerdicts() throws {
        var (unwanted, forks, erased, removed, hidden) = (0, 0, 0, 0, 0)
        for seed in Self.found + Self.foundLinked + Array(0..<Self.seeds) {
            var generator = SeededGenerator(seed: UInt64(seed))
            let devices = try Devices(4, seed: UInt64(seed) &* 7_919)
            let isFound = Self.found.contains(seed) || Self.foundLinked.contains(seed)
            let policy: Policy =
                isFound ? [.open, .private][seed % 2] : [.open, .private, .privateFromJoining][seed % 3]
            let group = try devices.makeGroup(policy) { $0 < 3 ? .admin : .member }
            for index in 1..<4 { try devices.meet(0, index) }
            // In every second group of a policy the second member has another device. Each of the two may remove the
            // other.
            let isLinked = !Self.found.contains(seed) && (seed / 2 % 2 == 1 || Self.foundLinked.contains(seed))
            if isLinked { try devices.link(Devices.Device(seed: UInt64(seed) &* 7_919 &+ 9), to: 1, in: group) }
            let all = devices.devices.indices
            let members = all.map { devices.devices[$0].engine.member }
            var copies: [MemoryStore] = []
            for step in 0..<26 {
                let device = Int.random(in: all, using: &generator)
                let other = Int.random(in: all, using: &generator)
                devices.now += 10
                if policy == .privateFromJoining, step == 6 || step == 16 {
                    // One member is away for a while.
                    try devices.step(
                        0, [.setRole(9, group: group, of: members[3], to: step == 6 ? .none : .member)])
                    try devices.meet(0, 3)
                }
                switch Int.random(in: 0..<14, using: &generator) {
                case 0..<3: try devices.say(device, "\(step)", in: group)
                case 3:
                    let expiry = devices.now + UInt64.random(in: 1..<200, using: &generator)
                    try devices.step(
                        device, [.append(8, group: group, kind: .message, content: [UInt8(step)], expiry: expiry)])
                case 10, 11:
                    let store = devices.devices[device].store
                    let said = store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
                        .filter { $0.event.header.kind == .message }
                    guard let event = said.randomElement(using: &generator)?.event else { break }
                    try devices.step(device, [.redact(7, group: group, event.reference, reason: "")])
                case 4..<6:
                    let role = Role.allCases.randomElement(using: &generator) ?? .none
                    try devices.step(device, [.setRole(9, group: group, of: members[other], to: role)])
                case 6 where isLinked && step > 12 && (device == 1 || device == 4):
                    let lost = devices.devices[device == 1 ? 4 : 1].engine.device
                    try devices.step(device, [.removeDevice(9, lost)])
                case 6:
                    try devices.step(device, [.setState(9, group: group, key: "mood", value: [UInt8(step)])])
                case 7 where device > 0:
                    // A copy of the store continues in its place. The device thereby forks its logs.
                    if let copy = copies.popLast() {
                        devices.devices[1] = try Devices.Device(seed: UInt64(seed &* 31 &+ step), store: copy)
                        try devices.say(1, "\(step) again", in: group)
                    } else {
                        copies.append(MemoryStore(copying: devices.devices[1].store))
                    }
                case 7, 8:
                    // The same store is opened again.
                    devices.devices[device] = try Devices.Device(
                        seed: UInt64(seed &* 37 &+ step), store: devices.devices[device].store)
                default: if device != other { try devices.meet(device, other) }
                }
            }
            devices.now += 1_000
            for device in all { try devices.step(device, [.timePassed]) }
            for _ in 0..<3 {
                for one in all { for other in all where other > one { try devices.meet(one, other) } }
            }
            let expected = verdict(0, devices, group, members)
            forks += branches(0, devices, group)
            unwanted += expected.statuses.values.count { !$0 }
            for device in all {
                removed += devices.devices[device].effects.count { if case .removed = $0 { true } else { false } }
                let own = verdict(device, devices, group, members)
                #expect(own.roles == expected.roles, "seed \(seed), device \(device)")
                let differing = Set(own.statuses.keys).union(expected.statuses.keys)
                    .filter { own.statuses[$0] != expected.statuses[$0] }
                    .subtracting(waiting(device, devices, group)).subtracting(waiting(0, devices, group))
                    .subtracting(passedOver(device, devices, group)).subtracting(passedOver(0, devices, group)).sorted()
                hidden += passedOver(device, devices, group).count
                let isRemoved = devices.devices[device].engine.isRemoved(from: group)
                let mayRead = policy == .open || own.roles[members[device]] ?? .none >= .reader && !isRemoved
                #expect(waitsRightly(device, devices, group, mayRead: mayRead), "seed \(seed), device \(device)")
                #expect(differing.isEmpty, "seed \(seed), device \(device)")
                #expect(isToldInFull(device, devices, group), "seed \(seed), device \(device)")
                #expect(isErasedAsItShould(device, devices, group, policy), "seed \(seed), device \(device)")
                let store = devices.devices[device].store
                erased += store.changes(in: group).count { $0.kind == .erased }
                #expect(devices.errors(device).isEmpty, "seed \(seed), device \(device): \(devices.errors(device))")
            }
        }
        #expect(
            unwanted > 0 && forks > 0 && erased > 0 && removed > 0 && hidden > 0,
            "nothing was tried: \(unwanted), \(forks), \(erased), \(removed), \(hidden)")
    }
}
