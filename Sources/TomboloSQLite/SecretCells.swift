import Crypto
import Foundation
import GRDB
import TomboloCore

/// How a store's secrets stand in its cells: as they are, or encrypted under the key that a lock keeps (ChaCha20-Poly1305, each bound to its place).
struct SecretCells: Sendable {
    /// Nil where the store has no lock.
    private let key: SymmetricKey?

    /// Where the store has what its lock keeps.
    static let lockKey = "lock"
    /// Values that are secrets, or that say who the device is: somebody else is not to say it.
    static let values = [
        IdentityKeys.deviceSeed, IdentityKeys.memberSeed, IdentityKeys.member, IdentityKeys.admission,
        IdentityKeys.ownGroup, IdentityKeys.answerSeeds,
    ]

    var isLocked: Bool { key != nil }

    init(key: Bytes32? = nil) { self.key = key.map { SymmetricKey(data: $0.bytes) } }

    /// The cells of a store that was just opened.
    ///
    /// - Throws: `StoreError` `locked` if it takes a lock, or another one.
    init(of db: Database, _ lock: (any StoreLock)?) throws {
        let kept = try Self.kept(db)
        if kept != nil, lock == nil {
            throw StoreError(.locked, "the keys of this device are locked: open it with what they were locked by")
        }
        // Whoever took the lock out of a store, or put another store there, is noticed.
        if kept == nil, lock != nil, try Self.hasIdentity(db) {
            throw StoreError(
                .locked, "the keys of this device are not locked, and should be: open it without a lock, and lock them")
        }
        self.init(key: try kept.flatMap { try lock?.open($0) })
    }

    private static func hasIdentity(_ db: Database) throws -> Bool {
        try Rows.value(IdentityKeys.deviceSeed, db) != nil
    }

    /// What the store's lock keeps; nil if there is none.
    static func kept(_ db: Database) throws -> [UInt8]? {
        try Rows.value(lockKey, db).map { Array($0) }
    }

    /// - Parameter place: what it is, and whose.
    func closed(_ secret: [UInt8], _ place: Place) throws -> Data {
        guard let key else { return Data(secret) }
        return try ChaChaPoly.seal(secret, using: key, authenticating: place.bytes).combined
    }

    func opened(_ cell: Data, _ place: Place) throws -> [UInt8] {
        guard let key else { return Array(cell) }
        do {
            return Array(try ChaChaPoly.open(try .init(combined: cell), using: key, authenticating: place.bytes))
        } catch {
            throw StoreError(
                .corrupt, "\(place.column) of the store does not open: it was locked anew meanwhile, or is damaged")
        }
    }

    /// Of which cell something is. Whoever changes the file cannot put one in the place of another.
    struct Place {
        let column: String
        let row: [UInt8]
        var bytes: [UInt8] { Array(column.utf8) + [0] + row }

        static func value(_ key: String) -> Place { Place(column: "value.\(key)", row: []) }
        static func discovery(_ group: GroupID) -> Place { Place(column: "replica.discovery", row: group.bytes) }
        static func ownSeed(_ group: GroupID) -> Place { Place(column: "replica.ownSeed", row: group.bytes) }
        /// The first byte says how much of the secret is here.
        static func secret(_ rekey: EventID, _ group: GroupID, _ first: [UInt8]) -> Place {
            Place(column: "secret.nodes", row: group.bytes + rekey.bytes + first)
        }
        /// With all that it admits to, and whom it has admitted.
        static func invitation(_ invitation: InvitationRecord) -> Place {
            var row = invitation.id + invitation.group.bytes + [invitation.role.rawValue]
            row.append(fixed64: invitation.expiry)
            row.append(fixed64: UInt64(invitation.uses))
            return Place(column: "invitation.secret", row: row + invitation.users.flatMap(\.bytes))
        }
    }

    // MARK: Cells that say something besides

    /// The first byte of what is kept of a secret says how much it is: it is looked for.
    func closed(_ secret: [UInt8], of rekey: EventID, in group: GroupID) throws -> Data {
        let first = Array(secret.prefix(1))
        return try Data(first) + closed(Array(secret.dropFirst()), .secret(rekey, group, first))
    }

    func openedSecret(_ cell: Data, of rekey: EventID, in group: GroupID) throws -> [UInt8] {
        let first = Array(cell.prefix(1))
        return try first + opened(cell.dropFirst(), .secret(rekey, group, first))
    }

    func value(_ cell: Data, forKey key: String) throws -> [UInt8] {
        Self.values.contains(key) ? try opened(cell, .value(key)) : Array(cell)
    }

    func cell(_ value: [UInt8], forKey key: String) throws -> Data {
        Self.values.contains(key) ? try closed(value, .value(key)) : Data(value)
    }
}
