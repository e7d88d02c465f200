public import TomboloCore
import TomboloNIO

/// A recipe by which a node makes one of its transports.
public struct TransportProvider: Sendable {
    let make: @Sendable (TransportContext) throws -> any Transport

    /// - Parameter make: makes the transport of a device.
    public init(_ make: @escaping @Sendable (TransportContext) throws -> any Transport) {
        self.make = make
    }

    /// TCP with TLS 1.3; both sides prove their device keys. Its addresses are `host:port`.
    public static let tcp = TransportProvider { try TCPTransport(identity: $0.identity, handler: $0.handler) }

    /// Plain TCP to peers that speak MVDS alone. Nothing proves their identity.
    public static let mvds = TransportProvider { MVDSTransport(handler: $0.handler, knownPeers: $0.knownPeers) }
}

/// The things that a transport receives from its node.
public struct TransportContext: Sendable {
    /// The key that the transport proves to peers.
    public let identity: TransportIdentity
    /// The receiver of connections and payloads.
    public let handler: any ConnectionHandler
    /// Returns the peers that the device knows now. It reads the disk, and throws while the node is suspended.
    public let knownPeers: @Sendable () throws -> [PeerRecord]
}
