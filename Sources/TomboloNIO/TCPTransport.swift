import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
public import TomboloCore

/// TCP with TLS 1.3, with both sides pinned to their device keys (protocol §4).
public final class TCPTransport: Transport {
    private let certificate: DeviceCertificate
    private let group: any EventLoopGroup
    private let handler: any ConnectionHandler
    private let clientContext: NIOSSLContext
    private let serverContext: NIOSSLContext
    private let listeners = Listeners(mostProved: 768)
    public let scheme = PeerAddress.defaultScheme
    public let dialect = Dialect.native
    public let delivery = PayloadDelivery.stream

    public init(identity: TransportIdentity, handler: any ConnectionHandler) throws {
        certificate = try DeviceCertificate(deviceSeed: identity.seed)
        group = MultiThreadedEventLoopGroup.singleton
        self.handler = handler
        clientContext = try NIOSSLContext(configuration: certificate.configuration(isServer: false))
        serverContext = try NIOSSLContext(configuration: certificate.configuration(isServer: true))
    }

    /// Listens for peers; port 0 selects any free port.
    /// - Returns: the port.
    /// - Throws: `TransportError` if the port is taken or the address is not of this machine.
    public func listen(host: String, port: Int) async throws -> Int {
        try await listeners.listen(host: host, port: port, on: group) { channel in
            channel.eventLoop.makeCompletedFuture {
                try self.configure(channel, isServer: true, expecting: nil, established: nil)
            }
        }
    }

    /// Dials `host:port`. Returns when the peer has proved its key. The handler receives the connection.
    public func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws {
        guard let target = address.endpoint else { throw TransportError.noAddress(address) }
        let established = group.any().makePromise(of: Void.self)
        do {
            _ = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(10))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try self.configure(channel, isServer: false, expecting: peer, established: established)
                    }
                }
                .connect(host: target.host, port: target.port).get()
            try await established.futureResult.get()
        } catch {
            established.fail(error)
            throw TransportError("cannot reach \(address): \(reason(for: error))")
        }
    }

    public func stopListening() async { await listeners.stop() }

    private func configure(
        _ channel: any Channel, isServer: Bool, expecting expected: DeviceKey?, established: EventLoopPromise<Void>?
    ) throws {
        let counter = ByteCounter()
        let box = CertificateBox()
        let verify: NIOSSLCustomVerificationCallback = { certificates, promise in
            guard let leaf = certificates.first, let key = DeviceCertificate.deviceKey(of: leaf),
                expected == nil || expected == key
            else { return promise.succeed(.failed) }
            box.certificate.withLock { $0 = leaf }
            promise.succeed(.certificateVerified)
        }
        let tls: any ChannelHandler =
            isServer
            ? NIOSSLServerHandler(context: serverContext, customVerificationCallback: verify)
            : try NIOSSLClientHandler(context: clientContext, serverHostname: nil, customVerificationCallback: verify)
        let (own, listeners) = (certificate.der, listeners)
        let frames = FrameHandler(
            handler: handler, counter: counter, established: established,
            peerCertificate: { box.certificate.withLock { $0 } }
        ) { leaf in
            guard let leaf, let key = DeviceCertificate.deviceKey(of: leaf), let der = try? leaf.toDERBytes() else {
                return nil
            }
            guard !isServer || listeners.proved(channel) else { return nil }
            let binding = DeviceCertificate.binding(dialler: isServer ? der : own, listener: isServer ? own : der)
            return ChannelConnection(
                peer: key, isDialler: !isServer, binding: binding, dialect: .native, channel: channel, counter: counter)
        }
        try channel.pipeline.syncOperations.addHandlers([CountingHandler(counter), tls, frames])
    }
}

private final class CertificateBox: Sendable {
    let certificate = Mutex<NIOSSLCertificate?>(nil)
}
