import Foundation
import GRDB
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloImport
import TomboloSQLite

@Suite("Stores that are newer, or damaged")
struct StoreTests {
    private func makeStore(at root: URL) async throws {
        let node = try await Node.open(at: root)
        let group = try await node.createGroup(named: "notes")
        for number in 0..<200 { try await group.send(PlainText("\(number) \(String(repeating: "y", count: 300))")) }
        try await node.close()
    }

    @Test("a content that comes back to a store goes away in its time again")
    func expiryOfWhatComesBack() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let crew = try await node.createGroup(named: "crew")
            try await crew.send(PlainText("the code is 4711"), expiring: .seconds(86_400))
            try await node.close()
            let storage = try SQLiteStorage(directory: root)
            try storage.write(isDurable: true) { store in
                let group = try #require(try store.groups().first).reference
                let header = try #require(
                    try store.headers(ordinals: Array(1...store.lastOrdinal())).first { $0.header.expiry != nil })
                let event = try #require(try store.events(ordinals: [header.ordinal]).first).event
                let (content, salt) = (try #require(event.content), try #require(event.salt))
                #expect(try store.nextExpiry(inGroup: group) == header.header.expiry)
                try store.erase([header], forGood: true, inGroup: group)
                #expect(try store.nextExpiry(inGroup: group) == nil)
                for _ in 0..<2 { try store.setContent(content, salt: salt, ofEvent: header.ordinal) }
                #expect(try store.nextExpiry(inGroup: group) == header.header.expiry)
                let due = try store.expired(by: .max, inGroup: group, limit: 9)
                #expect(due == [header.ordinal])
            }
            try storage.close()
        }
    }

    @Test("what is known of peers is kept alike in memory and on disk")
    func peers() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            for name in ["one", "two"] { _ = try await node.createGroup(named: name) }
            try await node.close()
            let storage = try SQLiteStorage(directory: root)
            try storage.write(isDurable: true) { store in
                let groups = try store.groups()
                let memory = MemoryStore()
                for var group in groups { memory.put(&group) }
                let devices = (1...9 as ClosedRange<UInt8>).map {
                    DeviceKey(Bytes32([$0] + [UInt8](repeating: 7, count: 31)) ?? .zero)
                }
                for store in [store, memory] as [any EventStore] {
                    #expect(try store.peer(devices[0]) == nil && store.peers().isEmpty)
                    for place in [4, 0, 8, 2, 6, 4] {
                        var peer = PeerRecord(device: devices[place], addresses: ["\(place):1"])
                        peer.incarnation = [UInt8](repeating: UInt8(place), count: 16)
                        try store.put(peer)
                    }
                    #expect(try store.peers().map(\.device) == [0, 2, 4, 6, 8].map { devices[$0] })
                    var changed = try #require(try store.peer(devices[2]))
                    #expect(changed.addresses == ["2:1"] && changed.incarnation == [UInt8](repeating: 2, count: 16))
                    changed.member = MemberKey(.zero)
                    try store.put(changed)
                    #expect(try store.peer(devices[2]) == changed && store.peers().count == 5)
                    #expect(try store.peer(devices[3]) == nil)
                    // The newest agreements, in each group for itself.
                    let (one, two) = (groups[0].reference, groups[1].reference)
                    let agreements = (1...4).map { Agreement(token: UInt64($0), ordinal: Int64($0), lastLog: 1) }
                    for agreement in agreements { try store.putAgreement(agreement, with: devices[2], inGroup: one) }
                    try store.putAgreement(agreements[0], with: devices[2], inGroup: two)
                    try store.putAgreement(agreements[1], with: devices[4], inGroup: two)
                    let newest = Array(agreements.reversed().prefix(Limits.agreements))
                    #expect(try store.agreements(with: devices[2], inGroup: one) == newest)
                    #expect(try store.agreements(with: devices[2], inGroup: two) == [agreements[0]])
                    #expect(try store.agreements(with: devices[6], inGroup: one) == [])
                    try store.forgetAgreements(inGroup: two)
                    #expect(try store.agreements(with: devices[2], inGroup: one) == newest)
                    #expect(try store.agreements(with: devices[4], inGroup: two) == [])
                    try store.forgetPeer(devices[2])
                    #expect(try store.agreements(with: devices[2], inGroup: one) == [])
                    #expect(try store.peer(devices[2]) == changed)
                }
            }
            try storage.close()
        }
    }

    @Test("a store that a newer version has written is refused, and left as it is")
    func newer() async throws {
        try await withDirectory { root in
            try await makeStore(at: root)
            let path = root.appendingPathComponent("tombolo.sqlite").path
            let database = try DatabaseQueue(path: path)
            try await database.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999')") }
            try database.close()
            for _ in 0..<2 {
                let error = await #expect(throws: TomboloError.self) { _ = try await Node.open(at: root) }
                #expect(error?.code == .storeNewer)
            }
        }
    }

    @Test("a store with groups of the first rules is refused, and left as it is")
    func firstRules() async throws {
        try await withDirectory { root in
            try await makeStore(at: root)
            let path = root.appendingPathComponent("tombolo.sqlite").path
            let database = try DatabaseQueue(path: path)
            try await database.write { db in
                try db.execute(
                    sql: """
                        UPDATE replica
                        SET statement = CAST(substr(statement, 1, 3) || x'01' || substr(statement, 5) AS BLOB);
                        DELETE FROM grdb_migrations WHERE identifier = '14';
                        """)
            }
            for _ in 0..<2 {
                let error = await #expect(throws: TomboloError.self) { _ = try await Node.open(at: root) }
                #expect(error?.code == .storeOlder)
            }
            let applied = try await database.read { db in
                try Int.fetchOne(db, sql: "SELECT count(*) FROM grdb_migrations WHERE identifier = '14'")
            }
            #expect(applied == 0)
            try database.close()
        }
    }

    @Test("a store of an earlier version is brought up to date, and bookmarks stay where they were")
    func earlier() async throws {
        try await withDirectory { root in
            try await makeStore(at: root)
            // As versions before the third wrote it: a row of the change log for each event.
            let database = try DatabaseQueue(path: root.appendingPathComponent("tombolo.sqlite").path)
            try await database.write { db in
                try db.execute(
                    sql: """
                        ALTER TABLE change DROP COLUMN count;
                        DELETE FROM grdb_migrations WHERE identifier = '3';
                        """)
            }
            try database.close()
            let node = try await Node.open(at: root)
            let group = try #require(try await node.groups.first)
            // An import adds a single row for all that it brings.
            var builder = ConversationBuilder(group: group.id)
            _ = try await group.ingest(
                try (0..<300).map {
                    try builder.add(id: "\($0)", parents: [], author: "a", time: 1, text: "\($0)")
                })
            let all = try await group.changes(after: .start, limit: 1_000)
            #expect(all.count == 500)
            for place in [0, 1, 199, 200, 201, 250, 498, 499] {
                let rest = try await group.changes(after: all[place].bookmark, limit: 1_000)
                #expect(rest.map(\.entryID) == all[(place + 1)...].map(\.entryID), "after \(place)")
                let three = try await group.changes(after: all[place].bookmark, limit: 3)
                #expect(three.map(\.bookmark) == all[(place + 1)...].prefix(3).map(\.bookmark), "after \(place)")
            }
            try await group.markRead(through: all[249].bookmark)
            #expect(try await group.unreadCount == 250)
            try await node.close()
        }
    }

    @Test("an entry that has gone from the store is damage, not silence")
    func missingEntry() async throws {
        try await withDirectory { root in
            try await makeStore(at: root)
            let database = try DatabaseQueue(path: root.appendingPathComponent("tombolo.sqlite").path)
            try await database.write { try $0.execute(sql: "DELETE FROM event WHERE ordinal = 150") }
            try database.close()
            let node = try await Node.open(at: root)
            let group = try #require(try await node.groups.first)
            #expect(try await group.changes(after: .start, limit: 149).count == 149)
            let error = await #expect(throws: TomboloError.self) {
                try await group.changes(after: .start, limit: 1_000)
            }
            #expect(error?.code == .storeCorrupt)
            try await node.close()
        }
    }

    @Test("nobody else can read the files, whatever the directory's rights")
    func rights() async throws {
        try await withDirectory { root in
            try FileManager.default.createDirectory(
                at: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
            let node = try await Node.open(at: root)
            for name in try FileManager.default.contentsOfDirectory(atPath: root.path) {
                let path = root.appendingPathComponent(name).path
                let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(rights == 0o600, "\(name)")
            }
            try await node.close()
        }
    }

    @Test("damage anywhere in the file is found or does no harm; nothing crashes")
    func damage() async throws {
        try await withDirectory { root in
            try await makeStore(at: root)
            let url = root.appendingPathComponent("tombolo.sqlite")
            let sound = try Data(contentsOf: url)
            var state: UInt64 = 42
            var found = 0
            for _ in 0..<24 {
                var damaged = sound
                for _ in 0..<8 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let place = Int((state >> 16) % UInt64(damaged.count - 64))
                    for offset in 0..<64 { damaged[place + offset] ^= UInt8(truncatingIfNeeded: state >> 40) | 1 }
                }
                try damaged.write(to: url)
                do {
                    let node = try await Node.open(at: root)
                    for group in try await node.groups where try await !group.verify().isEmpty { found += 1 }
                    try await node.close()
                } catch {
                    #expect(error is TomboloError, "\(error)")
                    found += 1
                }
            }
            #expect(found > 12)
        }
    }
}
