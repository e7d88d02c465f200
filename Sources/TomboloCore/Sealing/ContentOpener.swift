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
        guard event.content != nil, let rekey = event.header.rekeys.first, !event.header.kind.isState else {
            return event.content
        }
        try read(rekey.id)
        let cryptography = cryptography
        return keys[rekey.id]?.open(event, using: cryptography)
    }

    /// What a state event sets a key to; nil if it removes it, or that cannot be read here.
    package mutating func value(_ value: [UInt8], of event: Event) throws -> [UInt8]? {
        guard let rekey = event.header.rekeys.first else { return value }
        try read(rekey.id)
        return keys[rekey.id]?.open(value: value, of: event, using: cryptography)
    }

    private mutating func read(_ rekey: EventID) throws {
        guard keys[rekey] == nil, let stored = try secret(rekey) else { return }
        keys[rekey] = ContentKeys(try RekeySecret(decoding: stored))
    }
}
