// Tombolo's own parts of a payload (protocol 5-1).

/// The first message of each side of a session (protocol 5-3).
package struct Hello: Hashable, Sendable {
    /// The version of the protocol that this device speaks.
    package static let current: UInt64 = 2

    /// The version of the protocol; 1 where a hello states none.
    package var version: UInt64 = 1
    package var incarnation: Bytes = []
    package var windowLimit = UInt64(Limits.inFlight)

    package init() {}

    init(decoding bytes: Bytes) throws(WireError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .varint(let raw)): version = raw
            case (2, .bytes(let run)): incarnation = run
            case (3, .varint(let raw)): windowLimit = raw
            default: break
            }
        }
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        if version != 1 { buffer.append(field: 1, varint: version) }
        buffer.append(field: 2, bytes: incarnation)
        if windowLimit != Limits.inFlight { buffer.append(field: 3, varint: windowLimit) }
        return buffer
    }
}

/// The part of a payload that concerns one group.
package struct GroupSync: Hashable, Sendable {
    package var number: UInt64
    package var tag: Bytes?
    package var root: ShownRoot?
    package var since: [UInt64] = []
    /// Whether the root is that of the newest agreement; stands in place of `since` (protocol 5-17).
    package var isAgreed = false
    package var frontier: Bytes?
    package var have: Bytes?
    package var want: Bytes?
    package var events: Bytes?
    package var processed: UInt64?
    package var push: UInt64?
    package var ephemeral: Bytes?
    /// The number of the group's logs, where there are at least ``Limits/codedLogs`` (protocol 5-19).
    package var logs: UInt64?
    package var coded: Bytes?
    package var reconcile: Bytes?
    /// The ids of rekey events whose secrets the sender requests (protocol 5.7-6).
    package var secretsWanted: Bytes?
    package var share: Bytes?
    /// The Lamport time up to which the sender does not keep all contents (protocol 2.10-2).
    package var horizon: UInt64?
    /// The certificates of logs in the next window that have a floor at the sender (protocol 2.11-8).
    package var certificates: [Bytes] = []
    /// Whether the sender sends no events of the group; sent with the tag (protocol 5.10-2).
    package var onlyTakes = false
    /// Whether the sender has sent a peer that only receives everything that it lacked (protocol 5.10-3).
    package var hasSentAll = false
    /// Messages about files (protocol 5.8-1).
    package var files: [Bytes] = []

    package init(number: Int) { self.number = UInt64(number) }

    /// The fields that introduce the group. They do not refer to the payload's bytes, so that these can be freed.
    var introduction: GroupSync {
        var shown = GroupSync(number: 0)
        shown.number = number
        shown.tag = tag.map { Bytes(Array($0)) }
        shown.root = root
        shown.since = since
        shown.isAgreed = isAgreed
        shown.logs = logs
        shown.horizon = horizon
        shown.onlyTakes = onlyTakes
        return shown
    }

    /// Copies the events if they are less than half of the payload.
    ///
    /// Events share the payload's storage until they are stored. Without the copy, a few of them would keep the whole
    /// payload in memory.
    mutating func unpinEvents(from payloadBytes: Int) {
        guard let events, events.count < payloadBytes / 2 else { return }
        self.events = Bytes(Array(events))
    }

    init(decoding bytes: Bytes) throws(WireError) {
        number = 0
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .varint(let raw)): number = raw
            case (2, .bytes(let run)): tag = run
            case (3, .bytes(let run)):
                guard let root = ShownRoot(run) else { throw .invalid("a root", offset: 0) }
                self.root = root
            case (4, .fixed64(let raw)): since.append(raw)
            case (4, .bytes(let run)):  // proto3 packs repeated scalars
                var packed = WireReader(run)
                while !packed.isAtEnd { since.append(try packed.fixed64()) }
            case (5, .bytes(let run)): frontier = run
            case (6, .bytes(let run)): have = run
            case (7, .bytes(let run)): want = run
            case (8, .bytes(let run)): events = run
            case (9, .varint(let raw)): processed = raw
            case (10, .varint(let raw)): push = raw
            case (11, .bytes(let run)): ephemeral = run
            case (12, .varint(let raw)): isAgreed = raw != 0
            case (13, .varint(let raw)): logs = raw
            case (14, .bytes(let run)): coded = run
            case (15, .bytes(let run)): reconcile = run
            case (16, .bytes(let run)): secretsWanted = run
            case (17, .bytes(let run)): share = run
            case (18, .bytes(let run)): files.append(run)
            case (19, .varint(let raw)): horizon = raw
            case (20, .bytes(let run)): certificates.append(run)
            case (21, .varint(let raw)): onlyTakes = raw != 0
            case (22, .varint(let raw)): hasSentAll = raw != 0
            default: break
            }
        }
        guard since.count <= 16 else { throw .tooLarge("since", limit: 16) }
    }

    /// An upper estimate of the encoded bytes.
    var weight: Int {
        var weight = 256 + (events?.count ?? 0) + (frontier?.count ?? 0) + (have?.count ?? 0) + (coded?.count ?? 0)
        for part in files { weight += part.count + 8 }
        for part in certificates { weight += part.count + 8 }
        return weight
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(weight)
        if number != 0 { buffer.append(field: 1, varint: number) }
        if let tag { buffer.append(field: 2, bytes: tag) }
        if let root { buffer.append(field: 3, bytes: root.bytes) }
        if !since.isEmpty {
            var packed: [UInt8] = []
            for token in since { packed.append(fixed64: token) }
            buffer.append(field: 4, bytes: packed)
        }
        if let frontier { buffer.append(field: 5, bytes: frontier) }
        if let have { buffer.append(field: 6, bytes: have) }
        if let want { buffer.append(field: 7, bytes: want) }
        if let events { buffer.append(field: 8, bytes: events) }
        if let processed { buffer.append(field: 9, varint: processed) }
        if let push { buffer.append(field: 10, varint: push) }
        if let ephemeral { buffer.append(field: 11, bytes: ephemeral) }
        if isAgreed { buffer.append(field: 12, varint: 1) }
        if let logs { buffer.append(field: 13, varint: logs) }
        if let coded { buffer.append(field: 14, bytes: coded) }
        if let reconcile { buffer.append(field: 15, bytes: reconcile) }
        if let secretsWanted { buffer.append(field: 16, bytes: secretsWanted) }
        if let share { buffer.append(field: 17, bytes: share) }
        for file in files { buffer.append(field: 18, bytes: file) }
        if let horizon { buffer.append(field: 19, varint: horizon) }
        for certificate in certificates { buffer.append(field: 20, bytes: certificate) }
        if onlyTakes { buffer.append(field: 21, varint: 1) }
        if hasSentAll { buffer.append(field: 22, varint: 1) }
        return buffer
    }
}

