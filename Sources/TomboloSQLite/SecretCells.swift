import Crypto
import Foundation
import GRDB
import TomboloCore

/// The stored form of a store's secrets: plain, or encrypted under the key that a lock keeps. The encryption is
/// ChaCha20-Poly1305, bound to each cell's place.
struct SecretCells: Sendable {
    /// The key of the encryption; nil if the store has no lock.
    private let key: SymmetricKey?

    /// The key under which the store keeps the bytes of its lock.
    static let lockKey = "lock"
    /// The keys of values that are secret, or that state who the device is. An attacker must not be able to replace the
    /// latter.
    static let values = [
        IdentityKeys.deviceSeed, IdentityKeys.memberSeed, IdentityKeys.member, IdentityKeys.admission,
        IdentityKeys.ownGroup, IdentityKeys.answerSeeds,
    ]

    var isLocked: Bool { key != nil }

    init(key: Bytes32? = nil) { self.key = key.map { SymmetricKey(data: $0.bytes) } }

    /// Creates the cells of a store that was just opened.
    ///
    /// - Throws: `StoreError` `locked` if the store needs a lock, or another one.
    init(of db: Database, _ lock: (any StoreLock)?) throws {
        let kept = try Self.kept(db)
        if kept != nil, lock == nil {
            throw StoreError(.locked, "the keys of this device are locked: open it with the lock of its keys")
        }
        // The check detects an attacker that removed the lock from a store or put another store in its place.
        if kept == nil, lock != nil, try Self.hasIdentity(db) {
            throw StoreError(
                .locked,
                "the keys of this device are not locked, but a lock was given: open it without a lock, and lock them"
            )
        }
        self.init(key: try kept.flatMap { try lock?.open($0) })
    }

    private static func hasIdentity(_ db: Database) throws -> Bool {
        try Rows.value(IdentityKeys.deviceSeed, db) != nil
    }

    /// The bytes that the store keeps for its lock; nil if there is no lock.
    static func kept(_ db: Database) throws -> [UInt8]? {
        try Rows.value(lockKey, db).map { Array($0) }
    }

    /// - Parameter place: the column of the secret, and its row.
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
                .corrupt,
                "\(place.column) of the store does not decrypt: it is damaged, or another process has changed the lock")
        }
    }

    /// The cell to which a secret is bound. An attacker that changes the file cannot move a secret from one cell to
    /// another.
    struct Place {
        let column: String
        let row: [UInt8]
        var bytes: [UInt8] { Array(column.utf8) + [0] + row }

        static func value(_ key: String) -> Place { Place(column: "value.\(key)", row: []) }
        static func discovery(_ group: GroupID) -> Place { Place(column: "replica.discovery", row: group.bytes) }
        static func ownSeed(_ group: GroupID) -> Place { Place(column: "replica.ownSeed", row: group.bytes) }
        /// The place of a group's secret. Its first byte states how much of the secret is held.
        static func secret(_ rekey: EventID, _ group: GroupID, _ first: [UInt8]) -> Place {
            Place(column: "secret.nodes", row: group.bytes + rekey.bytes + first)
        }
        /// The place of an invitation's secret. It includes all that the invitation grants, and its uses.
        static func invitation(_ invitation: InvitationRecord) -> Place {
            var row = invitation.id + invitation.group.bytes + [invitation.role.rawValue]
            row.append(fixed64: invitation.expiry)
            row.append(fixed64: UInt64(clamping: invitation.mostUses))
            row += invitation.uses.flatMap(\.device.bytes)
            // Cells of an earlier version are bound to the devices alone.
            let members = invitation.uses.map(\.member)
            if members.contains(where: { $0 != MemberKey(.zero) }) { row += members.flatMap(\.bytes) }
            return Place(column: "invitation.secret", row: row)
        }
    }

    // MARK: Cells with more than the secret

    /// Encrypts all of a secret but its first byte. That byte states how much of the secret is held, and queries read
    /// it.
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
