public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

// Groups of the mvds dialect, and peers that speak MVDS alone (protocol §1).
extension Node {
    /// Makes a group of the mvds dialect: its members are whoever it is shared with, and nothing in it is signed.
    ///
    /// - Parameters:
    ///   - name: what to call it; for display on this device only.
    ///   - id: the group's id where others have it already; nil for a new one.
    /// - Throws: `EngineError` `groupExists`.
    public func createMVDSGroup(named name: String, id: GroupID? = nil) async throws -> SyncGroup {
        let effect = try await replica.request { .createMVDSGroup($0, id, name: name) }
        guard case .created(_, let id) = effect, let group = try group(id) else {
            throw TomboloError("the engine gave no answer")
        }
        return group
    }

    /// Remembers a peer that speaks MVDS alone, at `host:port` over plain TCP, and shares a group with it.
    ///
    /// Nothing proves who answers at the address: whoever does reads and writes the group.
    /// - Returns: what the peer is called here.
    @discardableResult
    public func addMVDSPeer(at address: String, sharing group: SyncGroup) async throws -> DeviceKey {
        guard PeerAddress(address) != nil else {
            throw TomboloError("\(address) is not an address of the form host:port")
        }
        let peer = Self.mvdsPeer(at: address)
        try mailbox.post([.addPeer(peer, dialect: .mvds, addresses: [address])])
        _ = try await replica.request { .share($0, group: group.id, with: peer) }
        try mailbox.tellLinkNews()
        return peer
    }

    /// Shares a group of the mvds dialect with a device of Tombolo's own.
    public func share(_ group: SyncGroup, with device: DeviceKey) async throws {
        _ = try await replica.request { .share($0, group: group.id, with: device) }
    }

    /// Messages, offers and requests that are outstanding towards a peer.
    public func outstandingRecords(with peer: DeviceKey) throws -> Int {
        try storage.read { try $0.recordCount(with: peer) }
    }

    private static func mvdsPeer(at address: String) -> DeviceKey {
        DeviceKey(SwiftCryptography().sha256(Array("tombolo-mvds-peer \(address)".utf8)))
    }

    /// Listens for peers that speak MVDS alone. Only those are heard that come from the host of a known one.
    @discardableResult
    public func listenMVDS(host: String = "127.0.0.1", port: Int = 0) async throws -> Int {
        let known = try peers.filter { $0.dialect == .mvds }
        var byAddress: [String: DeviceKey] = [:]
        for peer in known {
            for host in peer.addresses.compactMap({ PeerAddress($0)?.host }) {
                if let resolved = MVDSTransport.resolve(host) { byAddress[resolved] = peer.device }
            }
        }
        return try await mvdsTransport.listen(host: host, port: port) { [byAddress] in byAddress[$0] }
    }

    /// Exchanges what is outstanding with a peer that speaks MVDS alone, and hangs up when everything is acknowledged and
    /// the peer has been quiet for a while.
    func syncMVDS(with peer: DeviceKey, at address: String, within budget: SyncBudget) async throws -> PeerReport {
        let mailbox = try mailbox
        let start = clock.uptime
        try await mvdsTransport.dial(address, as: peer)
        let handshakeDuration = clock.uptime - start
        defer { for connection in mailbox.connections(to: peer) { connection.close() } }
        // Not bytes: the reference's peers answer with empty payloads for ever.
        var seen = (outstanding: -1, held: -1)
        var lastChange = clock.uptime
        while true {
            try? await clock.sleep(for: .milliseconds(100))
            let (outstanding, held) = try storage.read { reader in
                (try reader.recordCount(with: peer), try reader.messageCount())
            }
            guard let connection = mailbox.connections(to: peer).first else {
                throw TomboloError(
                    "the link to \(address) was closed; \(outstanding) messages and requests are outstanding")
            }
            let traffic = connection.traffic
            if (outstanding, held) != seen { (seen, lastChange) = ((outstanding, held), clock.uptime) }
            let isComplete = outstanding == 0 && clock.uptime - lastChange > Self.mvdsQuiet
            let isSpent =
                clock.uptime - start > budget.time ?? Self.mvdsPatience
                || traffic.sent + traffic.received > budget.bytes ?? .max || Task.isCancelled
            guard isComplete || isSpent else { continue }
            let groups = try storage.read { reader in
                try reader.groups().filter { try reader.sharers(of: $0).contains(peer) }.map(\.id)
            }
            return PeerReport(
                peer: peer, groups: isComplete ? groups.sorted() : [], oneSidedGroups: [], reconciliations: [:],
                isComplete: isComplete, bytesSent: traffic.sent,
                bytesReceived: traffic.received, handshakeBytes: 0, duration: clock.uptime - start,
                handshakeDuration: handshakeDuration)
        }
    }

    /// The reference's peers speak once in an epoch, of which a second is usual.
    private static let mvdsQuiet = Duration.seconds(3)
    /// Without a budget: a peer that neither answers nor acknowledges is given up.
    private static let mvdsPatience = Duration.seconds(600)
}

extension SyncGroup {
    /// Says bytes as they are, without type or version: what other MVDS peers read and write.
    @discardableResult
    public func send(bytes: Data) async throws -> EventID {
        let effect = try await node.replica.request {
            .append($0, group: id, kind: .message, content: Array(bytes), expiry: nil)
        }
        guard case .appended(_, let event) = effect else { throw TomboloError("the engine gave no answer") }
        return event
    }

    /// A digest over the ids of all messages of a group of the mvds dialect.
    var messageDigest: String {
        get throws {
            var ids: [EventID] = []
            try forEachMessage { ids.append($0.id) }
            return SwiftCryptography().sha256(ids.sorted().flatMap(\.bytes)).description
        }
    }

    private func forEachMessage(_ body: (StoredMessage) -> Void) throws {
        try node.storage.read { reader in
            var last: Int64 = 0
            while true {
                let messages = try reader.messages(of: record, after: last, limit: 1_024)
                guard let end = messages.last else { return }
                messages.forEach(body)
                last = end.ordinal
            }
        }
    }

    /// Whether every message of a group of the mvds dialect has the id that its bytes make. Nothing else proves it.
    func verifyMessages() throws -> [String] {
        var problems = try node.storage.integrityProblems()
        try forEachMessage { stored in
            if stored.message.id(using: SwiftCryptography()) != stored.id, problems.count < 100 {
                problems.append("message \(stored.id) is not what its id says")
            }
        }
        return problems
    }
}
