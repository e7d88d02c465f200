/// The action of a state event (protocol 2.6-5 to 2.6-15).
package enum StateAction: Hashable, Sendable {
    /// Gives a member a higher role.
    case promote(MemberKey, to: Role)
    /// Gives a member a lower role. Its author is an admin, or the member itself, which thereby leaves.
    ///
    /// `kept` names the latest events of the member's logs that the author had seen. All others are held back once the
    /// member may not write.
    case demote(MemberKey, to: Role, kept: [LogPosition])
    /// Sets a key of the group's state; nil removes it.
    case set(key: String, value: [UInt8]?)
    /// Redacts the content of an event. Its author is the event's author, or an admin.
    case redact(Redaction)
    /// Begins a secret that contents are encrypted under. The value is the commitment to the secret.
    case rekey(Bytes32)
    /// States the X25519 key to which shares of secrets are encrypted for the author's device.
    case device(Bytes32)
    /// Posts a removal of a member's device. Every reader may post it.
    case removeDevice(DeviceRemoval)
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

    /// The member whose role the action changes.
    var target: MemberKey? {
        switch self {
        case .promote(let member, _), .demote(let member, _, _): member
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: nil
        }
    }

    /// Whether the action has a value that is encrypted in private groups. The value of ``expiryKey`` is not, since
    /// engines need it.
    var isSealable: Bool {
        if case .set(let key, .some) = self { key != Self.expiryKey } else { false }
    }

    package var isDemotion: Bool { if case .demote = self { true } else { false } }

    /// Whether the action may exclude events that are concurrent with it: a demotion or a device removal.
    package var takesAway: Bool { isDemotion || deviceRemoval != nil }

    /// The device removal that the action posts; nil for other actions.
    package var deviceRemoval: DeviceRemoval? { if case .removeDevice(let removal) = self { removal } else { nil } }

    /// The kind of the event that carries the action.
    package var kind: EventKind {
        switch self {
        case .promote, .demote: .membership
        case .set, .join: .setting
        case .redact: .redaction
        case .rekey: .rekey
        case .device: .device
        case .removeDevice: .deviceRemoval
        case .checkpoint, .pass: .checkpoint
        }
    }

    /// Whether a member with this role has the right to the action, apart from what depends on the target's standing
    /// (protocol 2.6-20).
    func isAllowed(to role: Role, of author: MemberKey) -> Bool {
        switch self {
        case .promote(_, let new): role >= .admin && (new < role || role == .owner)
        case .demote(let target, let new, _): target == author ? new < role : role >= .admin
        case .set(let key, _): role >= (Self.groupKeys.contains(key) ? .admin : .member)
        case .redact(let redaction): role >= .admin || redaction.author == author
        case .rekey, .pass: role >= .member
        case .checkpoint: role >= .admin
        case .device, .removeDevice: role >= .reader
        case .join: true
        }
    }

    /// Whether an author has the right to the action, given its own strength and the target's standing
    /// (protocol 2.6-20, 2.6-21).
    func isAllowed(to author: Strength, on target: Standing?) -> Bool {
        guard isAllowed(to: author.standing.role, of: author.member) else { return false }
        guard let member = self.target, let target else { return true }
        switch self {
        case .promote(_, let new): return new > target.role
        case .demote(_, let new, _):
            guard new < target.role else { return false }
            return member == author.member || Strength(standing: target, member: member) < author
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: return true
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
    private enum Verb: UInt8 { case promote = 1, demote }
    private enum CheckpointVerb: UInt8 { case checkpoint = 1, pass }

    /// The content of the event (protocol 2.6-5 to 2.6-15).
    package var encoded: [UInt8] {
        switch self {
        case .promote(let member, let role): return [Verb.promote.rawValue] + member.bytes + [role.rawValue]
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
        case .rekey(let commitment): return commitment.bytes
        case .device(let key): return key.bytes
        case .removeDevice(let removal): return removal.encoded
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
            case .promote: self = .promote(member, to: role)
            case .demote:
                var kept: [LogPosition] = []
                while !reader.isAtEnd {
                    guard kept.count < Limits.keptLogs else { throw .tooLarge("kept logs", limit: Limits.keptLogs) }
                    kept.append(try LogPosition(reading: &reader))
                }
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
            self = .rekey(try reader.bytes32())
        } else if kind == .device {
            self = .device(try reader.bytes32())
        } else if kind == .deviceRemoval {
            self = .removeDevice(try DeviceRemoval(decoding: reader.rest()))
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
