/// The outcome of resolving a group's state: which state events stand, and what demotions leave of rights and logs
/// (protocol 2.6-30 to 2.6-46, decision 0030).
///
/// Rights are taken from the strongest to the weakest. The role change that gives a right is an event of a stronger
/// right, and so are the demotions that cut its state logs. So each right is resolved once.
struct StateResolution: Sendable {
    /// Whether each node stands.
    private(set) var standing: [Bool] = []
    /// For each state log the part that stands.
    private var parts: [WantedPart] = []
    private var grants: [MemberKey: [Int]] = [:]
    private var demotions: [MemberKey: Demotions] = [:]
    /// Members with standing demotions that do not act.
    private var protected: Set<MemberKey> = []

    init() {}

    /// Resolves a graph anew.
    init(of graph: StateGraph) {
        let logs = graph.logs
        standing = [Bool](repeating: false, count: graph.nodes.count)
        parts = [WantedPart](repeating: .nothing, count: logs.count)
        let order = logs.indices.sorted { one, other in
            let (left, right) = (logs[one], logs[other])
            return left.right == right.right ? left.author.member < right.author.member : right.right < left.right
        }
        var first = 0
        while first < order.count {
            let (right, member) = (logs[order[first]].right, logs[order[first]].author.member)
            let next = order[first...].firstIndex { logs[$0].right != right || logs[$0].author.member != member }
            resolve(Array(order[first..<(next ?? order.count)]), in: graph)
            first = next ?? order.count
        }
    }

    /// Resolves the logs of one right.
    private mutating func resolve(_ logs: [Int], in graph: StateGraph) {
        var (stands, leaving): ([Int], [(log: Int, node: Int)]) = ([], [])
        for log in logs {
            parts[log] = part(ofStateLog: log, in: graph)
            for node in kept(ofLog: log, in: graph) {
                stands.append(node)
                if graph.nodes[node].isOwnDemotion { leaving.append((log, node)) }
            }
        }
        if !leaving.isEmpty {
            // A member that has left changes no state any more. Its departures do not cut each other.
            for log in logs { leave(log, leaving.map(\.node), in: graph) }
            let left = Set(logs.flatMap { kept(ofLog: $0, in: graph) }).union(leaving.map(\.node))
            stands = stands.filter(left.contains)
        }
        for node in stands {
            standing[node] = true
            apply(node, in: graph)
        }
        for log in logs {
            for node in graph.logs[log].nodes where standsAlways(node, in: graph) { standing[node] = true }
        }
    }

    private mutating func leave(_ log: Int, _ departures: [Int], in graph: StateGraph) {
        var cuts: [[LogPosition]] = []
        if case .upTo(let known) = parts[log] { cuts = known }
        if parts[log] == .nothing { return }
        let id = graph.logs[log].id
        for node in departures {
            guard case .demote(_, _, let kept) = graph.nodes[node].action else { continue }
            var ends = kept.filter { $0.log == id }
            if graph.nodes[node].log == log { ends.append(LogPosition(graph.nodes[node].reference)) }
            cuts.append(ends)
        }
        parts[log] = WantedPart(cuts)
    }

    private func kept(ofLog log: Int, in graph: StateGraph) -> [Int] {
        switch parts[log] {
        case .everything: return graph.logs[log].nodes
        case .nothing: return []
        case .upTo(let cuts):
            var finder = KeptNodes(in: graph.logs[log], graph.nodes)
            let kept = finder.kept(by: cuts)
            return graph.logs[log].nodes.filter(kept.contains)
        }
    }

    /// Whether an event stands whatever becomes of its author's rights: a device removal proves itself, and everyone may
    /// redact events of their own, except from a removed device.
    private func standsAlways(_ node: Int, in graph: StateGraph) -> Bool {
        switch graph.nodes[node].action {
        case .removeDevice: return true
        case .redact(let redaction):
            guard redaction.author == graph.nodes[node].author else { return false }
            let log = graph.logs[graph.nodes[node].log]
            let removals = graph.removalCuts(ofLog: log.id, by: log.author)
            guard !removals.isEmpty else { return true }
            var finder = KeptNodes(in: log, graph.nodes)
            return finder.kept(by: removals).contains(node)
        case .grant, .demote, .set, .rekey, .device, .checkpoint, .pass, .join: return false
        }
    }

