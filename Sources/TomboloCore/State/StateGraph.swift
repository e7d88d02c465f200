/// A state event in the graph.
package struct StateNode: Sendable {
    package let reference: EventReference
    /// The store's ordinal of the event.
    package let ordinal: Int64
    package let author: MemberKey
    /// The devices by which the author's device was admitted, itself last.
    package let devices: [DeviceKey]
    package let action: StateAction
    /// The index of the event's log in the graph.
    let log: Int
    /// The index of the event before in its log; nil for the first.
    let previous: Int?
    /// The indices of the state events that the event names.
    let parents: [Int]
    /// Whether the event stands (protocol 2.6-32).
    package fileprivate(set) var stands = false

    var place: Seniority { Seniority(lamport: reference.lamport, id: reference.id) }
}

/// A log of state events: everything in it is written under one right.
struct StateLog: Sendable {
    let id: LogID
    let author: LogAuthor
    let right: Right
    /// The index of the role change that gives the right; nil if none is needed for it.
    let grant: Int?
    /// The indices of its events, in the order of their insertion: each after the one before in the log.
    var nodes: [Int] = []
    /// Whether two of its events have the same sequence.
    var isForked = false
}

/// The state events of a group, and the state that follows from them.
///
/// Whether an event is valid depends on the right that its log is written under and on nothing else. Whether it stands
/// depends on the set of valid events alone, whatever the order of their arrival (decision 0030).
/// ``resolve()`` finds that out, once for all events of a batch.
package struct StateGraph: Sendable {
    package private(set) var nodes: [StateNode] = []
    private(set) var indexOfID: [EventID: Int] = [:]
    private(set) var logs: [StateLog] = []
    private var indexOfLog: [LogID: Int] = [:]
    /// The state heads: nodes that no other node names.
    private var headIndices: Set<Int> = []
    /// The redactions by the events that they name.
    private var redactionsOfEvent: [EventID: [Int]] = [:]
    private(set) var rekeys: [Int] = []
    /// The role changes of each member, whether they stand or not.
    private(set) var roleChanges: [MemberKey: [Int]] = [:]
    private var checkpoints: [Int] = []
    /// For each checkpoint, held or not: the members that have passed it, with the devices that did so for them.
    private var passes: [EventID: [MemberKey: Set<DeviceKey>]] = [:]
    /// The removals of devices by the members of these devices. They stand, whatever becomes of the members that posted
    /// them. Of several events that post one removal, the one with the strongest right decides (protocol 2.6-29).
    private(set) var deviceRemovals: [MemberKey: [DeviceRemoval: Int]] = [:]
    /// The indices of each member's logs.
    private(set) var logsOfMember: [MemberKey: [Int]] = [:]
    /// The owner that the statement names; nil in public groups, which nobody owns.
    let founder: MemberKey?
    package let policy: Policy
    /// The role of a member that no state event names.
    var defaultRole: Role { policy.defaultRole }

    /// The outcome for the first ``resolved`` nodes.
    private(set) var resolution = StateResolution()
    private var resolved = 0
    /// Whether a node since then may change what stands of others.
    private(set) var isUnresolved = false
    /// For each key the standing settings that no other standing setting of the key names.
    private var settings: [String: Set<Int>] = [:]
    /// The role changes since then that were applied without resolving the state.
    private var appliedAlone = 0
    /// For more of them it is cheaper to resolve the state once.
    private var mostAppliedAlone: Int { 8 + nodes.count / 256 }
    /// The members whose rights may have changed; nil for all.
    private var changedMembers: Set<MemberKey>? = []
    /// Counts the changes of rights.
    package private(set) var changes = 0

    package init(owner: MemberKey, policy: Policy) {
        founder = policy == .public ? nil : owner
        self.policy = policy
    }

    /// Reserves memory for so many events.
    mutating func reserve(_ count: Int) {
        nodes.reserveCapacity(count)
        indexOfID.reserveCapacity(count)
    }

    package func index(of id: EventID) -> Int? { indexOfID[id] }

    // MARK: Inserting

    /// Inserts a state event, if its author had the right to it (protocol 2.6-20).
    ///
    /// ``resolve()`` must be called before the state is read again.
    ///
    /// - Parameters:
    ///   - author: the author of the event's log. The role change that gives its right must have been inserted.
    ///   - previous: the event before in the log, which must have been inserted.
    ///   - parents: other state events that it names. Those that are not in the graph have no effect.
    /// - Returns: the index of its node; nil if the event is invalid.
    package mutating func insert(
        _ reference: EventReference, ordinal: Int64, by author: LogAuthor, _ action: StateAction,
        previous: EventID? = nil, parents: [EventID]
    ) -> Int? {
        guard let right = right(of: author), action.isAllowed(to: right.role, of: author.member) else { return nil }
        let before = previous.flatMap { indexOfID[$0] }
        guard (previous == nil) == (before == nil) else { return nil }
        let node = nodes.count
        let log = index(ofLog: reference.log, by: author, right)
        if let before, nodes[before].log != log { return nil }
        let named = Set(parents.compactMap { indexOfID[$0] } + (before.map { [$0] } ?? []))
        nodes.append(
            StateNode(
                reference: reference, ordinal: ordinal, author: author.member, devices: author.devices, action: action,
                log: log, previous: before, parents: named.sorted()))
        indexOfID[reference.id] = node
        if let last = logs[log].nodes.last, last != before { logs[log].isForked = true }
        logs[log].nodes.append(node)
        file(node)
        headIndices.subtract(named)
        headIndices.insert(node)
        if !isUnresolved { settle(node) }
        return node
    }

    private mutating func index(ofLog id: LogID, by author: LogAuthor, _ right: Right) -> Int {
        if let known = indexOfLog[id] { return known }
        let grant = author.grant.flatMap { indexOfID[$0] }
        logs.append(StateLog(id: id, author: author, right: right, grant: grant))
        logsOfMember[author.member, default: []].append(logs.count - 1)
        indexOfLog[id] = logs.count - 1
        if resolution.hasLeft(author.member) { isUnresolved = true }
        if !isUnresolved { update { $0.note($1.logs.count - 1, of: $1) } }
        return logs.count - 1
    }

    /// Files a node by its action, whether it stands or not.
    private mutating func file(_ node: Int) {
        let event = nodes[node]
        switch event.action {
        case .redact(let redaction): redactionsOfEvent[redaction.event.id, default: []].append(node)
        case .rekey: rekeys.append(node)
        case .checkpoint: checkpoints.append(node)
        case .pass(let checkpoint):
            if let device = event.devices.last {
                passes[checkpoint, default: [:]][event.author, default: []].insert(device)
            }
        case .removeDevice(let removal, _):
            let known = deviceRemovals[removal.member]?[removal]
            if known.map({ decides(node, over: $0, on: removal) }) ?? true {
                deviceRemovals[removal.member, default: [:]][removal] = node
            }
        case .grant(let member, _, _, _), .demote(let member, _, _): roleChanges[member, default: []].append(node)
        case .set, .device, .join: break
        }
    }

    /// Whether one post of a device removal decides over another one.
    private func decides(_ one: Int, over other: Int, on removal: DeviceRemoval) -> Bool {
        let covered = [one, other].map { removal.covers(nodes[$0].devices, of: nodes[$0].author) }
        if covered[0] != covered[1] { return covered[1] }
        let rights = [one, other].map { logs[nodes[$0].log].right }
        return rights[0] == rights[1] ? nodes[one].place < nodes[other].place : rights[1] < rights[0]
    }

    // MARK: Resolving

    /// Finds out whether a new node stands. Most nodes change nothing for other state events.
    private mutating func settle(_ node: Int) {
        let action = nodes[node].action
        isUnresolved =
            action.deviceRemoval != nil || resolution.isCut(nodes[node].log)
            || action.isDemotion && resolution.hasLeft(nodes[node].author)
        guard !isUnresolved else { return }
        nodes[node].stands = update { $0.stands(node, in: $1) }
        guard nodes[node].stands else { return }
        guard let member = action.roleChange?.member, action.isDemotion || mayBringBack(action) else {
            return apply(node)
        }
        isUnresolved = appliedAlone >= mostAppliedAlone || !update { $0.applyAlone(node, in: $1) }
        guard !isUnresolved else { return }
        appliedAlone += 1
        changes += 1
        changedMembers?.insert(member)
    }

    /// Changes the resolution. It is taken out meanwhile: a graph that refers to it too would make each change copy it.
    private mutating func update<Result>(_ change: (inout StateResolution, StateGraph) -> Result) -> Result {
        var taken = StateResolution()
        swap(&taken, &resolution)
        defer { swap(&taken, &resolution) }
        return change(&taken, self)
    }

    /// Whether a grant adopts words, or concerns a member with demotions.
    private func mayBringBack(_ action: StateAction) -> Bool {
        guard case .grant(let member, _, _, let adopted) = action else { return false }
        return !adopted.isEmpty || !resolution.demotions(of: member).isEmpty
    }

    /// Returns the members whose rights may have changed since the last call; nil for all.
    mutating func takeChangedMembers() -> Set<MemberKey>? {
        defer { changedMembers = [] }
        return changedMembers
    }

    private mutating func apply(_ node: Int) {
        switch nodes[node].action {
        case .grant: update { $0.apply(node, in: $1) }
        case .set(let key, _):
            settings[key, default: []].subtract(nodes[node].parents)
            settings[key, default: []].insert(node)
        default: break
        }
    }

    /// Finds out what stands, if new events may have changed that (protocol 2.6-30 to 2.6-42).
    ///
    /// - Returns: the earlier nodes that came to stand, or stand no more.
    package mutating func resolve() -> [Int] {
        defer { (resolved, appliedAlone) = (nodes.count, 0) }
        guard isUnresolved else { return [] }
        isUnresolved = false
        changes += 1
        changedMembers = nil
        resolution = StateResolution(of: self)
        var turned: [Int] = []
        settings = [:]
        for node in nodes.indices {
            let stands = resolution.standing[node]
            if stands != nodes[node].stands, node < resolved { turned.append(node) }
            nodes[node].stands = stands
        }
        var named: Set<Int> = []
        for node in nodes.indices.reversed() where nodes[node].stands {
            guard case .set(let key, _) = nodes[node].action else { continue }
            if !named.contains(node) { settings[key, default: []].insert(node) }
            for parent in nodes[node].parents { if case .set(key, _) = nodes[parent].action { named.insert(parent) } }
        }
        return turned
    }

    // MARK: What the events state

    /// The settings of a key that count: the latest, then those concurrent with it (protocol 2.6-42).
    package func settings(of key: String) -> [StateNode] {
        (settings[key] ?? []).map { nodes[$0] }.sorted { $0.place > $1.place }
    }

    /// The keys that were ever set, ascending.
    package var keys: [String] { settings.keys.filter { settings[$0]?.isEmpty == false }.sorted() }

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

    // MARK: Heads

    /// The state heads that a new event names, the strongest rights first.
    ///
    /// Events that concern their author alone are named if the author was given its right: anyone could write others.
    var heads: [EventReference] {
        headIndices.filter { node in
            let right = logs[nodes[node].log].right
            return nodes[node].stands && (right.since != .never || nodes[node].action.concernsOthers)
        }.sorted {
            let (one, other) = (logs[nodes[$0].log].right, logs[nodes[$1].log].right)
            return one == other ? nodes[$0].place > nodes[$1].place : other < one
        }.map { nodes[$0].reference }
    }

    /// Whether an author that names these events, as far as they are held, has seen an event.
    package func hasSeen(_ event: EventID, from heads: [EventID]) -> Bool {
        guard let node = indexOfID[event] else { return false }
        var (open, found) = (heads.compactMap { indexOfID[$0] }, Set<Int>())
        while let next = open.popLast() {
            if next == node { return true }
            // An event comes after all that it names.
            if next > node, found.insert(next).inserted { open += nodes[next].parents }
        }
        return false
    }
}

extension StateAction {
    /// Whether the action changes the state for other members.
    fileprivate var concernsOthers: Bool {
        switch self {
        case .grant, .demote, .set, .redact, .rekey, .removeDevice, .checkpoint: true
        case .device, .pass, .join: false
        }
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
