import Synchronization
public import TomboloCore
import TomboloNIO

/// A host and a port on which a node listens.
struct ListeningPlace: Hashable, Sendable {
    /// The scheme of the addresses at which others reach it.
    let scheme: String
    let dialect: Dialect
    let host: String
    let port: Int
    /// Tells whether any free port may be used.
    let allowsAnyPort: Bool

    /// Tells whether the host stands for all addresses of the device.
    static func isWildcard(_ host: String) -> Bool { ["0.0.0.0", "::", "*", ""].contains(host) }
    /// Tells whether only this device can reach the address.
    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host.hasPrefix("127.") || host == "::1"
    }

    private func address(_ host: String) -> String {
        let location = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        return PeerAddress(scheme: scheme, location: location).description
    }

    /// The addresses at which other devices reach it.
    ///
    /// - Parameter interfaces: the device's IP addresses.
    func addresses(of interfaces: [String]) -> [String] {
        guard Self.isWildcard(host) else { return [address(host)] }
        return interfaces.filter { host != "0.0.0.0" || !$0.contains(":") }.map { address($0) }
    }
}

extension Node {
    /// Listens for peers; port 0 takes any free one.
    ///
    /// - Parameters:
    ///   - host: the address to listen on. `0.0.0.0` and `::` stand for all addresses of the device.
    ///   - port: the port.
    ///   - scheme: the scheme of the transport that listens.
    /// - Returns: the port.
    /// - Throws: ``TomboloError`` `unreachable` if the port is taken; `invalidArgument` if no transport has the scheme.
    @discardableResult
    public func listen(
        host: String = "127.0.0.1", port: Int = 0, scheme: String = PeerAddress.defaultScheme
    ) async throws -> Int {
        let transports = try transports
        let dialect = try transports.dialect(of: scheme)
        let actual = try await convertingErrors {
            try await transports.listen(host: host, port: port, scheme: scheme)
        }
        let place = ListeningPlace(
            scheme: scheme, dialect: dialect, host: host, port: actual, allowsAnyPort: port == 0)
        listening.withLock { $0.append(place) }
        return actual
    }

    /// The addresses that an invitation names: those that the caller gives, then those where this device listens.
    ///
    /// Wildcards stand for all addresses of the device. Loopback addresses are left out if there is any other.
    /// - Throws: ``TomboloError`` `invalidArgument` if a given address has another form or is a wildcard;
    ///   `notListening` if there is no address.
    func invitationAddresses(adding given: [String]) throws -> [String] {
        for address in given {
            guard let parsed = PeerAddress(address) else { throw TomboloError.noAddress(address) }
            guard parsed.endpoint.map({ !ListeningPlace.isWildcard($0.host) }) ?? true else {
                throw TomboloError(
                    .invalidArgument, "\(address) is an address to listen on, which no peer can dial",
                    recovery: "name an address at which this device is reached")
            }
        }
        let places = listening.withLock { $0 }.filter { $0.dialect == .native }
        let interfaces =
            places.contains { ListeningPlace.isWildcard($0.host) } ? NetworkInterfaces.addresses() : []
        var all = given
        for address in places.flatMap({ $0.addresses(of: interfaces) }) where !all.contains(address) {
            all.append(address)
        }
        func isLoopback(_ address: String) -> Bool {
            PeerAddress(address)?.endpoint.map { ListeningPlace.isLoopback($0.host) } ?? false
        }
        if all.contains(where: { !isLoopback($0) }) { all.removeAll { isLoopback($0) && !given.contains($0) } }
        guard !all.isEmpty else {
            throw TomboloError(
                .notListening, "no peer could use the invitation, since this device does not listen",
                recovery: "call listen() first, or name the addresses at which the device is reached")
        }
        return all
    }

    /// Listens again at the places where the node listened before it was suspended.
    ///
    /// - Throws: ``TomboloError`` `notListening` if one of them is taken.
    func listenAgain(at places: [ListeningPlace]) async throws {
        var failures: [any Error] = []
        for place in places {
            do {
                try await listen(at: place)
            } catch {
                failures.append(error)
            }
        }
        guard let first = failures.first else { return }
        throw TomboloError(
            .notListening, "the node continues, but does not listen where it did: \(first)",
            recovery: "call listen() with another port", underlying: first)
    }

    private func listen(at place: ListeningPlace) async throws {
        do {
            try await listen(host: place.host, port: place.port, scheme: place.scheme)
        } catch  where place.allowsAnyPort {
            try await listen(host: place.host, port: 0, scheme: place.scheme)
        }
    }
}

extension TomboloError {
    static func noAddress(_ text: String) -> TomboloError {
        TomboloError(.invalidArgument, "\(text) is not an address of the form host:port or scheme://location")
    }
}
