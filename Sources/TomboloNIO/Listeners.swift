import NIOCore
import NIOPosix
import Synchronization
import TomboloCore

/// The ports on which a transport listens, and a bound on the connections that arrive at them.
final class Listeners: Sendable {
    private let channels = Mutex<[any Channel]>([])
    private let inbound = Mutex(Inbound())
    /// The most simultaneous connections that have proved a key. Further ones are closed.
    private let mostProved: Int

    private struct Inbound {
        var pending = PendingConnections(most: 128, mostPerHost: 8)
        var proved = 0
    }

    init(mostProved: Int) { self.mostProved = mostProved }

    /// - Parameter configure: sets up an accepted connection. If it fails, the connection is closed before anything is
    ///   read. It calls ``proved(_:)`` once the peer has proved its key.
    /// - Returns: the port.
    func listen(
        host: String, port: Int, on group: any EventLoopGroup,
        configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> Int {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                self.noteAccepted(channel)
                return configure(channel)
            }
        do {
            let channel = try await bootstrap.bind(host: host, port: port).get()
            channels.withLock { $0.append(channel) }
            return channel.localAddress?.port ?? port
        } catch {
            throw TransportError(
                "cannot listen on \(host):\(port): \(reason(for: error)); choose another address or port")
        }
    }

    private func noteAccepted(_ channel: any Channel) {
        let host = PendingConnections.host(of: channel.remoteAddress)
        inbound.withLock { $0.pending.insert(channel, from: host) }?.close(promise: nil)
        channel.closeFuture.whenComplete { _ in self.inbound.withLock { $0.pending.remove(channel) } }
    }

    /// Notes that the peer of an accepted connection has proved its key.
    ///
    /// - Returns: false if there is no room for it.
    func proved(_ channel: any Channel) -> Bool {
        let hasRoom = inbound.withLock { inbound in
            inbound.pending.remove(channel)
            guard inbound.proved < mostProved else { return false }
            inbound.proved += 1
            return true
        }
        if hasRoom { channel.closeFuture.whenComplete { _ in self.inbound.withLock { $0.proved -= 1 } } }
        return hasRoom
    }

    /// Stops listening. Open connections stay open.
    func stop() async {
        let listening = channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
        for channel in listening { try? await channel.close().get() }
    }
}
