public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

// Groups of the mvds dialect, and peers that speak MVDS alone (protocol §1).
extension Node {
    /// Makes a group of the mvds dialect. All peers with which it is shared are in it. Nothing in it is signed or
    /// encrypted.
    ///
    /// - Parameters:
    ///   - name: shown on this device only.
    ///   - id: the group's id, if other peers have the group already; nil for a new group.
    /// - Throws: ``TomboloError`` `groupExists`, or of the store.
    public func createMVDSGroup(named name: String, id: GroupID? = nil) async throws -> SyncGroup {
        let effect = try await runtime.request { .createMVDSGroup($0, id, name: name) }
        guard case .created(_, let id) = effect, let group = try await group(id) else { throw TomboloError.noAnswer }
        return group
    }

    /// Remembers a peer that speaks MVDS alone, at `host:port` over plain TCP, and shares a group with it.
    ///
    /// Nothing proves which peer answers at the address. Any peer that does reads and writes the group.
    /// - Throws: ``TomboloError`` `invalidArgument` if the address has another form, `unknownGroup`, `wrongDialect`.
    public func addMVDSPeer(at address: String, sharing group: SyncGroup) async throws {
        guard PeerAddress(address, dialect: .mvds) != nil else { throw TomboloError.noAddress(address) }
        let (queue, peer) = (try queue, Self.mvdsKey(ofAddress: address))
        queue.post([.addPeer(peer, dialect: .mvds, addresses: [address])])
        _ = try await runtime.request { .share($0, group: group.id, with: peer) }
        queue.signalLinks()
    }

    /// Shares a group of the mvds dialect with a device that speaks Tombolo's protocol.
    ///
    /// - Throws: ``TomboloError`` `unknownGroup`, `wrongDialect`.
    public func share(_ group: SyncGroup, with device: DeviceKey) async throws {
        _ = try await runtime.request { .share($0, group: group.id, with: device) }
    }

    /// The number of messages, offers and requests of the mvds dialect that are outstanding towards a peer.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func outstandingRecords(with peer: PeerID) async throws -> Int {
        try read { try $0.recordCount(with: peer.key) }
    }

    /// The key by which the store names a peer without a key: a hash of its address.
    static func mvdsKey(ofAddress address: String) -> DeviceKey {
        DeviceKey(SwiftCryptography().sha256(Array("tombolo-mvds-peer \(address)".utf8)))
    }

    /// Listens for peers that speak MVDS alone, over plain TCP. It accepts connections from the hosts of known peers.
    ///
    /// - Returns: the port.
    /// - Throws: ``TomboloError`` `unreachable` if the port is taken.
    @discardableResult
    public func listenMVDS(host: String = "127.0.0.1", port: Int = 0) async throws -> Int {
        try await listen(host: host, port: port, scheme: MVDSTransport.scheme)
    }

    /// Exchanges the outstanding records with a peer that speaks MVDS alone. Closes the link once everything is
    /// acknowledged and the peer has been silent for three seconds.
    ///
    /// - Throws: ``TomboloError`` `unreachable`, or `linkClosed` if the peer closes the link before.
    public func sync(
        withMVDSPeerAt address: String, within budget: SyncBudget = .unlimited
    ) async throws -> PeerReport {
        try await convertingErrors {
            guard let place = PeerAddress(address, dialect: .mvds) else { throw TomboloError.noAddress(address) }
            return try await syncMVDS(with: .mvds(address: address), at: place, within: budget)
        }
    }

    func syncMVDS(with id: PeerID, at address: PeerAddress, within budget: SyncBudget) async throws -> PeerReport {
        let (queue, peer) = (try queue, id.key)
        let start = clock.uptime
        try await transports.dial(address, expecting: peer)
        let handshakeDuration = clock.uptime - start
        defer { for connection in queue.connections(to: peer) { connection.close() } }
        // Bytes show no progress: peers of the reference implementation answer with empty payloads for ever.
        var seen = (outstanding: -1, held: -1)
        var lastChange = clock.uptime
        while true {
            try? await clock.sleep(for: .milliseconds(100))
            let (outstanding, held) = try read { reader in
                (try reader.recordCount(with: peer), try reader.messageCount())
            }
            guard let connection = queue.connections(to: peer).first else {
                throw TomboloError(
                    .linkClosed,
                    "the link to \(address.location) was closed while \(outstanding) messages and requests were outstanding"
                )
            }
            let traffic = connection.traffic
            if (outstanding, held) != seen { (seen, lastChange) = ((outstanding, held), clock.uptime) }
            let isComplete = outstanding == 0 && clock.uptime - lastChange > Self.mvdsQuiet
            let isSpent =
                clock.uptime - start > budget.time ?? Self.mvdsPatience
                || traffic.sent + traffic.received > budget.bytes ?? .max || Task.isCancelled
            guard isComplete || isSpent else { continue }
            let groups = try read { reader in
                try reader.groups().filter { try reader.sharers(of: $0).contains(peer) }.map(\.id)
            }
            return PeerReport(
                peer: id, groups: isComplete ? groups.sorted() : [], oneSidedGroups: [],
                reconciliations: [:],
                isComplete: isComplete, bytesSent: traffic.sent,
                bytesReceived: traffic.received, handshakeBytes: 0, duration: clock.uptime - start,
                handshakeDuration: handshakeDuration)
        }
    }

    /// The silence after which a sync ends. Peers of the reference send once in an epoch, which usually is a second.
    private static let mvdsQuiet = Duration.seconds(3)
    /// The time after which a sync without a budget gives up a peer that neither answers nor acknowledges.
    private static let mvdsPatience = Duration.seconds(600)
}

extension SyncGroup {
    /// Sends bytes without type or version, the content of groups of the mvds dialect.
    ///
    /// - Throws: ``TomboloError`` `contentTooLarge` above 65,536 bytes, or of the store.
    @discardableResult
    public func send(bytes: Data) async throws -> EventID {
        let effect = try await node.runtime.request {
            .append($0, group: id, kind: .message, content: Array(bytes), expiry: nil)
        }
        guard case .appended(_, let event) = effect else { throw TomboloError.noAnswer }
        return event
    }

    /// Sends bytes without type or version to the connected peers. No device stores them. At most 4,096 bytes.
    ///
    /// - Throws: ``TomboloError`` `contentTooLarge`, or of the store.
    public func broadcast(bytes: Data) async throws {
        _ = try await node.runtime.request { .broadcast($0, group: id, content: Array(bytes)) }
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
        try node.read { reader in
            var last: Int64 = 0
            while true {
                let messages = try reader.messages(of: record, after: last, limit: 1_024)
                guard let end = messages.last else { return }
                messages.forEach(body)
                last = end.ordinal
            }
        }
    }

    /// Verifies that every message of a group of the mvds dialect has the id of its bytes. Nothing else proves it.
    func verifyMessages() throws -> [String] {
        var problems = try convertingErrors { try node.storage.integrityProblems() }
        try forEachMessage { stored in
            if stored.message.id(using: SwiftCryptography()) != stored.id, problems.count < 100 {
                problems.append("message \(stored.id): its id does not match its bytes")
            }
        }
        return problems
    }
}
