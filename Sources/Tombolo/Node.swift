public import Foundation
public import Logging
import Synchronization
public import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

/// This device: its store, its groups, its links to peers.
///
/// Usable offline at once; a handle that can be passed around freely.
public final class Node: Sendable {
    let replica: Replica
    let storage: SQLiteStorage
    let mailbox: Mailbox
    let transport: TCPTransport
    let mvdsTransport: MVDSTransport
    let logger: Logger
    private let addresses = Mutex<[String]>([])
    public let device: DeviceKey
    public let member: MemberKey

    /// Opens the device's store in `directory`, making its identity on first use.
    ///
    /// - Throws: ``StoreError``: `busy` if another process uses it, `newer`, `corrupt` or `unavailable`.
    public static func open(at directory: URL, logger: Logger = Logger(label: "tombolo")) async throws -> Node {
        let storage = try SQLiteStorage(directory: directory)
        let beginsIncarnation = try storage.write(isDurable: true) { store in
            let boot = BootIdentity.current
            let (lastBoot, wasClean) = (try store.value(forKey: "boot"), try store.value(forKey: "clean"))
            try store.setValue(boot, forKey: "boot")
            try store.setValue(nil, forKey: "clean")
            // A power cut may have taken received events with it (law 1).
            return lastBoot != nil && lastBoot != boot && wasClean == nil
        }
        let box = ReplicaBox()
        let mailbox = Mailbox { Task { await box.replica.withLock { $0 }?.drain() } }
        let replica = try Replica(
            storage: storage, mailbox: mailbox, beginsIncarnation: beginsIncarnation, logger: logger)
        box.replica.withLock { $0 = replica }
        let seed = try storage.write(isDurable: false) { try $0.value(forKey: IdentityKeys.deviceSeed) }
        guard let seed = seed.flatMap({ Bytes32($0) }) else { throw StoreError(.corrupt, "the device has no key") }
        let transport = try TCPTransport(deviceSeed: seed, handler: mailbox)
        return Node(
            replica: replica, storage: storage, mailbox: mailbox, transport: transport, logger: logger,
            device: await replica.device, member: await replica.member)
    }

    private init(
        replica: Replica, storage: SQLiteStorage, mailbox: Mailbox, transport: TCPTransport, logger: Logger,
        device: DeviceKey, member: MemberKey
    ) {
        self.replica = replica
        self.storage = storage
        self.mailbox = mailbox
        self.transport = transport
        self.logger = logger
        mvdsTransport = MVDSTransport(handler: mailbox)
        self.device = device
        self.member = member
    }

    // MARK: Groups

    public func createGroup(named name: String) async throws -> SyncGroup {
        let effect = try await replica.request { .createGroup($0, name: name) }
        guard case .created(_, let id) = effect, let group = try group(id) else {
            throw TomboloError("the engine gave no answer")
        }
        return group
    }

    public var groups: [SyncGroup] {
        get throws { try storage.read { try $0.groups() }.map { SyncGroup($0, self) } }
    }

    public func group(_ id: GroupID) throws -> SyncGroup? { try groups.first { $0.id == id } }

    /// Joins the group of an invitation: reaches the inviter, proves the secret, and syncs.
    public func join(_ link: InvitationLink, timeout: Duration = .seconds(30)) async throws -> SyncGroup {
        let invitation = link.invitation
        guard !invitation.addresses.isEmpty else {
            throw TomboloError("the invitation says nowhere to reach the inviter: ask for one made while it listens")
        }
        var lastError: any Error = TomboloError("the inviter cannot be reached")
        for address in invitation.addresses {
            do {
                _ = try await sync(with: invitation.inviter, at: address, joining: invitation, timeout: timeout)
                mailbox.post([.addPeer(invitation.inviter, addresses: invitation.addresses)])
                await replica.drain()
                if let group = try group(invitation.group) { return group }
            } catch {
                lastError = error
            }
        }
        throw lastError
    }

    // MARK: Links

