/// The keys of contents and values that follow from the secret of one rekey event (protocol 2.8-3 to 2.8-7).
package struct ContentKeys: Sendable {
    private let values: Bytes32
    /// The trees of keys: one, or several where nothing shows which of them is the rekey event's.
    private var trees: [TreeKeys]

    package init(_ secret: RekeySecret) {
        values = secret.values
        trees = secret.contents.map { TreeKeys(tree: $0) }
    }

    /// The key of the value in a state event: HMAC-SHA-256(values key, log id ‖ u64 sequence) (protocol 2.8-7).
    package func key(ofValueIn log: LogID, sequence: UInt64, using cryptography: some Cryptography) -> Bytes32 {
        var place = log.bytes
        place.append(fixed64: sequence)
        return cryptography.hmac(key: values, place)
    }

    /// The key of an event's content; nil if it was punctured.
    package mutating func key(ofLog log: LogID, sequence: UInt64, using cryptography: some Cryptography) -> Bytes32? {
        key(at: Self.path(toLog: log, number: sequence, isEphemeral: false), log, using: cryptography)
    }

    /// The key of an ephemeral event's content, which follows from the timestamp in place of a sequence; nil if it was
    /// punctured.
    package mutating func key(
        ofEphemeralFrom log: LogID, at timestamp: Int64, using cryptography: some Cryptography
    ) -> Bytes32? {
        guard timestamp > 0 else { return nil }
        let path = Self.path(toLog: log, number: UInt64(timestamp), isEphemeral: true)
        return key(at: path, log, using: cryptography)
    }

    /// Decrypts a stored event's content; nil if none of these keys decrypts it.
    mutating func open(_ event: Event, using cryptography: some Cryptography) -> Bytes? {
        opened(event, using: cryptography).map { $0.text[...] }
    }

    /// Whether these keys decrypt an event's content. If so, this is noted as their proof.
    mutating func opens(_ event: Event, using cryptography: some Cryptography) -> Bool {
        guard let opened = opened(event, using: cryptography) else { return false }
        trees[opened.tree].noteProof(event.log)
        return true
    }

    /// Whether these keys have decrypted a content of the same log whose key follows from the same node. Then they are
    /// right for this event.
    ///
    /// A content of another log proves nothing: its author may have made it so that a wrong key decrypts it.
    func isProven(_ event: Event) -> Bool {
        let path = Self.path(toLog: event.log, number: event.sequence, isEphemeral: false)
        return trees.contains { $0.isProven(path, event.log) }
    }

    /// Decrypts an ephemeral event's content; nil if none of these keys decrypts it.
    mutating func openEphemeral(_ event: Event, using cryptography: some Cryptography) -> [UInt8]? {
        guard let content = event.content, content.count >= 12, event.timestamp > 0 else { return nil }
        let path = Self.path(toLog: event.log, number: UInt64(event.timestamp), isEphemeral: true)
        return opened(content.dropFirst(12), nonce: content.prefix(12), at: path, event.log, using: cryptography)?.text
    }

    /// Decrypts the value that a state event sets; nil if the key does not decrypt it.
    func open(value sealed: [UInt8], of event: Event, using cryptography: some Cryptography) -> [UInt8]? {
        guard sealed.count >= 12 else { return nil }
        let key = key(ofValueIn: event.log, sequence: event.sequence, using: cryptography)
        return cryptography.open(sealed.dropFirst(12), key: key, nonce: sealed.prefix(12))
    }

    private mutating func key(at path: TreePath, _ log: LogID, using cryptography: some Cryptography) -> Bytes32? {
        for index in trees.indices {
            if let key = trees[index].key(at: path, log, using: cryptography) { return key }
        }
        return nil
    }

    private mutating func opened(
        _ event: Event, using cryptography: some Cryptography
    ) -> (tree: Int, text: [UInt8])? {
        guard let content = event.content, let salt = event.salt else { return nil }
        let path = Self.path(toLog: event.log, number: event.sequence, isEphemeral: false)
        return opened(content, nonce: salt.prefix(12), at: path, event.log, using: cryptography)
    }

    /// Decrypts a content at a place, and names the first tree whose key does.
    private mutating func opened(
        _ sealed: Bytes, nonce: Bytes, at path: TreePath, _ log: LogID, using cryptography: some Cryptography
    ) -> (tree: Int, text: [UInt8])? {
        for index in trees.indices {
            guard let key = trees[index].key(at: path, log, using: cryptography),
                let text = cryptography.open(sealed, key: key, nonce: nonce)
            else { continue }
            return (index, text)
        }
        return nil
    }

    /// The path to a content's leaf: one bit of class ‖ the first 64 bits of the log's id ‖ the number
    /// (protocol 2.8-4).
    ///
    /// The number is in Elias's gamma code (1975): a zero for each bit after the first one, then its bits. So small
    /// numbers have short paths, and no code is the beginning of another.
    package static func path(toLog log: LogID, number: UInt64, isEphemeral: Bool) -> TreePath {
        var path = TreePath()
        path.append(isEphemeral)
        path.append(log.value.prefix64, count: 64)
        let bits = 64 - number.leadingZeroBitCount
        path.append(0, count: bits - 1)
        path.append(number, count: bits)
        return path
    }
}

/// The keys of one tree.
private struct TreeKeys: Sendable {
    let tree: PuncturableKey
    /// For each log the path to the last key and the keys along it. Events that follow each other share most of the
    /// path.
    private var ways: [LogID: Way] = [:]
    /// The bound on ``ways``.
    private static let mostWays = 256

    private struct Way: Sendable {
        var path: TreePath
        /// The number of steps to the node at which the path begins.
        var start: Int
        /// The keys from that node on, one for each step.
        var keys: [Bytes32]
        /// Whether a key that follows from that node has decrypted a content of the log.
        var isProven = false
    }

    init(tree: PuncturableKey) { self.tree = tree }

    func isProven(_ path: TreePath, _ log: LogID) -> Bool {
        guard let way = ways[log], way.isProven else { return false }
        return way.path.commonSteps(with: path) >= way.start
    }

    /// Notes that the last key of a log has decrypted a content.
    mutating func noteProof(_ log: LogID) { ways[log]?.isProven = true }

    mutating func key(at path: TreePath, _ log: LogID, using cryptography: some Cryptography) -> Bytes32? {
        if ways.count >= Self.mostWays, ways[log] == nil { ways = [:] }
        return Self.key(at: path, by: &ways[log], in: tree, using: cryptography)
    }

    private static func key(
        at path: TreePath, by way: inout Way?, in tree: PuncturableKey, using cryptography: some Cryptography
    ) -> Bytes32? {
        if let known = way?.path, let start = way?.start, known.commonSteps(with: path) >= start {
            way?.keys.removeLast(known.count - known.commonSteps(with: path))
        } else {
            guard let node = tree.node(above: path) else { return nil }
            way = Way(path: path, start: node.path.count, keys: [node.key])
        }
        guard let start = way?.start, let gone = way?.keys.count, var key = way?.keys.last else { return nil }
        for step in start + gone - 1..<path.count {
            key = PuncturableKey.child(of: key, path[step], using: cryptography)
            way?.keys.append(key)
        }
        way?.path = path
        return key
    }
}
