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

    @Test func everyoneEndsWithTheSameVerdicts() throws {
        var (unwanted, forks, erased, removed, hidden) = (0, 0, 0, 0, 0)
        for seed in Self.found + Self.foundLinked + Array(0..<Self.seeds) {
            var generator = SeededGenerator(seed: UInt64(seed))
            let isFound = Self.found.contains(seed) || Self.foundLinked.contains(seed)
            let policy: Policy =
                isFound ? [.open, .private][seed % 2] : [.open, .private, .privateFromJoining][seed % 3]
            let cluster = try Cluster(
                4, policy: policy, seed: UInt64(seed) &* 7_919, role: .admin, roles: ["dan": .member],
                meetings: .withFirst())
            // In every second group of a policy Bob has another device. Each of the two may remove the other.
            let isLinked = !Self.found.contains(seed) && (seed / 2 % 2 == 1 || Self.foundLinked.contains(seed))
            if isLinked { try cluster.link("laptop", seed: UInt64(seed) &* 7_919 &+ 9, to: "bob") }
            let all = cluster.all
            let members = all.map(\.member)
            var copies: [MemoryStore] = []
            for step in 0..<26 {
                let device = all[Int.random(in: all.indices, using: &generator)]
                let other = all[Int.random(in: all.indices, using: &generator)]
                cluster.advance(by: 10)
                if policy == .privateFromJoining, step == 6 || step == 16 {
                    // Dan is no member for a while.
                    try cluster["ann"].setRole(of: members[3], to: step == 6 ? .none : .member)
                    try cluster.sync("ann", "dan")
                }
                switch Int.random(in: 0..<14, using: &generator) {
                case 0..<3: try device.send("\(step)")
                case 3:
                    let expiry = cluster.now + UInt64.random(in: 1..<200, using: &generator)
                    try device.append([UInt8(step)], expiry: expiry)
                case 10, 11:
                    guard let event = device.messages.randomElement(using: &generator) else { break }
                    try device.redact(event.reference)
                case 4..<6:
                    let role = Role.allCases.randomElement(using: &generator) ?? .none
                    try device.setRole(of: other, to: role)
                case 6 where isLinked && step > 12 && ["bob", "laptop"].contains(device.name):
                    try device.removeDevice(device.name == "bob" ? "laptop" : "bob")
                case 6: try device.set("mood", to: [UInt8(step)])
                case 7 where device.name != "ann":
                    // A copy of Bob's store continues in its place. The device thereby forks its logs.
                    if let copy = copies.popLast() {
                        try cluster["bob"].restart(seed: UInt64(seed &* 31 &+ step), from: copy)
                        try cluster["bob"].send("\(step) again")
                    } else {
                        copies.append(cluster["bob"].backup())
                    }
                case 7, 8:
                    // The same store is opened again.
                    try device.restart(seed: UInt64(seed &* 37 &+ step))
                default: if device != other { try cluster.sync(device, other) }
                }
            }
            try cluster.pass(1_000)
            try cluster.syncAll(rounds: 3)
            let (first, expected) = (cluster["ann"], cluster["ann"].verdict(on: members))
            forks += first.branches
            unwanted += expected.statuses.values.count { !$0 }
            for device in all {
                removed += device.effects.count { if case .removed = $0 { true } else { false } }
                let own = device.verdict(on: members)
                #expect(own.roles == expected.roles, "seed \(seed), \(device)")
                let differing = Set(own.statuses.keys).union(expected.statuses.keys)
                    .filter { own.statuses[$0] != expected.statuses[$0] }
                    .subtracting(device.waiting).subtracting(first.waiting)
                    .subtracting(device.passedOver).subtracting(first.passedOver).sorted()
                hidden += device.passedOver.count
                let isRemoved = device.engine.isRemoved(from: cluster.group)
                let mayRead = policy == .open || own.roles[device.member] ?? .none >= .reader && !isRemoved
                #expect(device.waitsRightly(mayRead: mayRead), "seed \(seed), \(device)")
                #expect(differing.isEmpty, "seed \(seed), \(device)")
                #expect(device.isToldInFull, "seed \(seed), \(device)")
                #expect(device.erasesAsItShould(policy), "seed \(seed), \(device)")
                erased += device.changes(.erased)
                #expect(device.errors.isEmpty, "seed \(seed), \(device): \(device.errors)")
            }
        }
        #expect(
            unwanted > 0 && forks > 0 && erased > 0 && removed > 0 && hidden > 0,
            "nothing was tried: \(unwanted), \(forks), \(erased), \(removed), \(hidden)")
    }
}

