/// Decrypts the contents of one group's events for readers.
package struct ContentOpener<Crypto: Cryptography> {
    private let cryptography: Crypto
    /// Reads the stored secret of a rekey event; nil if the store lacks it.
    private let secret: (EventID) throws -> [UInt8]?
    private var keys: [EventID: ContentKeys] = [:]

    package init(using cryptography: Crypto, secret: @escaping (EventID) throws -> [UInt8]?) {
        self.cryptography = cryptography
        self.secret = secret
    }

    /// The content of an event in clear; nil if it is erased, or cannot be decrypted on this device.
    package mutating func content(of event: Event) throws -> Bytes? {
        guard event.content != nil, let rekey = event.header.rekeys.first, !event.header.kind.isState else {
            return event.content
        }
        try read(rekey.id)
        let cryptography = cryptography
        return keys[rekey.id]?.open(event, using: cryptography)
    }

    /// The value that a state event sets, in clear; nil if it cannot be decrypted on this device.
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
