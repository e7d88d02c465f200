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
        if keys[rekey.id] == nil, let stored = try secret(rekey.id) {
            keys[rekey.id] = ContentKeys(try PuncturableKey(decoding: stored[...]))
        }
        let cryptography = cryptography
        let key = keys[rekey.id]?.key(ofLog: event.log, sequence: event.sequence, using: cryptography)
        guard let key, let salt = event.salt else { return nil }
        return cryptography.open(content, key: key, nonce: salt.prefix(12)).map { $0[...] }
    }
}
