/// What a state event does (protocol §2.6).
package enum StateAction: Hashable, Sendable {
    /// Gives a member a higher role.
    case raise(MemberKey, to: Role)
    /// Takes rights away from a member: by an admin, or by the member itself, who thereby leaves.
    ///
    /// `kept`: the latest events of the member's logs that its author had seen. What does not stand behind one of them is held back
    /// once the member may not write any more.
    case lower(MemberKey, to: Role, kept: [LogPosition])
    /// Sets a key of the group's state; nil removes it.
    case set(key: String, value: [UInt8]?)
    /// Takes the content of an event back: by its author, or by an admin.
    case redact(Redaction)
    /// Begins a secret that contents are sealed under, of which this is the hash.
    case rekey(Bytes32)
    /// Says what shares of secrets for this device are sealed to: an X25519 key.
    case device(Bytes32)
    /// Posts a member's statement that one of its devices is lost: anybody who reads can.
    case removeDevice(DeviceRemoval)
    /// Says what may be forgotten once every member has passed it.
    case checkpoint(Checkpoint)
    /// Says that on a device of its author's nothing is left below a checkpoint that says anything, nor missing.
    case pass(EventID)
    /// Joins more state heads than one event can name.
    case join

    /// The keys that are the group's own: admins set them.
    package static let groupKeys: Set<String> = ["title", "topic", expiryKey]
    /// After how many milliseconds, in decimal digits, what is said goes away.
    package static let expiryKey = "expiry"

    /// The value of that key in milliseconds; nil if it is no number above 0.
    package static func expiry(_ value: [UInt8]) -> UInt64? {
        UInt64(String(decoding: value, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The member whose role changes.
    var target: MemberKey? {
        switch self {
        case .raise(let member, _), .lower(let member, _, _): member
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: nil
        }
    }

    /// Whether it has something to seal in a private group: a value that engines need not know.
    var isSealable: Bool {
        if case .set(let key, .some) = self { key != Self.expiryKey } else { false }
    }

    package var isLowering: Bool { if case .lower = self { true } else { false } }

    /// Whether something that is concurrent with it may have no effect for it.
    package var takesAway: Bool { isLowering || deviceRemoval != nil }

    /// The statement that it posts.
    package var deviceRemoval: DeviceRemoval? { if case .removeDevice(let removal) = self { removal } else { nil } }

    /// The kind of the event that carries it.
    package var kind: EventKind {
        switch self {
        case .raise, .lower: .membership
        case .set, .join: .setting
        case .redact: .redaction
        case .rekey: .rekey
        case .device: .device
        case .removeDevice: .deviceRemoval
        case .checkpoint, .pass: .checkpoint
        }
    }

    /// Whether who has a role may do it, as far as that does not depend on the target's.
    func isAllowed(to role: Role, of author: MemberKey) -> Bool {
        switch self {
        case .raise(_, let new): role >= .admin && (new < role || role == .owner)
        case .lower(let target, let new, _): target == author ? new < role : role >= .admin
        case .set(let key, _): role >= (Self.groupKeys.contains(key) ? .admin : .member)
        case .redact(let redaction): role >= .admin || redaction.author == author
        case .rekey, .pass: role >= .member
        case .checkpoint: role >= .admin
        case .device, .removeDevice: role >= .reader
        case .join: true
        }
    }

    /// Whether an author may do it, both being what they are.
    func isAllowed(to author: Strength, on target: Standing?) -> Bool {
        guard isAllowed(to: author.standing.role, of: author.member) else { return false }
        guard let member = self.target, let target else { return true }
        switch self {
        case .raise(_, let new): return new > target.role
        case .lower(_, let new, _):
            guard new < target.role else { return false }
            return member == author.member || Strength(standing: target, member: member) < author
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: return true
        }
    }
}

/// An event whose content is taken back, and why.
package struct Redaction: Hashable, Sendable {
    package var event: LogPosition
    /// The member in whose log it stands: only so is it meant.
    package var author: MemberKey
    package var reason: String

    package init(of event: LogPosition, by author: MemberKey, reason: String) {
        self.event = event
        self.author = author
        self.reason = reason
    }
}

/// An event of a log, named by its place.
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
    private enum Verb: UInt8 { case raise = 1, lower }
    private enum CheckpointVerb: UInt8 { case checkpoint = 1, pass }

    /// The content of the event, as protocol §2.6 lays it out.
    package var encoded: [UInt8] {
        switch self {
        case .raise(let member, let role): return [Verb.raise.rawValue] + member.bytes + [role.rawValue]
        case .lower(let member, let role, let kept):
            var buffer = [Verb.lower.rawValue] + member.bytes + [role.rawValue]
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

    /// - Throws: `WireError` if the content of an event of this kind is not what §2.6 says.
    package init(decoding content: Bytes, kind: EventKind) throws(WireError) {
        var reader = WireReader(content)
        if kind == .membership {
            let verb = Verb(rawValue: try reader.byte())
            let member = MemberKey(try reader.bytes32())
            guard let role = Role(rawValue: try reader.byte()) else { throw .invalid("a role", offset: reader.offset) }
            switch verb {
            case .raise: self = .raise(member, to: role)
            case .lower:
                var kept: [LogPosition] = []
                while !reader.isAtEnd {
                    guard kept.count < Limits.keptLogs else { throw .tooLarge("kept logs", limit: Limits.keptLogs) }
                    kept.append(try LogPosition(reading: &reader))
                }
                self = .lower(member, to: role, kept: kept)
            case nil: throw .invalid("what is done to a member", offset: 0)
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
            case nil: throw .invalid("what is done about a checkpoint", offset: 0)
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
            default: throw .invalid("whether there is a value", offset: reader.offset)
            }
        }
        guard reader.isAtEnd else { throw .invalid("what follows an action", offset: reader.offset) }
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