    // MARK: One event more

    /// Notes a log that was added to the graph.
    mutating func note(_ log: Int, of graph: StateGraph) { parts.append(part(ofStateLog: log, in: graph)) }

    /// Whether demotions or device removals end a log.
    func isCut(_ log: Int) -> Bool { if case .upTo = parts[log] { true } else { false } }

    /// Whether a new node of a log that is not cut stands.
    mutating func stands(_ node: Int, in graph: StateGraph) -> Bool {
        let stands = parts[graph.nodes[node].log] == .everything || standsAlways(node, in: graph)
        standing.append(stands)
        return stands
    }

    /// Applies a new role change that stands, if it changes nothing that other state events rest on.
    ///
    /// That is the ordinary case: a demotion keeps everything that its member has written.
    /// - Returns: false, and nothing changed, if the state has to be resolved anew.
    mutating func applyAlone(_ node: Int, in graph: StateGraph) -> Bool {
        let right = graph.logs[graph.nodes[node].log].right
        switch graph.nodes[node].action {
        case .grant(let member, _, _, _):
            // The member must not come to rank above the author of a demotion.
            if let weakest = demotions[member]?.all.last?.right, !(graph.right(givenBy: node) < weakest) {
                return false
            }
            grants[member, default: []].append(node)
            return true
        case .demote(let member, let role, let kept):
            guard graph.nodes[node].author != member, !protected.contains(member),
                !hasRight(member, above: right, in: graph)
            else { return false }
            let former = demotions[member]
            demotions[member, default: Demotions()].insert(
                Demotion(node: node, right: right, role: role, isOwn: false), kept, in: graph)
            var changed: [Int: WantedPart] = [:]
            for log in graph.logsOfMember[member] ?? [] {
                let part = part(ofStateLog: log, in: graph)
                guard part != parts[log] else { continue }
                if case .upTo(let cuts) = part {
                    var finder = KeptNodes(in: graph.logs[log], graph.nodes)
                    let kept = finder.kept(by: cuts)
                    if graph.logs[log].nodes.allSatisfy({ kept.contains($0) == standing[$0] }) {
                        changed[log] = part
                        continue
                    }
                }
                demotions[member] = former
                return false
            }
            for (log, part) in changed { parts[log] = part }
            if role > .none { grants[member, default: []].append(node) }
            return true
        default: return false
        }
    }

    /// Applies a standing role change. Demotions come from the strongest author to the weakest.
    mutating func apply(_ node: Int, in graph: StateGraph) {
        guard let (member, role) = graph.nodes[node].action.roleChange else { return }
        if role > .none { grants[member, default: []].append(node) }
        if case .demote(_, _, let kept) = graph.nodes[node].action {
            let right = graph.logs[graph.nodes[node].log].right
            let isOwn = graph.nodes[node].author == member
            // A demotion acts on members that rank below its author, all other demotions considered.
            guard isOwn || !hasRight(member, above: right, in: graph) else {
                protected.insert(member)
                return
            }
            var kept = kept
            if isOwn { kept.append(LogPosition(graph.nodes[node].reference)) }
            demotions[member, default: Demotions()].append(
                Demotion(node: node, right: right, role: role, isOwn: isOwn), kept)
        }
    }

    private func hasRight(_ member: MemberKey, above right: Right, in graph: StateGraph) -> Bool {
        if let implied = graph.impliedRight(of: member), right < implied,
            !isLowered(implied, of: member, nil, in: graph)
        {
            return true
        }
        return (grants[member] ?? []).contains { grant in
            let own = graph.right(givenBy: grant)
            return right < own && !isLowered(own, of: member, grant, in: graph)
        }
    }

    // MARK: Rights

    /// The members that a demotion lowers.
    var demotedMembers: Dictionary<MemberKey, Demotions>.Keys { demotions.keys }

    var members: Set<MemberKey> { Set(grants.keys).union(demotions.keys) }

    /// The standing role changes that give a member a right.
    func roleChanges(of member: MemberKey) -> [Int] { grants[member] ?? [] }

