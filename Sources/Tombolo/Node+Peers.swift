import Synchronization
public import TomboloCore
import TomboloSQLite

/// What is known of a peer now.
public struct PeerState: Hashable, Sendable {
    public let device: DeviceKey
    /// Where it was last known to be reached.
    public let addresses: [String]
    public let isConnected: Bool
}

/// What has come and gone since the node was opened.
public struct SyncProgress: Hashable, Sendable {
    /// Transactions that were committed.
    public var batches = 0
    /// Payloads received, and their bytes.
    public var payloads = 0
    public var bytesReceived = 0
    public var bytesSent = 0
    /// Groups in which the peer of the latest meeting and this device were found to know the same.
    public var groupsInSync: Set<GroupID> = []
}

extension Node {
    /// Listens for peers; port 0 takes any free one.
    /// - Returns: the port.
    @discardableResult
    public func listen(host: String = "127.0.0.1", port: Int = 0) async throws -> Int {
        let port = try await transport.listen(host: host, port: port)
        addresses.withLock { $0.append(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)") }
        return port
    }

    var listeningAddresses: [String] { addresses.withLock { $0 } }

    /// Remembers a device and where it can be reached; returns once that is stored.
    public func addPeer(_ device: DeviceKey, address: String) async throws {
        guard PeerAddress(address) != nil else {
            throw TomboloError("\(address) is not an address of the form host:port")
        }
        try mailbox.post([.addPeer(device, addresses: [address])])
        try await replica.drainAll()
        try mailbox.tellLinkNews()
    }

    /// The devices that this one has met or was told of.
    public var peers: [PeerRecord] { get throws { try storage.read { try $0.peers() } } }

    /// The devices that are connected now.
    public var connectedPeers: [DeviceKey] { get throws { try mailbox.connectedPeers } }

    /// All peers with their state, now and whenever one comes or goes. A slow reader gets the latest state alone.
    public func peerStates() throws -> AsyncStream<[PeerState]> {
        let links = try mailbox.connected.values()
        return AsyncStream { continuation in
            let task = Task {
                for await connected in links {
                    guard let peers = try? peers else { break }
                    continuation.yield(
                        peers.map {
                            PeerState(
                                device: $0.device, addresses: $0.addresses, isConnected: connected.contains($0.device))
                        })
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// What has come and gone, now and after every batch. A slow reader gets the latest state alone.
    public func progress() throws -> AsyncStream<SyncProgress> { try replica.progress.values() }
}
