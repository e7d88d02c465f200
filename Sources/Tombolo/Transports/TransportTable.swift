import TomboloCore
import TomboloNIO

/// The transports of a node, found by the schemes of their addresses.
struct TransportTable: Sendable {
    private let transports: [any Transport]

    /// - Throws: ``TomboloError`` `invalidArgument` if a transport of the native dialect may lose, reorder or split
    ///   payloads.
    init(_ transports: [any Transport]) throws {
        for transport in transports
        where transport.dialect == .native && !transport.delivery.carriesNativeDialect {
            throw TomboloError(
                .invalidArgument,
                "the transport \(transport.scheme) does not deliver whole payloads in order, which native groups need",
                recovery: "put a reliable stream on top of it, or use it for the mvds dialect")
        }
        self.transports = transports
    }

    private func transports(for scheme: String) throws -> [any Transport] {
        let found = transports.filter { $0.scheme == scheme }
        guard !found.isEmpty else {
            throw TomboloError(
                .invalidArgument, "this device has no transport for \(scheme) addresses",
                recovery: "give one to the node's configuration")
        }
        return found
    }

    func dialect(of scheme: String) throws -> Dialect { try transports(for: scheme)[0].dialect }

    /// Listens with the first transport of a scheme.
    func listen(host: String, port: Int, scheme: String) async throws -> Int {
        try await transports(for: scheme)[0].listen(host: host, port: port)
    }

    /// Dials an address with the transports of its scheme, until one reaches the peer.
    func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws {
        var failure: (any Error)?
        for transport in try transports(for: address.scheme) {
            do {
                return try await transport.dial(address, expecting: peer)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    func stopListening() async { for transport in transports { await transport.stopListening() } }
}

extension PeerRecord {
    /// The addresses at which the peer can be dialled, best first.
    ///
    /// Those of a peer that speaks MVDS alone are stored without a scheme, since they are its name.
    var dialAddresses: [PeerAddress] { addresses.compactMap { PeerAddress($0, dialect: dialect) } }
}

extension PeerAddress {
    /// An address that a user has given for a peer of a dialect.
    init?(_ text: String, dialect: Dialect) {
        self.init(text)
        guard dialect == .mvds, scheme == Self.defaultScheme else { return }
        self.init(scheme: MVDSTransport.scheme, location: location)
    }
}
