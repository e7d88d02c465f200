import NIOCore
import NIOPosix
import Synchronization
public import TomboloCore

/// Plain TCP to peers that speak MVDS alone. Nothing authenticates the peer or encrypts the payloads; the address
/// stands for the peer.
public final class MVDSTransport: Sendable {
    private let group: any EventLoopGroup
    private let handler: any ConnectionHandler
    private let listeners = Listeners(mostInbound: 64)

    public init(handler: any ConnectionHandler) {
        group = MultiThreadedEventLoopGroup.singleton
        self.handler = handler
    }

    /// Dials `host:port`. The connection then belongs to `peer`.
    public func dial(_ address: String, as peer: DeviceKey) async throws {
        guard let target = PeerAddress(address) else {
            throw TransportError("\(address) is not an address of the form host:port")
        }
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
            throw TransportError("cannot reach \(address): \(reason(for: error))")
        }
    }

    /// Listens for peers that are identified by their IP address. A connection from another address is closed before
    /// anything is read.
    ///
    /// - Parameters:
    ///   - host: the address to listen on.
    ///   - port: the port; 0 selects any free one.
    ///   - identify: returns the peer at an IP address; nil if there is none.
    /// - Returns: the port.
    public func listen(
        host: String, port: Int, identify: @escaping @Sendable (_ address: String) -> DeviceKey?
    ) async throws -> Int {
        try await listeners.listen(host: host, port: port, on: group) { channel in
            guard let address = channel.remoteAddress?.ipAddress, let peer = identify(address) else {
                throw TransportError("no known peer has this address")
            }
            try self.configure(channel, peer: peer, isDialler: false)
        }
    }

    /// The IP address that a host name has now; nil if the name is unknown. The call blocks on the system's resolver,
    /// which can be slow.
    public static func resolve(_ host: String) -> String? {
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