    /// The demotions of a member that act, the strongest author's first.
    func demotions(of member: MemberKey) -> [Int] { demotions[member]?.all.map(\.node) ?? [] }

    /// Whether a member has demoted itself.
    func hasLeft(_ member: MemberKey) -> Bool { demotions[member]?.all.contains(where: \.isOwn) ?? false }

    /// Whether a demotion lowers a right (protocol 2.6-35).
    func isLowered(_ right: Right, of member: MemberKey, _ grant: Int?, in graph: StateGraph) -> Bool {
        guard let demotions = demotions[member] else { return false }
        return demotions.count(below: right.role, besides: superseded(by: grant, of: member, in: graph)) > 0
    }

    /// The demotions of a member whose effect a grant takes from the right that it gives (protocol 2.6-22).
    func superseded(by grant: Int?, of member: MemberKey, in graph: StateGraph) -> Set<Int> {
        guard let grant, case .grant(_, _, let named, _) = graph.nodes[grant].action, !named.isEmpty else { return [] }
        let author = graph.nodes[grant].author
        let right = graph.logs[graph.nodes[grant].log].right
        return Set(
            named.compactMap(graph.index(of:)).filter { node in
                let demotion = graph.nodes[node]
                guard case .demote(member, _, _) = demotion.action else { return false }
                return graph.isSuperseded(demotion, of: member, byGrantOf: author, under: right)
            })
    }

    /// Whether a role change stands. One that came since is not resolved yet.
    private func isStanding(_ grant: Int) -> Bool { grant < standing.count && standing[grant] }

    // MARK: Cuts

    /// The part of a state log that demotions by stronger rights and device removals leave.
    private func part(ofStateLog log: Int, in graph: StateGraph) -> WantedPart {
        let (id, right, author) = (graph.logs[log].id, graph.logs[log].right, graph.logs[log].author)
        let grant = graph.logs[log].grant
        if let grant, !isStanding(grant) { return .nothing }
        var cuts: [[LogPosition]] = []
        if let demotions = demotions[author.member] {
            let superseded = superseded(by: grant, of: author.member, in: graph)
            let count = demotions.count(below: right.role, strongerThan: right, besides: superseded)
            cuts = demotions.kept(ofLog: id, below: right.role, strongerThan: right, besides: superseded)
            if cuts.count < count { return .nothing }
        }
        return WantedPart(cuts + graph.removalCuts(ofLog: id, by: author))
    }

    /// The part of a log of the conversation that is wanted (protocol 2.6-43 to 2.6-46).
    func part(ofLog log: LogID, by author: LogAuthor, _ right: Right, in graph: StateGraph) -> WantedPart {
        let grant = author.grant.flatMap(graph.index(of:))
        var cuts: [[LogPosition]] = []
        if let grant, !isStanding(grant) { cuts = [[]] }
        if let demotions = demotions[author.member], cuts.isEmpty {
            let superseded = superseded(by: grant, of: author.member, in: graph)
            let limit = min(right.role, .member)
            let count = demotions.count(below: limit, ofOthers: true, besides: superseded)
            cuts = demotions.kept(ofLog: log, below: limit, ofOthers: true, besides: superseded)
            if cuts.count < count { cuts.append([]) }
        }
        if !cuts.isEmpty {
            let adopted = adopted(ofLog: log, of: author.member, in: graph)
            if !adopted.isEmpty { cuts = cuts.map { $0 + adopted } }
        }
        return WantedPart(cuts + graph.removalCuts(ofLog: log, by: author))
    }

    /// The events up to which grants in force adopt a log of the conversation.
    private func adopted(ofLog log: LogID, of member: MemberKey, in graph: StateGraph) -> [LogPosition] {
        (grants[member] ?? []).flatMap { grant -> [LogPosition] in
            guard case .grant(_, let role, _, let adopted) = graph.nodes[grant].action, role >= .member,
                !isLowered(graph.right(givenBy: grant), of: member, grant, in: graph)
            else { return [] }
            return adopted.filter { $0.log == log }
        }
    }
}

extension StateNode {
    fileprivate var isOwnDemotion: Bool { if case .demote(author, _, _) = action { true } else { false } }
}
