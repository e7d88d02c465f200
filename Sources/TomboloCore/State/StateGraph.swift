/// A state event in the graph.
package struct StateNode: Sendable {
    package let reference: EventReference
    /// The store's ordinal of the event.
    package let ordinal: Int64
    package let author: MemberKey
    /// The devices by which the author's device was admitted, itself last.
    package let devices: [DeviceKey]
    package let action: StateAction
    /// The author's strength, as the author saw itself when it made the event.
    let strength: Strength
    /// The indices of the state events that the event names.
    let parents: [Int]
    /// Whether the event stands: resolution applied it (protocol 2.6-32).
    package fileprivate(set) var stands = false

    fileprivate var order: Seniority { Seniority(lamport: reference.lamport, id: reference.id) }
}

/// The changes that an insertion made besides the new event.
package struct StateChange: Sendable {
    /// The indices of earlier events that came to stand, or stand no more.
    package var turned: [Int] = []
    /// The members whose standing has changed, with their former standing.
    package var members: [MemberKey: Standing] = [:]
}

/// The state events of a group, and the state that follows from them.
///
/// The state is a function of the set of events alone, whatever the order of their arrival (decision 0014). Events are
/// taken in the order of (Lamport time, id). Cuts divide them into segments (``StateCuts``). A segment depends on the
/// result of the one before and on nothing else. So a new event demands that only its own segment be resolved again.
package struct StateGraph: Sendable {
    package private(set) var nodes: [StateNode] = []
    private var indexOfID: [EventID: Int] = [:]
    /// The indices of nodes in the order of (Lamport time, id).
    private var order: [Int] = []
    /// For each node its position in ``order``.
    private var position: [Int] = []
    /// For each position the number of demotions up to it.
    private var demotions: [Int] = []
    private var cuts = StateCuts()
    /// The state heads: nodes that no other node names.
    private var headIndices: Set<Int> = []
    /// The redactions by the events that they name.
    private var redactionsOfEvent: [EventID: [Int]] = [:]
    private var rekeys: [Int] = []
    private var checkpoints: [Int] = []
    /// For each checkpoint, held or not: the members that have passed it, with the devices that did so for them.
    private var passes: [EventID: [MemberKey: Set<DeviceKey>]] = [:]
    /// The removals of devices by the members of these devices. They stand, whatever becomes of the members that posted
    /// them.
    private var deviceRemovals: [MemberKey: [Int]] = [:]
    /// For each member the devices that have made state events, each with the devices by which it was admitted.
    private var devicesOfMember: [MemberKey: [[DeviceKey]]] = [:]
    /// The owner that the statement names; nil in public groups, which nobody owns.
    private let founder: MemberKey?
    package let policy: Policy
    /// The role of a member that no state event names.
    var defaultRole: Role { policy.defaultRole }

    // The state that follows from the standing events: for each subject its values, with the positions from which on
    // they hold.
    private var standings: [MemberKey: [(position: Int, standing: Standing)]] = [:]
    private var values: [String: [(position: Int, nodes: [Int])]] = [:]
    private var journal: [(position: Int, subject: Subject)] = []
    private enum Subject { case member(MemberKey), key(String) }

    /// Standings as seen by authors that named heads within a segment. They are few, and forgotten together.
    private var contexts: [[Int]: [MemberKey: Standing]] = [:]
    private static let mostContexts = 64

    package init(owner: MemberKey, policy: Policy) {
        founder = policy == .public ? nil : owner
        self.policy = policy
    }

    /// Reserves memory for so many events.
    mutating func reserve(_ count: Int) {
        nodes.reserveCapacity(count)
        indexOfID.reserveCapacity(count)
        order.reserveCapacity(count)
        position.reserveCapacity(count)
        demotions.reserveCapacity(count)
    }

    /// The state heads, ascending by id.
    package var heads: [EventReference] { headIndices.map { nodes[$0].reference }.sorted() }

    package func index(of id: EventID) -> Int? { indexOfID[id] }

    // MARK: The state now

    /// A member's standing by all held events.
    package func standing(of member: MemberKey) -> Standing {
        standings[member]?.last?.standing ?? unnamed(member)
    }

    /// Whether the last change of a member's role is a demotion by another member. A member that has left is not.
    func isDemotedByAnother(_ member: MemberKey) -> Bool {
        guard let place = standings[member]?.last?.position else { return false }
        let node = nodes[order[place]]
        return node.action.isDemotion && node.author != member
    }

    /// All members that the statement or a standing event names, ascending by key.
    package var members: [(member: MemberKey, standing: Standing)] {
        Set(standings.keys).union(founder.map { [$0] } ?? []).sorted().map { ($0, standing(of: $0)) }
    }

    /// The settings of a key that count: the latest, then those concurrent with it (protocol 2.6-33).
    package func settings(of key: String) -> [StateNode] {
        (values[key]?.last?.nodes ?? []).reversed().map { nodes[$0] }
    }

    /// The keys that were ever set, ascending.
    package var keys: [String] { values.keys.filter { !(values[$0] ?? []).isEmpty }.sorted() }

    package var hasRedactions: Bool { !redactionsOfEvent.isEmpty }

    /// The redactions of an event, in the order of their arrival. Each is valid; not all of them need stand.
    package func redactions(of event: LogPosition, by author: MemberKey) -> [StateNode] {
        guard let found = redactionsOfEvent[event.id] else { return [] }
        return found.map { nodes[$0] }.filter {
            if case .redact(let redaction) = $0.action {
                redaction.event == event && redaction.author == author
            } else {
                false
            }
        }
    }

    /// The latest standing rekey events that descend from every standing demotion and device removal, the last in the
    /// group's order first.
    ///
    /// A removed member or device knows none of their secrets. Nor does a member whose admission fell because the
    /// admitting member had lost its right (protocol 2.8-14).
    ///
    /// - Parameter limit: the number of latest standing rekey events that are looked at.
    package func currentRekeys(atMost limit: Int) -> [StateNode] {
        let latest = rekeys.lazy.filter { nodes[$0].stands }.sorted { position[$0] > position[$1] }
        return latest.prefix(limit).filter { rekey in
            order[cuts.start(ofSegmentWith: position[rekey])...].allSatisfy { node in
                !takesAway(node) || !nodes[node].stands || isAncestor(node, of: rekey)
            }
        }.map { nodes[$0] }
    }

    /// The ids of all rekey events, in the order of their arrival.
    var rekeyEvents: [EventID] { rekeys.map { nodes[$0].reference.id } }

    /// All checkpoints, in the order of their arrival.
    package var checkpointNodes: [StateNode] { checkpoints.map { nodes[$0] } }

    /// The members that have passed a checkpoint, named by it or not, with the devices that did so for them
    /// (protocol 2.11-2).
    ///
    /// The checkpoint's author has passed it. It does not matter whether the passes stand.
    package func passed(_ checkpoint: StateNode) -> [MemberKey: Set<DeviceKey>] {
        var passed = passes[checkpoint.reference.id] ?? [:]
        passed[checkpoint.author, default: []].formUnion(checkpoint.devices.suffix(1))
        return passed
    }

    /// Whether a rekey event's secret is open to a member that may read (protocol 2.8-15).
    ///
    /// Where history is not shared, the secret is closed if the member's role was below reader when the secret began.
    package mutating func isOpen(_ rekey: EventID, to member: MemberKey) -> Bool {
        guard !policy.sharesHistory, let node = indexOfID[rekey] else { return true }
        return standing(of: member, seenFrom: [node]).role >= .reader
    }

    /// Whether a rekey event's secret is open to all members that may read.
    mutating func isOpenToAll(_ rekey: EventID) -> Bool {
        guard !policy.sharesHistory else { return true }
        for (member, standing) in members where standing.role >= .reader {
            guard isOpen(rekey, to: member) else { return false }
        }
        return true
    }

    /// Whether an event takes the next secrets from members or devices that may know this one: a demotion, or the
    /// removal of a known device.
    private func takesAway(_ node: Int) -> Bool {
        guard let removal = nodes[node].action.deviceRemoval else { return nodes[node].action.isDemotion }
        return coversSomething(removal)
    }

    private func coversSomething(_ removal: DeviceRemoval) -> Bool {
        (devicesOfMember[removal.member] ?? []).contains { removal.covers($0, of: removal.member) }
    }

    private func unnamed(_ member: MemberKey) -> Standing {
        member == founder
            ? Standing(role: .owner, since: .founder) : Standing(role: defaultRole, since: .never)
    }

    private func standing(of member: MemberKey, at position: Int) -> Standing {
        guard let history = standings[member] else { return unnamed(member) }
        let index = history.partitionPoint { $0.position > position }
        return index == 0 ? unnamed(member) : history[index - 1].standing
    }

    /// The nodes without repetitions, which are rare.
    private static func unique(_ nodes: [Int]) -> [Int] {
        for (place, node) in nodes.enumerated() where nodes[..<place].contains(node) { return Set(nodes).sorted() }
        return nodes
    }

    // MARK: The state that an author saw

    /// A member's standing as an author saw it that names these events.
    ///
    /// - Parameter heads: the indices of nodes.
    package mutating func standing(of member: MemberKey, seenFrom heads: [Int]) -> Standing {
        // An event may name one twice: as the event before, and as the rekey event whose secret encrypts its content.
        let heads = Self.unique(heads)
        guard let latest = heads.map({ position[$0] }).max() else { return unnamed(member) }
        if heads.count == headIndices.count, headIndices.isSuperset(of: heads) { return standing(of: member) }
        if cuts.isEverything(before: latest + 1, seenFrom: heads) { return standing(of: member, at: latest) }
        let start = cuts.start(ofSegmentWith: latest)
        let seen: [MemberKey: Standing]
        let key = heads.sorted()
        if let known = contexts[key] {
            seen = known
        } else {
            let region = ancestors(of: heads, from: start).sorted { position[$0] < position[$1] }
            var base: [MemberKey: Standing] = [:]
            for member in subjects(of: region) { base[member] = standing(of: member, at: start - 1) }
            seen = StateResolution(of: region, nodes, base: base).standings
            if contexts.count >= Self.mostContexts { contexts = [:] }
            contexts[key] = seen
        }
        return seen[member] ?? standing(of: member, at: start - 1)
    }

    // MARK: Devices

    private mutating func note(_ devices: [DeviceKey], of member: MemberKey) {
        // Most often one author writes several events in a row.
        if let latest = nodes.dropLast().last, latest.author == member, latest.devices == devices { return }
        if devicesOfMember[member]?.contains(devices) != true { devicesOfMember[member, default: []].append(devices) }
    }

    /// The held removals that cover a device.
    ///
    /// - Parameter devices: the devices by which it was admitted, itself last.
    package func removals(of devices: [DeviceKey], of member: MemberKey) -> [DeviceRemoval] {
        deviceRemovals(of: member).filter { $0.covers(devices, of: member) }
    }

    /// The removals of a member's devices, in the order of their arrival.
    package func deviceRemovals(of member: MemberKey) -> [DeviceRemoval] {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[member] else { return [] }
        return removals.compactMap { nodes[$0].action.deviceRemoval }
    }

    /// Whether an author that names these events has seen the removal of a device.
    ///
    /// - Parameters:
    ///   - devices: the devices by which the device was admitted, itself last.
    ///   - heads: the indices of nodes.
    package func isRemoved(_ devices: [DeviceKey], of member: MemberKey, seenFrom heads: [Int]) -> Bool {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[member] else { return false }
        return removals.contains { removal in
            nodes[removal].action.deviceRemoval?.covers(devices, of: member) == true
                && heads.contains { $0 == removal || isAncestor(removal, of: $0) }
        }
    }

    /// The authors and the targets of these events.
    private func subjects(of region: [Int]) -> Set<MemberKey> {
        var members: Set<MemberKey> = []
        for node in region {
            members.insert(nodes[node].author)
            if let target = nodes[node].action.target { members.insert(target) }
        }
        return members
    }

    /// These nodes and their ancestors, from a position on.
    private func ancestors(of heads: [Int], from start: Int) -> Set<Int> {
        var found: Set<Int> = []
        var open = heads.filter { position[$0] >= start }
        while let node = open.popLast() {
            guard found.insert(node).inserted else { continue }
            open += nodes[node].parents.filter { position[$0] >= start && !found.contains($0) }
        }
        return found
    }

    // MARK: Inserting an event

    /// Validates the right of an event's author by the state that the author had seen, and inserts the event if it is
    /// valid.
    ///
    /// - Parameters:
    ///   - devices: the devices by which the author's device was admitted, itself last.
    ///   - parents: the state events that it names. All of them must have been inserted.
    ///   - isUnderstood: whether this version knows the action. An event that is not understood needs no right and
    ///     does nothing (protocol 2.6-23).
    /// - Returns: nil, and nothing changed, if the author had no right to the event.
    package mutating func insert(
        _ reference: EventReference, ordinal: Int64, by author: MemberKey, devices: [DeviceKey] = [],
        _ action: StateAction, parents: [EventID], isUnderstood: Bool = true
    ) -> StateChange? {
        let parents = Self.unique(parents.compactMap { indexOfID[$0] })
        guard !isRemoved(devices, of: author, seenFrom: parents) else { return nil }
        if let removal = action.deviceRemoval, isRemoved(removal.signer.devices, of: removal.member, seenFrom: parents)
        {
            return nil
        }
        let strength = Strength(standing: standing(of: author, seenFrom: parents), member: author)
        if isUnderstood {
            let target = action.target.map { standing(of: $0, seenFrom: parents) }
            guard action.isAllowed(to: strength, on: target) else { return nil }
        }
        let node = nodes.count
        nodes.append(
            StateNode(
                reference: reference, ordinal: ordinal, author: author, devices: devices, action: action,
                strength: strength, parents: parents))
        indexOfID[reference.id] = node
        if case .redact(let redaction) = action { redactionsOfEvent[redaction.event.id, default: []].append(node) }
        switch action {
        case .rekey: rekeys.append(node)
        case .checkpoint: checkpoints.append(node)
        case .pass(let checkpoint):
            if let device = devices.last { passes[checkpoint, default: [:]][author, default: []].insert(device) }
        default: break
        }
        note(devices, of: author)
        if let removal = action.deviceRemoval { deviceRemovals[removal.member, default: []].append(node) }
        let place = order.partitionPoint { nodes[$0].order > nodes[node].order }
        let isLast = place == order.count
        order.insert(node, at: place)
        position.append(place)
        for later in place + 1..<max(place + 1, order.count) { position[order[later]] = later }
        let before = place == 0 ? 0 : demotions[place - 1]
        demotions.insert(before, at: place)
        if action.isDemotion { for later in place..<demotions.count { demotions[later] += 1 } }
        let latest = parents.map { position[$0] }.max() ?? -1
        if cuts.insert(at: place, parents: parents, latest: latest, heads: isLast ? headIndices : nil) {
            contexts = [:]  // contexts are relative to cuts
        }
        headIndices.subtract(parents)
        // The new event is a head: an event that names it could only be inserted later.
        headIndices.insert(node)
        return resolve(from: place, isLast: isLast)
    }

    /// Resolves the segment of a new event. It is the last one, since the insertion removed the cuts behind the event.
    private mutating func resolve(from place: Int, isLast: Bool) -> StateChange {
        let node = order[place]
        let start = cuts.last
        let before = start == 0 ? 0 : demotions[start - 1]
        if isLast, start == place || demotions[place] == before && !concernsRemovedDevices(node) {
            // No event is concurrent with it, or none that matters: it is applied last.
            let (author, target) = (nodes[node].author, nodes[node].action.target)
            let old = target.map { self.standing(of: $0) }
            nodes[node].stands = nodes[node].action.isAllowed(to: self.standing(of: author).role, of: author)
            if nodes[node].stands { apply(node, at: place) }
            var change = StateChange()
            if let target, let old, self.standing(of: target) != old { change.members[target] = old }
            return change
        }
        let region = Array(order[start...])
        var change = StateChange()
        while let (place, subject) = journal.last, place >= start {
            journal.removeLast()
            switch subject {
            case .member(let member):
                change.members[member] = change.members[member] ?? standing(of: member)
                standings[member]?.removeLast()
                if standings[member]?.isEmpty ?? false { standings[member] = nil }
            case .key(let key):
                values[key]?.removeLast()
                if values[key]?.isEmpty ?? false { values[key] = nil }
            }
        }
        var base: [MemberKey: Standing] = [:]
        for member in subjects(of: region) { base[member] = standing(of: member) }
        let standing = StateResolution(of: region, nodes, base: base).standing
        for (offset, other) in region.enumerated() {
            let stands = standing.contains(other)
            if stands != nodes[other].stands, other != node { change.turned.append(other) }
            nodes[other].stands = stands
            if stands {
                if let member = nodes[other].action.target {
                    change.members[member] = change.members[member] ?? self.standing(of: member)
                }
                apply(other, at: start + offset)
            }
        }
        change.members = change.members.filter { self.standing(of: $0.key) != $0.value }
        return change
    }

    /// Whether a device removal may exclude a new event, or the new event excludes others or keeps them from being
    /// excluded.
    private func concernsRemovedDevices(_ node: Int) -> Bool {
        guard !deviceRemovals.isEmpty else { return false }
        if let removal = nodes[node].action.deviceRemoval, coversSomething(removal) { return true }
        // Ancestors of events that the removal's signer made are not excluded (protocol 2.6-31).
        return deviceRemovals(of: nodes[node].author).contains {
            $0.signer.device == nodes[node].devices.last || $0.covers(nodes[node].devices, of: nodes[node].author)
        }
    }

    /// Applies a standing event to the state.
    private mutating func apply(_ node: Int, at place: Int) {
        if let member = nodes[node].action.target {
            let old = standing(of: member)
            let new = nodes[node].applied(to: old)
            guard new != old else { return }
            standings[member, default: []].append((place, new))
            journal.append((place, .member(member)))
        } else if case .set(let key, _) = nodes[node].action {
            let concurrent = (values[key]?.last?.nodes ?? []).filter { !isAncestor($0, of: node) }
            values[key, default: []].append((place, concurrent + [node]))
            journal.append((place, .key(key)))
        }
    }

    /// Whether an author that names these events, as far as they are held, has seen an event.
    package func hasSeen(_ event: EventID, from heads: [EventID]) -> Bool {
        guard let node = indexOfID[event] else { return false }
        return heads.contains { head in indexOfID[head].map { $0 == node || isAncestor(node, of: $0) } ?? false }
    }

    private func isAncestor(_ ancestor: Int, of node: Int) -> Bool {
        let low = position[ancestor]
        if low < cuts.start(ofSegmentWith: position[node]) { return true }
        return ancestors(of: [node], from: low).contains(ancestor)
    }
}

extension StateNode {
    /// The standing of the target after this event.
    func applied(to old: Standing) -> Standing {
        var new = old
        switch action {
        case .promote(_, let role):
            guard role > old.role else { return old }
            if old.role == .none || old.since == .never { new.since = order }
            new.role = role
            if role >= .member { new.demotion = nil }
        case .demote(_, let role, _):
            guard role < old.role else { return old }
            new.role = role
            if role < .member, old.role >= .member { new.demotion = reference.id }
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: break
        }
        return new
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index from which on all elements satisfy `isAfter`. No element before it may satisfy it.
    package func partitionPoint(_ isAfter: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
