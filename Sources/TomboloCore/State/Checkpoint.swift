/// A proposal to forget the beginnings of logs, headers included, once every named member has passed it
/// (protocol 2.11-1).
package struct Checkpoint: Hashable, Sendable {
    /// For each log the sequence up to which it may be forgotten. Ascending by log, at most ``Limits/checkpointLogs``.
    package var floors: [LogFloor]
    /// The members that have to pass it, besides its author. Ascending, at most ``Limits/checkpointMembers``.
    package var members: [MemberKey]

    package init(floors: [LogFloor], members: [MemberKey]) {
        (self.floors, self.members) = (floors, members)
    }

    package struct LogFloor: Hashable, Sendable {
        package var log: LogID
        package var sequence: UInt64

        package init(log: LogID, sequence: UInt64) { (self.log, self.sequence) = (log, sequence) }
    }

    /// Whether all members that it names are among those that have passed it.
    func isPassed(by passed: [MemberKey: Set<DeviceKey>]) -> Bool { members.allSatisfy { passed[$0] != nil } }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: members.count)
        for member in members { buffer.append(contentsOf: member.bytes) }
        for floor in floors {
            buffer.append(floor.log)
            buffer.append(varint: floor.sequence)
        }
        return buffer
    }

    init(reading reader: inout WireReader) throws(WireError) {
        (floors, members) = ([], [])
        for _ in 0..<(try reader.varint(atMost: Limits.checkpointMembers, "members")) {
            let member = MemberKey(try reader.bytes32())
            guard members.last.map({ $0 < member }) ?? true else {
                throw .invalid("the order of members", offset: reader.offset)
            }
            members.append(member)
        }
        while !reader.isAtEnd {
            guard floors.count < Limits.checkpointLogs else { throw .tooLarge("floors", limit: Limits.checkpointLogs) }
            let floor = LogFloor(log: LogID(try reader.bytes32()), sequence: try reader.integer())
            guard floor.sequence >= 1, floors.last.map({ $0.log < floor.log }) ?? true else {
                throw .invalid("a floor", offset: reader.offset)
            }
            floors.append(floor)
        }
    }
}
