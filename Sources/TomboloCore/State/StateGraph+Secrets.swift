// The secrets that contents may be encrypted under (protocol 2.8-12 to 2.8-19).
extension StateGraph {
    /// The ids of all rekey events, in the order of their arrival.
    var rekeyEvents: [EventID] { rekeys.map { nodes[$0].reference.id } }

    /// The standing rekey events that state the given exclusions, the latest first (protocol 2.8-12).
    package func rekeys(stating exclusions: Bytes32) -> [StateNode] {
        rekeys.map { nodes[$0] }.filter {
            if case .rekey(let rekey) = $0.action { $0.stands && rekey.exclusions == exclusions } else { false }
        }.sorted { $0.place > $1.place }
    }

    /// The acts after which members or devices must not know the secrets of new contents, ascending (protocol 2.8-13):
    ///
    /// - The rights that members had to read, and have no more.
    /// - The demotions of admins: grants may have fallen with them.
    /// - The removed devices.
    package var exclusions: [Bytes32] {
        var found: Set<Bytes32> = []
        for member in resolution.demotedMembers {
            let (role, rights) = (standing(of: member).role, rights(of: member))
            if role < .reader {
                for (grant, right) in rights where right.role >= .reader {
                    found.insert(grant.map { nodes[$0].reference.id.value } ?? member.value)
                }
            }
            if rights.contains(where: { $0.right.role >= .admin }) {
                for demotion in demotions(of: member)
                where demotion.action.roleChange.map({ $0.role < .admin }) ?? false {
                    found.insert(demotion.reference.id.value)
                }
            }
        }
        for (member, removals) in deviceRemovals {
            // The devices that have written state.
            for devices in Set((logsOfMember[member] ?? []).map { logs[$0].author.devices }) {
                for (removal, post) in removals where removal.covers(devices, of: member) {
                    if let device = devices.last { found.insert(device.value) }
                    if standing(of: member).role >= .admin { found.insert(nodes[post].reference.id.value) }
                }
            }
        }
        return found.sorted()
    }

    /// The last events of the state logs that contain standing role changes, the longest logs first.
    var knownRoleChanges: [LogPosition] {
        var found: [Int: LogPosition] = [:]
        for member in resolution.members {
            for node in resolution.roleChanges(of: member) + resolution.demotions(of: member) {
                let log = nodes[node].log
                if found[log] == nil { found[log] = logs[log].nodes.last.map { LogPosition(nodes[$0].reference) } }
            }
        }
        return found.values.sorted { ($0.sequence, $0.log) > ($1.sequence, $1.log) }
    }

    /// The number of role changes of a member.
    func countOfRoleChanges(of member: MemberKey) -> Int { roleChanges[member]?.count ?? 0 }

    /// Whether a rekey event's secret is open to a member that may read (protocol 2.8-15).
    ///
    /// Where history is not shared, the secret is closed unless the member could read by the role changes that the
    /// author of the rekey event knew. Later acts do not change that.
    package func isOpen(_ rekey: EventID, to member: MemberKey) -> Bool {
        guard !policy.sharesHistory, let node = indexOfID[rekey], case .rekey(let rekey) = nodes[node].action else {
            return true
        }
        let known = (roleChanges[member] ?? []).filter { rekey.covers(nodes[$0].reference) }
        let closing = known.filter { nodes[$0].action.isDemotion && right(givenBy: $0).role < .reader }
        var rights = known.filter { right(givenBy: $0).role >= .reader }.map {
            (grant: Int?.some($0), right(givenBy: $0))
        }
        if let implied = impliedRight(of: member), implied.role >= .reader { rights.append((nil, implied)) }
        return rights.contains { grant, right in
            closing.allSatisfy { demotion in
                if nodes[demotion].author != member, logs[nodes[demotion].log].right < right { return true }
                guard let grant, case .grant(_, _, let superseded, _) = nodes[grant].action else { return false }
                return superseded.contains(nodes[demotion].reference.id)
            }
        }
    }

    /// Whether a rekey event's secret is open to all members that may read.
    func isOpenToAll(_ rekey: EventID) -> Bool {
        guard !policy.sharesHistory else { return true }
        return members.allSatisfy { $0.standing.role < .reader || isOpen(rekey, to: $0.member) }
    }
}