/// The roles that a device gives to members, and the events that it shows (true) or knows and does not show.
private struct Verdict: Equatable {
    var roles: [MemberKey: Role]
    var statuses: [EventID: Bool]
}

extension Cluster.Device {
    /// The events of the group that the device holds.
    private var groupEvents: [StoredEvent] { events(in: cluster.group) }

    fileprivate func verdict(on members: [MemberKey]) -> Verdict {
        var statuses: [EventID: Bool] = [:]
        for stored in groupEvents where stored.status != .waiting {
            statuses[stored.event.id] = stored.status == .delivered
        }
        var roles: [MemberKey: Role] = [:]
        for member in members { roles[member] = engine.role(of: member, in: cluster.group) }
        return Verdict(roles: roles, statuses: statuses)
    }

    fileprivate var waiting: Set<EventID> { Set(groupEvents.filter { $0.status == .waiting }.map(\.event.id)) }

    /// The events that the device skips because its member joined later.
    fileprivate var passedOver: Set<EventID> {
        guard let state = engine.state(of: cluster.group), !state.policy.sharesHistory else { return [] }
        let hidden = groupEvents.filter { stored in
            guard stored.status == .heldBack, let rekey = stored.event.header.rekeys.first else { return false }
            return !state.isOpen(rekey.id, to: member)
        }
        return Set(hidden.map(\.event.id))
    }

    private func hasSecret(of rekey: EventID) -> Bool {
        store.secrets(inGroup: groupReference).contains { $0.rekey == rekey && $0.extent != .values }
    }

    /// Tells whether every waiting event waits for a good reason.
    ///
    /// The reasons are a secret that the device must not have, a secret that nobody can give, and another waiting
    /// event.
    fileprivate func waitsRightly(mayRead: Bool) -> Bool {
        let waiting = waiting
        return groupEvents.allSatisfy { stored in
            guard stored.status == .waiting, !stored.event.header.ancestors.contains(where: waiting.contains) else {
                return true
            }
            guard let rekey = stored.event.header.rekeys.first, !hasSecret(of: rekey.id) else { return false }
            return !mayRead || !cluster.all.contains { $0.hasSecret(of: rekey.id) }
        }
    }

    /// The number of events that share a log and a sequence with another event.
    fileprivate var branches: Int {
        groupEvents.count - Set(groupEvents.map { "\($0.event.header.log) \($0.event.header.sequence)" }).count
    }

    /// Tells whether the changes that the application received add up to the delivered events.
    fileprivate var isToldInFull: Bool {
        var (shown, known): (Set<EventID>, Set<EventID>) = ([], [])
        for change in changes {
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
        return Set(groupEvents.filter { $0.status == .delivered }.map(\.event.id)) == shown
    }

    /// Tells whether redacted and expired contents are erased and all others are held. Redactions by a member that was
    /// removed later are an exception.
    fileprivate func erasesAsItShould(_ policy: Policy) -> Bool {
        let events = groupEvents
        var certificates: [LogID: Certificate] = [:]
        for stored in events {
            certificates[stored.event.header.log] =
                certificates[stored.event.header.log] ?? stored.event.header.certificate
        }
        var graph = StateGraph(owner: cluster[0].member, policy: policy)
        graph.insert(
            events.filter { $0.event.header.kind.isState }.compactMap { stored in
                certificates[stored.event.header.log].map { ($0.author, stored) }
            })
        return events.filter(\.event.header.isErasable).allSatisfy { stored in
            let header = stored.event.header
            guard let author = certificates[header.log]?.member else { return false }
            let redactions = graph.redactions(
                of: LogPosition(log: header.log, sequence: header.sequence, id: stored.event.id), by: author)
            let isGone = header.expiry.map { $0 <= cluster.now } ?? false || redactions.contains { $0.stands }
            return isGone ? stored.event.content == nil : stored.event.content != nil || !redactions.isEmpty
        }
    }
}