/// A joiner's proof that it has an invitation (protocol 5.5-3).
package struct Join: Hashable, Sendable {
    package var invitation: Bytes = []
    package var proof: Bytes = []
    /// The joiner's member.
    package var member: Bytes = []
    /// The signatures by which the joiner's device is the member's.
    package var admission: Bytes = []
    /// The public key to which shares of secrets are encrypted for the device (protocol 5.7-1).
    package var sharingKey: Bytes = []

    package init() {}

    init(decoding bytes: Bytes) throws(WireError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let run)): invitation = run
            case (2, .bytes(let run)): proof = run
            case (3, .bytes(let run)): member = run
            case (4, .bytes(let run)): admission = run
            case (5, .bytes(let run)): sharingKey = run
            default: break
            }
        }
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(field: 1, bytes: invitation)
        buffer.append(field: 2, bytes: proof)
        if !member.isEmpty { buffer.append(field: 3, bytes: member) }
        if !admission.isEmpty { buffer.append(field: 4, bytes: admission) }
        if !sharingKey.isEmpty { buffer.append(field: 5, bytes: sharingKey) }
        return buffer
    }
}

/// The inviter's answer to a joiner (protocol 5.5-5).
package struct Welcome: Hashable, Sendable {
    package enum Status: UInt64 { case welcome = 0, unknown, expired, used, notAllowed }
    package var status: UInt64 = 0
    package var statement: Bytes = []
    package var discovery: Bytes = []
    package var name: Bytes = []
    /// The member to which the joiner's device now belongs; empty unless the invitation was for a device.
    package var member: Bytes = []
    /// The signatures by which the device is the member's; empty unless the invitation was for a device.
    package var admission: Bytes = []

    package init() {}

    init(decoding bytes: Bytes) throws(WireError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (5, .bytes(let run)): member = run
            case (6, .bytes(let run)): admission = run
            case (1, .varint(let raw)): status = raw
            case (2, .bytes(let run)): statement = run
            case (3, .bytes(let run)): discovery = run
            case (4, .bytes(let run)): name = run
            default: break
            }
        }
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        if status != 0 { buffer.append(field: 1, varint: status) }
        if !statement.isEmpty { buffer.append(field: 2, bytes: statement) }
        if !discovery.isEmpty { buffer.append(field: 3, bytes: discovery) }
        if !name.isEmpty { buffer.append(field: 4, bytes: name) }
        if !member.isEmpty { buffer.append(field: 5, bytes: member) }
        if !admission.isEmpty { buffer.append(field: 6, bytes: admission) }
        return buffer
    }
}