    /// Listens for peers; port 0 takes any free one.
    @discardableResult
    public func listen(host: String = "127.0.0.1", port: Int = 0) async throws -> Int {
        let port = try await transport.listen(host: host, port: port)
        addresses.withLock { $0.append(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)") }
        return port
    }

    var listeningAddresses: [String] { addresses.withLock { $0 } }

    /// Remembers a device and where it can be reached; returns once that is stored.
    public func addPeer(_ device: DeviceKey, address: String) async throws {
        guard TCPTransport.parse(address) != nil else {
            throw TomboloError("\(address) is not an address of the form host:port")
        }
        mailbox.post([.addPeer(device, addresses: [address])])
        await replica.drain()
        mailbox.tellLinkNews()
    }

    public var peers: [PeerRecord] { get throws { try storage.read { try $0.peers() } } }
    public var connectedPeers: [DeviceKey] { mailbox.connectedPeers }

    /// Connects to a peer and stays connected until either side closes: live events flow.
    public func connect(to peer: DeviceKey, at address: String) async throws {
        try await transport.dial(address, expecting: peer)
    }

    /// Connects to a peer, syncs every group that both have, and hangs up.
    public func sync(with peer: DeviceKey, at address: String, timeout: Duration = .seconds(600)) async throws
        -> SyncReport
    {
        if try peers.contains(where: { $0.device == peer && $0.dialect == .mvds }) {
            return try await syncMVDS(with: peer, at: address, timeout: timeout)
        }
        return try await sync(with: peer, at: address, joining: nil, timeout: timeout)
    }

    private func sync(
        with peer: DeviceKey, at address: String, joining invitation: Invitation?, timeout: Duration
    ) async throws -> SyncReport {
        let news = mailbox.watch(peer, joining: invitation)
        defer { mailbox.unwatch(peer) }
        let start = ContinuousClock.now
        try await transport.dial(address, expecting: peer)
        let handshakeDuration = ContinuousClock.now - start
        let deadline = Task { [mailbox] in
            try await Task.sleep(for: timeout)
            for connection in mailbox.connections(to: peer) { connection.close() }
        }
        defer { deadline.cancel() }
        var common: Set<GroupID>?
        var agreed: Set<GroupID> = []
        for await event in news {
            switch event {
            case .ready(let groups):
                if invitation == nil || !groups.isEmpty { common = (common ?? []).union(groups) }
            case .joined(let group): common = (common ?? []).union([group])
            case .agreed(let group): agreed.insert(group)
            case .closed(let error):
                if let error { throw error }
                throw TomboloError("the link to \(address) was closed before everything was synced")
            }
            guard let common, common.isSubset(of: agreed) else { continue }
            if let invitation, !common.contains(invitation.group) { continue }
            break
        }
        try Task.checkCancellation()
        let connections = mailbox.connections(to: peer)
        let traffic = connections.first?.traffic ?? mailbox.traffic(with: peer)
        for connection in connections where connection.isDialler { connection.close() }
        return SyncReport(
            groups: agreed.sorted(), bytesSent: traffic.sent, bytesReceived: traffic.received,
            handshakeBytes: traffic.handshake, duration: ContinuousClock.now - start,
            handshakeDuration: handshakeDuration)
    }

    /// Stops listening, closes all links and syncs the store to disk.
    public func close() async throws {
        await transport.stopListening()
        await mvdsTransport.stopListening()
        mailbox.closeAll()
        await replica.close()
        _ = try storage.write(isDurable: true) { try $0.setValue([1], forKey: "clean") }
        try storage.synchronize()
        try storage.close()
    }
}

/// What a sync cost.
public struct SyncReport: Sendable, Hashable {
    /// The groups in which both now know the same.
    public let groups: [GroupID]
    /// Bytes on the wire, TLS included, handshake not.
    public let bytesSent: Int
    public let bytesReceived: Int
    /// Bytes of the TLS handshake, both ways.
    public let handshakeBytes: Int
    /// From dialling to the end.
    public let duration: Duration
    /// The part of `duration` until the peer had proved its key.
    public let handshakeDuration: Duration
}

private final class ReplicaBox: Sendable {
    let replica = Mutex<Replica?>(nil)
}
