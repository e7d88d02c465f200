import Synchronization
public import TomboloCore
import TomboloSQLite

/// The amounts that a node has exchanged since it was opened.
public struct SyncProgress: Hashable, Sendable {
    /// The number of committed transactions.
    public var batches = 0
    /// The number of received payloads.
    public var payloads = 0
    /// The bytes of received payloads, before compression and encryption.
    public var bytesReceived = 0
    /// The bytes of sent payloads, before compression and encryption.
    public var bytesSent = 0
    /// The groups in which this device and the peer of the latest session were found to hold the same.
    public var groupsInSync: Set<GroupID> = []
}

extension Node {
    /// Remembers a device and an address of it; returns once that is stored. The latest 16 addresses are kept.
    ///
    /// - Throws: ``TomboloError`` `invalidArgument` if the text is not a `PeerAddress`.
    public func addPeer(_ device: DeviceKey, address: String) async throws {
        guard PeerAddress(address) != nil else { throw TomboloError.noAddress(address) }
        let queue = try queue
        queue.post([.addPeer(device, addresses: [address])])
        try await drain()
        queue.signalLinks()
    }

    /// Forgets a peer and its addresses, and closes the links to it. This device no longer dials it.
    ///
    /// The peer stays a member of the groups that it is in. If it dials this device, the two sync and it is known
    /// again.
    /// - Throws: ``TomboloError`` of the store.
    public func removePeer(_ peer: PeerID) async throws {
        let (queue, runtime, key) = (try queue, try runtime, peer.key)
        queue.stopKeeping(key)
        _ = try await runtime.request { .removePeer($0, key) }
        for connection in queue.connections(to: key) { connection.close() }
        queue.signalLinks()
    }

    /// Forgets one address of a device. A link over it stays open.
    ///
    /// - Throws: ``TomboloError`` `notAllowed` if the device is not known at this address, or of the store.
    public func removeAddress(_ address: String, of device: DeviceKey) async throws {
        _ = try await runtime.request { .removeAddress($0, address, of: device) }
    }

    /// Confirms an address at which a peer was reached: it is dialled first the next time.
    func confirm(_ address: PeerAddress, of peer: PeerRecord) throws {
        guard peer.dialect == .native, peer.addresses.first != address.description else { return }
        try queue.post([.addPeer(peer.device, addresses: [address.description])])
    }

    /// Processes and commits all inputs that were posted so far.
    func drain() async throws {
        let runtime = try runtime
        try await convertingErrors { try await runtime.drainAll() }
    }

    /// The peers that this device has met or knows an address of, ascending by their keys.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var peers: [Peer] {
        get async throws { try readPeers() }
    }

    private func readPeers() throws -> [Peer] {
        let connected = Set(components?.queue.connectedPeers ?? [])
        return try peerRecords.map { Peer($0, isConnected: connected.contains($0.device)) }
    }

    var peerRecords: [PeerRecord] { get throws { try read { try $0.peers() } } }

    /// The names of peers, by the store's keys for them.
    func peerIDs(of keys: [DeviceKey], _ reader: SQLiteReader) throws -> [PeerID] {
        let known = Dictionary(try reader.peers().map { ($0.device, PeerID($0)) }, uniquingKeysWith: { one, _ in one })
        return keys.map { known[$0] ?? .device($0) }.sorted()
    }

    /// All peers, now and whenever one connects or disconnects. A slow reader gets only the latest.
    public func peerUpdates() -> some AsyncSequence<[Peer], TomboloError> & Sendable {
        PullSequence<[Peer], TomboloError>(
            signals: { try self.queue.connected.values() }, read: { _ in try self.readPeers() })
    }

    /// The exchanged amounts, now and after every batch. A slow reader gets only the latest.
    public func progress() -> some AsyncSequence<SyncProgress, Never> & Sendable {
        (components?.runtime.progress ?? LatestValue(SyncProgress())).values()
    }
}

extension PeerID {
    /// The store's key for the peer.
    var key: DeviceKey {
        switch self {
        case .device(let key): key
        case .mvds(let address): Node.mvdsKey(ofAddress: address)
        }
    }
}
