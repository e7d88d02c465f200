import TomboloCore

/// A digest that is the same on every machine: FNV-1a over 64 bits (Fowler, Noll, Vo).
struct FrozenDigest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

    mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }

    /// Adds a text behind its length, so that no two lists of texts give the same bytes.
    mutating func add(_ text: String) {
        let bytes = Array(text.utf8)
        add(bytes.count)
        for byte in bytes { add(byte) }
    }

    /// Sixteen hexadecimal digits.
    var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Counts of what a run has reached, by name.
struct FrozenCounts {
    private(set) var counts: [String: Int] = [:]

    subscript(name: String) -> Int { counts[name] ?? 0 }

    mutating func add(_ name: String, _ count: Int = 1) {
        if count > 0 { counts[name, default: 0] += count }
    }

    mutating func add(_ other: FrozenCounts) {
        for (name, count) in other.counts { add(name, count) }
    }

    /// Every count in the order of the names.
    var text: String { counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }

    /// Counts the parts of a payload.
    ///
    /// - Returns: whether the payload carries a chunk of a file.
    mutating func add(payload bytes: [UInt8]) -> Bool {
        guard let payload = try? Payload(decoding: bytes[...]) else { return false }
        add("payload.acks", payload.acks.count)
        add("payload.offers", payload.offers.count)
        add("payload.requests", payload.requests.count)
        add("payload.messages", payload.messages.count)
        for message in payload.messages where message.metadata?.isEphemeral == true { add("payload.ephemeral") }
        for message in payload.messages where message.size > Limits.payload { add("payload.large") }
        if payload.hello != nil { add("payload.hello") }
        if payload.join != nil { add("payload.join") }
        if payload.welcome != nil { add("payload.welcome") }
        var hasChunk = false
        for group in payload.groups {
            add(group)
            for file in group.files {
                guard let message = try? FileMessage(decoding: file) else { continue }
                add("file.\(message.frozenName)")
                if case .chunk = message { hasChunk = true }
            }
        }
        return hasChunk
    }

    private mutating func add(_ group: GroupSync) {
        let parts: [(String, Bool)] = [
            ("tag", group.tag != nil), ("root", group.root != nil), ("since", !group.since.isEmpty),
            ("isAgreed", group.isAgreed), ("frontier", group.frontier != nil), ("have", group.have != nil),
            ("want", group.want != nil), ("events", group.events != nil), ("processed", group.processed != nil),
            ("push", group.push != nil), ("ephemeral", group.ephemeral != nil), ("logs", group.logs != nil),
            ("coded", group.coded != nil), ("reconcile", group.reconcile != nil),
            ("secretsWanted", group.secretsWanted != nil), ("share", group.share != nil),
            ("horizon", group.horizon != nil), ("certificates", !group.certificates.isEmpty),
            ("onlyTakes", group.onlyTakes), ("hasSentAll", group.hasSentAll),
        ]
        for (name, isThere) in parts where isThere { add("group.\(name)") }
        if let kind = group.reconcile?.first, kind >= 4 { add("group.largePart") }
    }
}

extension FileMessage {
    fileprivate var frozenName: String {
        switch self {
        case .want: "want"
        case .have: "have"
        case .request: "request"
        case .chunk: "chunk"
        case .decline: "decline"
        case .doubt: "doubt"
        case .enough(_, let isFinal): isFinal ? "enoughFinal" : "enough"
        }
    }
}
