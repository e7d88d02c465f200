/// A state event in the graph.
package struct StateNode: Sendable {
    package let reference: EventReference
    /// Where the store has it.
    package let ordinal: Int64
    package let author: MemberKey
    /// What its author's device was admitted by, itself last.
    package let devices: [DeviceKey]
    package let action: StateAction
    /// What its author was where it was made.
    let strength: Strength
    /// Indices of the state events that it names.
    let parents: [Int]
    /// Whether it has its effect: no removal that it did not know of is in its way.
    package fileprivate(set) var stands = false

    fileprivate var order: Seniority { Seniority(lamport: reference.lamport, id: reference.id) }
}

/// What an insertion has changed beside the new event.
package struct StateChange: Sendable {
    /// Indices of events, those before the new one, that have come to stand or stand no more.
    package var turned: [Int] = []
    /// Members whose standing is another one, with what it was.
    package var members: [MemberKey: Standing] = [:]
}

/// The state events of a group, and what they make of it: a function of the set of events alone, whatever the order of their arrival
/// (decision 0014).
///
/// Events are taken in the order of (Lamport time, id). Where everything before a place is an ancestor of everything behind it (a *cut*), what
/// comes behind depends on what is left there and on nothing else: a new event makes only its own segment be resolved anew.
package struct StateGraph: Sendable {
    package private(set) var nodes: [StateNode] = []
    private var indexOfID: [EventID: Int] = [:]
    /// Indices of nodes in the order of (Lamport time, id), and for each node its position there.
    private var order: [Int] = []
    private var position: [Int] = []
    /// For each position, how many lowerings there are up to it.
    private var lowerings: [Int] = []
    private var cuts = StateCuts()
    /// Nodes that no other one names.
    private var headIndices: Set<Int> = []
    /// Redactions, by the events that they are of.
    private var redactionsOfEvent: [EventID: [Int]] = [:]
    private var rekeys: [Int] = []
    private var checkpoints: [Int] = []
    /// Who has passed a checkpoint, which may not be here: members, and the devices that have said so for them.
    private var passes: [EventID: [MemberKey: Set<DeviceKey>]] = [:]
    /// Removals of devices, by the members whose they were. They stand whatever becomes of who posted them.
    private var deviceRemovals: [MemberKey: [Int]] = [:]
    /// The devices of members who have made something, each with what it was admitted by.
    private var devicesOfMember: [MemberKey: [[DeviceKey]]] = [:]
    /// Nil where nobody owns the group.
    private let founder: MemberKey?
    package let policy: Policy
    /// Of whom no state event names.
    var defaultRole: Role { policy.defaultRole }

    // What the standing events make of it, with the positions from which on it is so.
    private var standings: [MemberKey: [(position: Int, standing: Standing)]] = [:]
    private var values: [String: [(position: Int, nodes: [Int])]] = [:]
    private var journal: [(position: Int, subject: Subject)] = []
    private enum Subject { case member(MemberKey), key(String) }

    /// Standings seen by sets of heads that are not in line with the rest; few, and forgotten together.
    private var contexts: [[Int]: [MemberKey: Standing]] = [:]
    private static let mostContexts = 64

    package init(owner: MemberKey, policy: Policy) {
        founder = policy == .public ? nil : owner
        self.policy = policy
    }

    /// Makes room for so many events.
    mutating func reserve(_ count: Int) {
        nodes.reserveCapacity(count)
        indexOfID.reserveCapacity(count)
        order.reserveCapacity(count)
        position.reserveCapacity(count)
        lowerings.reserveCapacity(count)
    }

    /// The state heads, ascending by id.
    package var heads: [EventReference] { headIndices.map { nodes[$0].reference }.sorted() }

    package func index(of id: EventID) -> Int? { indexOfID[id] }

    // MARK: What the group is now

    /// A member's standing, all that is held considered.
    package func standing(of member: MemberKey) -> Standing {
        standings[member]?.last?.standing ?? unnamed(member)
    }

    /// All members that the statement or a standing event names, ascending by key.
    package var members: [(member: MemberKey, standing: Standing)] {
        Set(standings.keys).union(founder.map { [$0] } ?? []).sorted().map { ($0, standing(of: $0)) }
    }

    /// What a key was set to: the latest event, then those concurrent with it that set it as well.
    package func settings(of key: String) -> [StateNode] {
        (values[key]?.last?.nodes ?? []).reversed().map { nodes[$0] }
    }

    /// The keys that were ever set, ascending.
    package var keys: [String] { values.keys.filter { !(values[$0] ?? []).isEmpty }.sorted() }

    package var hasRedactions: Bool { !redactionsOfEvent.isEmpty }

    /// The redactions of an event, in the order of their arrival. Each was made by who had the right to it; not all need stand.
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

    /// The latest rekey events that stand and that every standing removal comes before, of a member or a device: who was removed knows none
    /// of their secrets, nor does who was never admitted because its admission fell with a removal. The last in the group's order first.
    package func currentRekeys(atMost limit: Int) -> [StateNode] {
        let latest = rekeys.lazy.filter { nodes[$0].stands }.sorted { position[$0] > position[$1] }
        return latest.prefix(limit).filter { rekey in
            order[cuts.start(ofSegmentWith: position[rekey])...].allSatisfy { node in
                !takesAway(node) || !nodes[node].stands || isAncestor(node, of: rekey)
            }
        }.map { nodes[$0] }
    }

    /// All rekey events, in the order of their arrival.
    var rekeyEvents: [EventID] { rekeys.map { nodes[$0].reference.id } }

    /// All checkpoints, in the order of their arrival.
    package var checkpointNodes: [StateNode] { checkpoints.map { nodes[$0] } }

    /// All members who have passed a checkpoint, asked or not, with the devices that have said so, whatever has become of them. Its author has.
    package func passed(_ checkpoint: StateNode) -> [MemberKey: Set<DeviceKey>] {
        var passed = passes[checkpoint.reference.id] ?? [:]
        passed[checkpoint.author, default: []].formUnion(checkpoint.devices.suffix(1))
        return passed
    }

    /// Whether a member, as long as it is one, may read what is sealed under a rekey event: where history is not shared, only if who began it
    /// saw it as one.
    package mutating func isOpen(_ rekey: EventID, to member: MemberKey) -> Bool {
        guard !policy.sharesHistory, let node = indexOfID[rekey] else { return true }
        return standing(of: member, seenFrom: [node]).role >= .reader
    }

    /// Whether all who may read may read what is sealed under a rekey event.
    mutating func isOpenToAll(_ rekey: EventID) -> Bool {
        guard !policy.sharesHistory else { return true }
        for (member, standing) in members where standing.role >= .reader {
            guard isOpen(rekey, to: member) else { return false }
        }
        return true
    }

    /// Whether somebody who may have known a secret is not to know the next one: by a lowering, or the removal of a device that is known.
    private func takesAway(_ node: Int) -> Bool {
        guard let removal = nodes[node].action.deviceRemoval else { return nodes[node].action.isLowering }
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

    /// Without those that come twice: mostly there are none.
    private static func unique(_ nodes: [Int]) -> [Int] {
        for (place, node) in nodes.enumerated() where nodes[..<place].contains(node) { return Set(nodes).sorted() }
        return nodes
    }

    // MARK: What an author saw

    /// A member's standing as who named these events saw it.
    ///
    /// - Parameter heads: indices of nodes.
    package mutating func standing(of member: MemberKey, seenFrom heads: [Int]) -> Standing {
        // One may be named twice, as the event before and as the secret of the content.
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
        // Mostly somebody goes on.
        if let latest = nodes.dropLast().last, latest.author == member, latest.devices == devices { return }
        if devicesOfMember[member]?.contains(devices) != true { devicesOfMember[member, default: []].append(devices) }
    }

    /// The removals that cover a device, all that is held considered.
    ///
    /// - Parameter devices: what it was admitted by, itself last.
    package func removals(of devices: [DeviceKey], of member: MemberKey) -> [DeviceRemoval] {
        deviceRemovals(of: member).filter { $0.covers(devices, of: member) }
    }

    /// The removals of a member's devices, in the order of their arrival.
    package func deviceRemovals(of member: MemberKey) -> [DeviceRemoval] {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[member] else { return [] }
        return removals.compactMap { nodes[$0].action.deviceRemoval }
    }

    /// Whether a device was removed, as who named these events saw it.
    ///
    /// - Parameter heads: indices of nodes.
    package func isRemoved(_ devices: [DeviceKey], of member: MemberKey, seenFrom heads: [Int]) -> Bool {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[member] else { return false }
        return removals.contains { removal in
            nodes[removal].action.deviceRemoval?.covers(devices, of: member) == true
                && heads.contains { $0 == removal || isAncestor(removal, of: $0) }
        }
    }

    /// The members whom a part of the graph is about.
    private func subjects(of region: [Int]) -> Set<MemberKey> {
        var members: Set<MemberKey> = []
        for node in region {
            members.insert(nodes[node].author)
            if let target = nodes[node].action.target { members.insert(target) }
        }
        return members
    }

    /// These nodes and what they descend from, from a position on.
    private func ancestors(of heads: [Int], from start: Int) -> Set<Int> {
        var found: Set<Int> = []
        var open = heads.filter { position[$0] >= start }
        while let node = open.popLast() {
            guard found.insert(node).inserted else { continue }
            open += nodes[node].parents.filter { position[$0] >= start && !found.contains($0) }
        }
        return found
    }

    // MARK: Taking an event

    /// Judges an event by what its author saw, and takes it if its author had the right.
    ///
    /// - Parameters:
    ///   - devices: what its author's device was admitted by, itself last.
    ///   - parents: the state events that it names; all of them are here.
    ///   - isUnderstood: whether this version knows what it does; else it does nothing, and nobody needs a right to it.
    /// - Returns: nil, and nothing changed, if its author had no right to it.
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
        let before = place == 0 ? 0 : lowerings[place - 1]
        lowerings.insert(before, at: place)
        if action.isLowering { for later in place..<lowerings.count { lowerings[later] += 1 } }
        let latest = parents.map { position[$0] }.max() ?? -1
        if cuts.insert(at: place, parents: parents, latest: latest, heads: isLast ? headIndices : nil) {
            contexts = [:]  // they are relative to cuts
        }
        headIndices.subtract(parents)
        // A head, unless it came after one that names it: parents come first.
        headIndices.insert(node)
        return resolve(from: place, isLast: isLast)
    }

    /// Resolves the segment of a new event, which is the last one: cuts that were behind the event are gone.
    private mutating func resolve(from place: Int, isLast: Bool) -> StateChange {
        let node = order[place]
        let start = cuts.last
        let before = start == 0 ? 0 : lowerings[start - 1]
        if isLast, start == place || lowerings[place] == before && !concernsRemovedDevices(node) {
            // Nothing is concurrent with it, or nothing that matters: it comes last.
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

    /// Whether the removal of a device may be in the way of a new event, or the event be one that is in the way of others.
    private func concernsRemovedDevices(_ node: Int) -> Bool {
        guard !deviceRemovals.isEmpty else { return false }
        if let removal = nodes[node].action.deviceRemoval, coversSomething(removal) { return true }
        // What the signer of one has built upon stays.
        return deviceRemovals(of: nodes[node].author).contains {
            $0.signer.device == nodes[node].devices.last || $0.covers(nodes[node].devices, of: nodes[node].author)
        }
    }

    /// Lets a standing event have its effect.
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

    /// Whether who names these events, those of them that are here, has seen an event.
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
    /// What becomes of its target's standing.
    func applied(to old: Standing) -> Standing {
        var new = old
        switch action {
        case .raise(_, let role):
            guard role > old.role else { return old }
            if old.role == .none || old.since == .never { new.since = order }
            new.role = role
            if role >= .member { new.lowering = nil }
        case .lower(_, let role, _):
            guard role < old.role else { return old }
            new.role = role
            if role < .member, old.role >= .member { new.lowering = reference.id }
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: break
        }
        return new
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index of which everything from there on satisfies `isAfter`, which nothing before does.
    package func partitionPoint(_ isAfter: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
