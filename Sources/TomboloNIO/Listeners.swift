import NIOCore
import NIOPosix
import Synchronization
import TomboloCore

/// The ports on which a transport listens, and a bound on the connections that arrive at them.
final class Listeners: Sendable {
    private let channels = Mutex<[any Channel]>([])
    private let inbound = Mutex(0)
    /// The most simultaneous connections from outside. Further ones are closed before anything is read.
    private let mostInbound: Int

    init(mostInbound: Int) { self.mostInbound = mostInbound }

    /// - Parameter configure: sets up an accepted connection. If it fails, the connection is closed before anything is
    ///   read.
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
                guard self.admit(channel) else { return channel.close() }
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

    private func admit(_ channel: any Channel) -> Bool {
        let admitted = inbound.withLock { count in
            guard count < mostInbound else { return false }
            count += 1
            return true
        }
        if admitted { channel.closeFuture.whenComplete { _ in self.inbound.withLock { $0 -= 1 } } }
        return admitted
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
