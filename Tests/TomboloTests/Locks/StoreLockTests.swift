import Crypto
import Foundation
import GRDB
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite
import TomboloTesting

@Suite("A store whose keys are locked")
struct StoreLockTests {
    /// A device with a private group in which something was said, and an invitation that is out.
    ///
    /// - Returns: everything secret that is in its store.
    private func make(at home: URL) async throws -> [[UInt8]] {
        let node = try await Node.open(at: home)
        let group = try await node.createGroup(named: "crew", policy: .private)
        try await group.send(PlainText("between us"))
        _ = try await group.invite(expiring: .seconds(86_400), addresses: ["a:1"])
        try await node.close()
        let storage = try SQLiteStorage(directory: home)
        defer { try? storage.close() }
        return try storage.write(isDurable: false) { store in
            var secrets = [try #require(try store.value(forKey: IdentityKeys.deviceSeed))]
            for record in try store.groups() {
                secrets.append(record.discovery.bytes)
                secrets.append(try #require(record.ownSeed?.bytes))
                for (rekey, _) in try store.secrets(inGroup: record.reference) {
                    let nodes = try #require(try store.secret(of: rekey, inGroup: record.reference))
                    // The key itself is behind what says whether it is proven, and where in the tree it stands.
                    secrets.append(Array(nodes.suffix(32)))
                }
            }
            return secrets
        }
    }

    /// The same, locked.
    private func makeLocked(at home: URL) async throws -> [[UInt8]] {
        let secrets = try await make(at: home)
        let node = try await Node.open(at: home)
        try await node.changeLock(to: lock("low tide"))
        try await node.close()
        return secrets
    }

    private func files(of home: URL) throws -> [UInt8] {
        try ["", "-wal"].flatMap { part -> [UInt8] in
            let path = home.appendingPathComponent(SQLiteStorage.fileName).path + part
            return FileManager.default.fileExists(atPath: path)
                ? Array(try Data(contentsOf: URL(fileURLWithPath: path))) : []
        }
    }

    private func found(_ secrets: [[UInt8]], in home: URL) throws -> Int {
        let bytes = Data(try files(of: home))
        return secrets.count { bytes.range(of: Data($0)) != nil }
    }

    private func text(_ node: Node) async throws -> [String] {
        try await #require(node.groups.first).timeline(limit: 10).compactMap {
            $0.content(as: PlainText.self)?.string
        }
    }

    /// A lock as an application may have one. A passphrase's costs seconds where nothing is optimised.
    private struct KnownKey: StoreLock {
        let known: SymmetricKey
        init(_ text: String) { known = SymmetricKey(data: SHA256.hash(data: Data(text.utf8))) }

        func close(over key: Bytes32) throws(StoreError) -> [UInt8] {
            do { return Array(try ChaChaPoly.seal(key.bytes, using: known).combined) } catch {
                throw StoreError(.unavailable, "\(error)")
            }
        }

        func open(_ kept: [UInt8]) throws(StoreError) -> Bytes32 {
            let text = (try? ChaChaPoly.SealedBox(combined: kept)).flatMap { try? ChaChaPoly.open($0, using: known) }
            guard let key = text.flatMap({ Bytes32($0) }) else { throw StoreError(.locked, "another key") }
            return key
        }
    }

    private func lock(_ text: String) -> KnownKey { KnownKey(text) }

    private func code(_ body: () async throws -> Void) async -> TomboloError.Code? {
        do { try await body() } catch let error as TomboloError { return error.code } catch {}
        return nil
    }

    @Test("has no secret in its files, and opens with its passphrase alone")
    func locked() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let secrets = try await make(at: home)
            #expect(secrets.count == 4)
            #expect(try found(secrets, in: home) == 4)
            #expect(try await !Node.isLocked(at: home))
            let node = try await Node.open(at: home)
            try await node.changeLock(to: lock("low tide"))
            // The node goes on, and what is new is locked as well.
            let group = try #require(try await node.groups.first)
            try await group.send(PlainText("after"))
            let other = try await node.createGroup(named: "other", policy: .private)
            try await other.send(PlainText("x"))
            #expect(try await text(node) == ["between us", "after"])
            let device = node.device
            try await node.close()
            #expect(try await Node.isLocked(at: home))
            #expect(try found(secrets, in: home) == 0)
            #expect(await code { _ = try await Node.open(at: home) } == .storeLocked)
            #expect(await code { _ = try await Node.openReadOnly(at: home) } == .storeLocked)
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: lock("high tide"))) }
                    == .storeLocked)
            let again = try await Node.open(at: home, configuration: .init(lock: lock("low tide")))
            #expect(again.device == device)
            #expect(try await text(again) == ["between us", "after"])
            // Also once it has let go of the store, and taken it again.
            try await again.suspend()
            try await again.resume()
            let reader = try await Node.openReadOnly(at: home, configuration: .init(lock: lock("low tide")))
            #expect(reader.device == device)
            #expect(try await text(reader) == ["between us", "after"])
            try await reader.close()
            try await again.close()
        }
    }

    @Test("opens with its passphrase, however its letters are composed, and takes no other")
    func passphrase() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let node = try await Node.open(at: home, configuration: .init(lock: PassphraseLock("mare\u{0301}e")))
            try await node.close()
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: PassphraseLock("maree"))) }
                    == .storeLocked)
            let same = try await Node.open(at: home, configuration: .init(lock: PassphraseLock("mar\u{00e9}e")))
            #expect(same.device == node.device)
            try await same.close()
            #expect(PassphraseLock("") == nil)
        }
    }

    @Test("takes another lock, or none any more")
    func changed() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let secrets = try await make(at: home)
            let node = try await Node.open(at: home)
            try await node.changeLock(to: lock("low tide"))
            try await node.changeLock(to: lock("high tide"))
            try await node.close()
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: lock("low tide"))) }
                    == .storeLocked)
            let same = try await Node.open(at: home, configuration: .init(lock: lock("high tide")))
            try await same.changeLock(to: nil)
            try await same.close()
            #expect(try await !Node.isLocked(at: home))
            #expect(try found(secrets, in: home) == 4)
            let open = try await Node.open(at: home)
            #expect(try await text(open) == ["between us"])
            try await open.close()
        }
    }

    @Test("is recovered as a locked one, and tried out as one")
    func recovered() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let home = root.appendingPathComponent("a")
            let secrets = try await makeLocked(at: home)
            #expect(await code { _ = try await Node.checkStore(at: home) } == .storeLocked)
            #expect(try await Node.checkStore(at: home, lock: lock("low tide")) == [])
            #expect(await code { _ = try await Node.rebuildStore(at: home) } == .storeLocked)
            let scratch = root.appendingPathComponent("scratch")
            _ = try await Node.drill(
                at: home, scratch: scratch, configuration: .init(transports: [network.provider], lock: lock("low tide"))
            )
            #expect(try await Node.isLocked(at: scratch))
            #expect(try found(secrets, in: scratch) == 0)
            let rebuilding = try await Node.rebuildStore(at: home, lock: lock("low tide"))
            #expect(rebuilding.unreadable.isEmpty)
            #expect(try await Node.isLocked(at: home))
            #expect(try found(secrets, in: home) == 0)
            let again = try await Node.open(at: home, configuration: .init(lock: lock("low tide")))
            #expect(try await text(again) == ["between us"])
            try await again.close()
        }
    }

    @Test("is locked from the beginning if its device is made so, and never taken for one that is not")
    func new() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let node = try await Node.open(at: home, configuration: .init(lock: lock("low tide")))
            try await node.close()
            #expect(try await Node.isLocked(at: home))
            try await Node.open(at: home, configuration: .init(lock: lock("low tide"))).close()
            let open = root.appendingPathComponent("b")
            _ = try await make(at: open)
            #expect(
                await code { _ = try await Node.open(at: open, configuration: .init(lock: lock("low tide"))) }
                    == .storeLocked)
            #expect(
                await code { _ = try await Node.openReadOnly(at: open, configuration: .init(lock: lock("low tide"))) }
                    == .storeLocked)
        }
    }

    @Test("is rid of what was there before as soon as nobody reads an older snapshot")
    func read() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let secrets = try await make(at: home)
            let storage = try SQLiteStorage(directory: home)
            let reader = try SQLiteStorage(directory: home, isReadOnly: true)
            try reader.read { snapshot in
                _ = try snapshot.groups()
                #expect(try storage.relock(with: lock("low tide")) == false)
            }
            try reader.close()
            #expect(try found(secrets, in: home) > 0)
            #expect(try await Node.isLocked(at: home))
            #expect(try storage.purge())
            #expect(try found(secrets, in: home) == 0)
            try storage.close()
        }
    }

    /// A locked store, and what changes it as somebody does who does not know the passphrase.
    private func tamper(_ root: URL, _ name: String) async throws -> (URL, (String, StatementArguments) throws -> Void)
    {
        let home = root.appendingPathComponent(name)
        _ = try await makeLocked(at: home)
        let node = try await Node.open(at: home, configuration: .init(lock: lock("low tide")))
        _ = try await node.createGroup(named: "other", policy: .private).send(PlainText("x"))
        try await node.close()
        let path = home.appendingPathComponent(SQLiteStorage.fileName).path
        return (
            home,
            { sql, arguments in
                let queue = try DatabaseQueue(path: path)
                defer { try? queue.close() }
                try queue.write { try $0.execute(sql: sql, arguments: arguments) }
            }
        )
    }

    @Test("of which somebody has changed what its passphrase keeps is refused, and pays no price without end")
    func keptBytes() throws {
        let lock = try #require(PassphraseLock("low tide"))
        var bytes = try lock.close(over: Bytes32.zero)
        func code() -> StoreError.Code? {
            do { _ = try lock.open(bytes) } catch { return error.code }
            return nil
        }
        // Any byte of it, and its length.
        for place in [0, 1, 2, 3, 10, bytes.count - 1] {
            bytes[place] ^= 0x10
            #expect(code() == .locked || code() == .corrupt, "byte \(place)")
            bytes[place] ^= 0x10
        }
        bytes.removeLast()
        #expect(code() == .locked)
    }

    @Test("without what its lock keeps is not taken for what its cells say")
    func lockRemoved() async throws {
        try await withDirectory { root in
            let (home, change) = try await tamper(root, "a")
            try change("DELETE FROM value WHERE key = 'lock'", [])
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: lock("low tide"))) }
                    == .storeLocked)
            #expect(await code { _ = try await Node.open(at: home) } == .storeCorrupt)
            #expect(await code { _ = try await Node.rebuildStore(at: home) } == .storeCorrupt)
        }
    }

    @Test(
        "of which somebody has put a cell in the place of another, or changed what it is about, is refused",
        arguments: [
            "UPDATE replica SET discovery = ownSeed",
            "INSERT OR REPLACE INTO value SELECT 'own-group', id FROM replica LIMIT 1",
            "UPDATE value SET value = (SELECT value FROM value WHERE key = 'member') WHERE key = 'device-seed'",
            // The policy: nothing would be sealed any more.
            "UPDATE replica SET statement = substr(statement, 1, 2) || x'00' || substr(statement, 4)",
        ])
    func cells(sql: String) async throws {
        try await withDirectory { root in
            let (home, change) = try await tamper(root, "a")
            try change(sql, [])
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: lock("low tide"))) }
                    == .storeCorrupt)
        }
    }

    @Test("opens no invitation, and no secret, that somebody has made another one's")
    func rows() async throws {
        try await withDirectory { root in
            let (home, change) = try await tamper(root, "a")
            try change("UPDATE invitation SET uses = 9", [])
            try change("UPDATE secret SET replica = 3 - replica", [])
            let storage = try SQLiteStorage(directory: home, lock: lock("low tide"))
            #expect(try storage.integrityProblems().count == 3)
            try storage.read { reader in
                for group in try reader.groups() {
                    if group.reference == 1 { #expect(throws: StoreError.self) { try reader.invitations(to: group) } }
                }
            }
            try storage.write(isDurable: false) { store in
                for group in try store.groups() {
                    for (rekey, _) in try store.secrets(inGroup: group.reference) {
                        #expect(throws: StoreError.self) { try store.secret(of: rekey, inGroup: group.reference) }
                    }
                }
            }
            try storage.close()
        }
    }

    @Test("is recovered where one of its keys is damaged, without more than that")
    func damagedKey() async throws {
        try await withDirectory { root in
            let (home, change) = try await tamper(root, "a")
            try change("UPDATE replica SET ownSeed = x'00' WHERE reference = 1", [])
            #expect(
                await code { _ = try await Node.open(at: home, configuration: .init(lock: lock("low tide"))) }
                    == .storeCorrupt)
            #expect(try await Node.checkStore(at: home, lock: lock("low tide")).count == 1)
            let rebuilding = try await Node.rebuildStore(at: home, lock: lock("low tide"))
            #expect(rebuilding.groups == 2 && rebuilding.unreadable.isEmpty)
            let node = try await Node.open(at: home, configuration: .init(lock: lock("low tide")))
            #expect(try await text(node) == ["between us"])
            try await node.close()
        }
    }
}
