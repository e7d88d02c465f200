/// The action of a state event (protocol 2.6-5 to 2.6-15).
package enum StateAction: Hashable, Sendable {
    /// Gives a member a role, whatever the named demotions of the member say. It may adopt words that the member had
    /// written without a right, up to the named events.
    case grant(MemberKey, Role, superseding: [EventID], adopting: [LogPosition])
    /// Lowers a member's rights to a role. Its author is an admin, or the member itself, which thereby leaves.
    ///
    /// `kept` names the latest events of the member's logs that the author had seen. Where the demotion takes the right
    /// that a log is written under, the log ends with these.
    case demote(MemberKey, to: Role, kept: [LogPosition])
    /// Sets a key of the group's state; nil removes it.
    case set(key: String, value: [UInt8]?)
    /// Redacts the content of an event. Its author is the event's author, or an admin.
    case redact(Redaction)
    /// Begins a secret that contents are encrypted under.
    case rekey(Rekey)
    /// States the X25519 key to which shares of secrets are encrypted for the author's device.
    case device(Bytes32)
    /// Posts a removal of a member's device. Every reader may post it. It names the last events that the poster knew of
    /// the removed devices' logs in this group.
    case removeDevice(DeviceRemoval, kept: [LogPosition])
    /// Proposes to forget the beginnings of logs once every named member has passed the checkpoint.
    case checkpoint(Checkpoint)
    /// Passes a checkpoint: the author's device holds the named logs, and nothing to be forgotten has a content left.
    case pass(EventID)
    /// Joins state heads, where they are more than one event can name.
    case join

    /// The group's own keys, which only admins set.
    package static let groupKeys: Set<String> = ["title", "topic", expiryKey]
    /// The key of the longest time that contents last. Its value is milliseconds in decimal digits (protocol 2.7-4).
    package static let expiryKey = "expiry"

    /// The value of ``expiryKey`` in milliseconds; nil, so that contents last for ever, unless it is 1 to 20 decimal digits
    /// for a number above 0 that fits 64 bits.
    package static func expiry(_ value: [UInt8]) -> UInt64? {
        guard value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(String(decoding: value, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The member whose role the action states, and that role; nil if it is no role change.
    var roleChange: (member: MemberKey, role: Role)? {
        switch self {
        case .grant(let member, let role, _, _), .demote(let member, let role, _): (member, role)
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: nil
        }
    }

    /// Whether the action has a value that is encrypted in private groups. The value of ``expiryKey`` is not, since
    /// engines need it.
    var isSealable: Bool {
        if case .set(let key, .some) = self { key != Self.expiryKey } else { false }
    }

    package var isDemotion: Bool { if case .demote = self { true } else { false } }

    /// Whether the action may exclude events of others: a demotion or a device removal.
    package var takesAway: Bool { isDemotion || deviceRemoval != nil }

    /// The device removal that the action posts; nil for other actions.
    package var deviceRemoval: DeviceRemoval? { if case .removeDevice(let removal, _) = self { removal } else { nil } }

    /// The kind of the event that carries the action.
    package var kind: EventKind {
        switch self {
        case .grant, .demote: .membership
        case .set, .join: .setting
        case .redact: .redaction
        case .rekey: .rekey
        case .device: .device
        case .removeDevice: .deviceRemoval
        case .checkpoint, .pass: .checkpoint
        }
    }

    /// Whether a log that is written under a right to this role may contain the action (protocol 2.6-20).
    func isAllowed(to role: Role, of author: MemberKey) -> Bool {
        switch self {
        case .grant(_, let new, _, _): role >= .admin && new > .none && (new < role || role == .owner)
        case .demote(let target, let new, _): new < role && (target == author || role >= .admin)
        case .set(let key, _): role >= (Self.groupKeys.contains(key) ? .admin : .member)
        case .redact(let redaction): role >= (redaction.author == author ? .reader : .admin)
        case .rekey, .pass: role >= .member
        case .checkpoint: role >= .admin
        case .device, .removeDevice, .join: role >= .reader
        }
    }
}

/// The redaction of an event's content, with a reason (protocol 2.6-10).
package struct Redaction: Hashable, Sendable {
    package var event: LogPosition
    /// The member whose log holds the event. A redaction that names another member redacts nothing.
    package var author: MemberKey
    package var reason: String

    package init(of event: LogPosition, by author: MemberKey, reason: String) {
        self.event = event
        self.author = author
        self.reason = reason
    }
}

/// A name of an event by its place in a log (protocol 2.6-4).
package struct LogPosition: Hashable, Sendable {
    package var log: LogID
    package var sequence: UInt64
    package var id: EventID

    package init(log: LogID, sequence: UInt64, id: EventID) {
        self.log = log
        self.sequence = sequence
        self.id = id
    }
}

extension StateAction {
    private enum Verb: UInt8 { case grant = 1, demote }
    private enum CheckpointVerb: UInt8 { case checkpoint = 1, pass }

    /// The content of the event (protocol 2.6-5 to 2.6-15).
    package var encoded: [UInt8] {
        switch self {
        case .grant(let member, let role, let superseded, let adopted):
            var buffer = [Verb.grant.rawValue] + member.bytes + [role.rawValue]
            buffer.append(varint: superseded.count)
            for id in superseded { buffer += id.bytes }
            for position in adopted { buffer.append(position) }
            return buffer
        case .demote(let member, let role, let kept):
            var buffer = [Verb.demote.rawValue] + member.bytes + [role.rawValue]
            for position in kept.prefix(Limits.keptLogs) {
                buffer.append(position)
            }
            return buffer
        case .set(let key, let value):
            return [UInt8(key.utf8.count)] + key.utf8 + [value == nil ? 0 : 1] + (value ?? [])
        case .redact(let redaction):
            var buffer: [UInt8] = []
            buffer.append(redaction.event)
            return buffer + redaction.author.bytes + redaction.reason.utf8
        case .rekey(let rekey): return rekey.encoded
        case .device(let key): return key.bytes
        case .removeDevice(let removal, let kept):
            let encoded = removal.encoded
            var buffer: [UInt8] = []
            buffer.append(varint: encoded.count)
            buffer += encoded
            for position in kept { buffer.append(position) }
            return buffer
        case .checkpoint(let checkpoint): return [CheckpointVerb.checkpoint.rawValue] + checkpoint.encoded
        case .pass(let checkpoint): return [CheckpointVerb.pass.rawValue] + checkpoint.bytes
        case .join: return []
        }
    }

    /// Decodes the content of a state event.
    ///
    /// - Throws: `WireError` if the layout is not that of protocol 2.6 for this kind.
    package init(decoding content: Bytes, kind: EventKind) throws(WireError) {
        var reader = WireReader(content)
        if kind == .membership {
            let verb = Verb(rawValue: try reader.byte())
            let member = MemberKey(try reader.bytes32())
            guard let role = Role(rawValue: try reader.byte()) else { throw .invalid("a role", offset: reader.offset) }
            switch verb {
            case .grant:
                var superseded: [EventID] = []
                for _ in 0..<(try reader.varint(atMost: Limits.supersededDemotions, "superseded demotions")) {
                    let id = EventID(try reader.bytes32())
                    guard superseded.last.map({ $0 < id }) ?? true else {
                        throw .invalid("the order of superseded demotions", offset: reader.offset)
                    }
                    superseded.append(id)
                }
                let adopted = try LogPosition.list(reading: &reader, atMost: Limits.keptLogs)
                self = .grant(member, role, superseding: superseded, adopting: adopted)
            case .demote:
                let kept = try LogPosition.list(reading: &reader, atMost: Limits.keptLogs)
                self = .demote(member, to: role, kept: kept)
            case nil: throw .invalid("the kind of a role change", offset: 0)
            }
        } else if kind == .redaction {
            let event = try LogPosition(reading: &reader)
            let author = MemberKey(try reader.bytes32())
            let bytes = reader.rest()
            guard bytes.count <= Limits.reason else { throw .tooLarge("a reason", limit: Limits.reason) }
            guard let reason = String(validating: bytes, as: UTF8.self) else {
                throw .invalid("a reason", offset: reader.offset)
            }
            self = .redact(Redaction(of: event, by: author, reason: reason))
        } else if kind == .rekey {
            self = .rekey(try Rekey(reading: &reader))
        } else if kind == .device {
            self = .device(try reader.bytes32())
        } else if kind == .deviceRemoval {
            let encoded = try reader.take(try reader.varint(atMost: Limits.content, "a device removal"))
            let removal = try DeviceRemoval(decoding: encoded)
            self = .removeDevice(removal, kept: try LogPosition.list(reading: &reader, atMost: Limits.keptLogs))
        } else if kind == .checkpoint {
            switch CheckpointVerb(rawValue: try reader.byte()) {
            case .checkpoint: self = .checkpoint(try Checkpoint(reading: &reader))
            case .pass: self = .pass(EventID(try reader.bytes32()))
            case nil: throw .invalid("the kind of a checkpoint action", offset: 0)
            }
        } else if content.isEmpty {
            self = .join
        } else {
            let bytes = try reader.take(Int(try reader.byte()))
            guard let key = String(validating: bytes, as: UTF8.self), !key.isEmpty else {
                throw .invalid("a key", offset: reader.offset)
            }
            switch try reader.byte() {
            case 0: self = .set(key: key, value: nil)
            case 1:
                let value = reader.rest()
                guard value.count <= Limits.stateValue else { throw .tooLarge("a value", limit: Limits.stateValue) }
                self = .set(key: key, value: Array(value))
            default: throw .invalid("the presence of a value", offset: reader.offset)
            }
        }
        guard reader.isAtEnd else { throw .invalid("data after an action", offset: reader.offset) }
    }
}

extension LogPosition {
    package init(_ event: EventReference) { self.init(log: event.log, sequence: event.sequence, id: event.id) }

    /// Positions up to the end.
    static func list(reading reader: inout WireReader, atMost limit: Int) throws(WireError) -> [LogPosition] {
        var positions: [LogPosition] = []
        while !reader.isAtEnd {
            guard positions.count < limit else { throw .tooLarge("positions", limit: limit) }
            positions.append(try LogPosition(reading: &reader))
        }
        return positions
    }

    init(reading reader: inout WireReader) throws(WireError) {
        self.init(
            log: LogID(try reader.bytes32()), sequence: try reader.integer(), id: EventID(try reader.bytes32()))
    }
}

extension [UInt8] {
    mutating func append(_ position: LogPosition) {
        append(position.log)
        append(varint: position.sequence)
        append(position.id)
    }
}
