/// Opens the contents of one group's events for who reads them.
package struct ContentOpener<Crypto: Cryptography> {
    private let cryptography: Crypto
    /// The secret of a rekey event, as it is stored; nil where it is not here.
    private let secret: (EventID) throws -> [UInt8]?
    private var keys: [EventID: ContentKeys] = [:]

    package init(using cryptography: Crypto, secret: @escaping (EventID) throws -> [UInt8]?) {
        self.cryptography = cryptography
        self.secret = secret
    }

    /// What an event says; nil if that has gone, or cannot be read here.
    package mutating func content(of event: Event) throws -> Bytes? {
        guard let content = event.content, let rekey = event.header.rekeys.first, !event.header.kind.isState else {
            return event.content
        }
        guard let salt = event.salt else { return nil }
        return try open(content, of: event, under: rekey, nonce: salt.prefix(12))
    }

    /// What a state event sets a key to; nil if it removes it, or that cannot be read here.
    package mutating func value(_ value: [UInt8], of event: Event) throws -> [UInt8]? {
        guard let rekey = event.header.rekeys.first else { return value }
        return try open(value.dropFirst(12), of: event, under: rekey, nonce: value.prefix(12)).map { Array($0) }
    }

    private mutating func open(
        _ sealed: Bytes, of event: Event, under rekey: EventReference, nonce: Bytes
    ) throws -> Bytes? {
        guard nonce.count == 12 else { return nil }
        if keys[rekey.id] == nil, let stored = try secret(rekey.id) {
            keys[rekey.id] = ContentKeys(try StoredSecret(decoding: stored).key)
        }
        let cryptography = cryptography
        let key = keys[rekey.id]?.key(ofLog: event.log, sequence: event.sequence, using: cryptography)
        return key.flatMap { cryptography.open(sealed, key: $0, nonce: nonce) }.map { $0[...] }
    }
}
