import NIOCore
import NIOPosix
public import TomboloCore

/// Plain TCP to peers that speak MVDS alone. Nothing authenticates the peer or encrypts the payloads; the address
/// stands for the peer.
public final class MVDSTransport: Transport {
    private let group: any EventLoopGroup
    private let handler: any ConnectionHandler
    private let knownPeers: @Sendable () throws -> [PeerRecord]
    private let listeners = Listeners(mostProved: 64)
    public var scheme: String { Self.scheme }
    public let dialect = Dialect.mvds
    public let delivery = PayloadDelivery.stream

    /// The scheme of its addresses.
    public static let scheme = "mvds"

    /// - Parameters:
    ///   - handler: receives the connections and their payloads.
    ///   - knownPeers: returns the peers that the device knows now. It may block on the disk.
    public init(handler: any ConnectionHandler, knownPeers: @escaping @Sendable () throws -> [PeerRecord]) {
        group = MultiThreadedEventLoopGroup.singleton
        self.handler = handler
        self.knownPeers = knownPeers
    }

    /// Dials `host:port`. Whatever answers there is taken for `peer`.
    public func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws {
        guard let target = address.endpoint else { throw TransportError.noAddress(address) }
        do {
            _ = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(10))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try self.configure(channel, peer: peer, isDialler: true)
                    }
                }
                .connect(host: target.host, port: target.port).get()
        } catch {
            throw TransportError("cannot reach \(target.host):\(target.port): \(reason(for: error))")
        }
    }

    /// Listens for known peers, which it recognises by their IP addresses. It closes other connections before it reads
    /// from them.
    public func listen(host: String, port: Int) async throws -> Int {
        try await listeners.listen(host: host, port: port, on: group) { channel in
            guard let address = channel.remoteAddress?.ipAddress else {
                return channel.eventLoop.makeFailedFuture(TransportError("the connection has no IP address"))
            }
            // The store and the system's resolver may block.
            return NIOThreadPool.singleton.runIfActive(eventLoop: channel.eventLoop) { try self.peer(at: address) }
                .flatMapThrowing { peer in
                    guard self.listeners.proved(channel) else { throw TransportError("too many links are open") }
                    try self.configure(channel, peer: peer, isDialler: false)
                }
        }
    }

    private func peer(at ipAddress: String) throws -> DeviceKey {
        for peer in try knownPeers().reversed() where peer.dialect == .mvds {
            let hosts = peer.addresses.compactMap { PeerAddress($0)?.endpoint?.host }
            if hosts.contains(where: { $0 == ipAddress || Self.resolve($0) == ipAddress }) { return peer.device }
        }
        throw TransportError("no known peer has the address \(ipAddress)")
    }

    /// The IP address that a host name has now; nil if the name is unknown.
    private static func resolve(_ host: String) -> String? {
        try? SocketAddress.makeAddressResolvingHost(host, port: 0).ipAddress
    }

    /// Stops listening. Open connections stay open.
    public func stopListening() async { await listeners.stop() }

    private func configure(_ channel: any Channel, peer: DeviceKey, isDialler: Bool) throws {
        let counter = ByteCounter()
        let connection = ChannelConnection(
            peer: peer, isDialler: isDialler, binding: .zero, dialect: .mvds, channel: channel, counter: counter)
        let frames = MVDSFrameHandler(handler: handler, connection: connection)
        try channel.pipeline.syncOperations.addHandlers([CountingHandler(counter), frames])
    }
}
