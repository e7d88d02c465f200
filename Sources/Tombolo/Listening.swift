import Synchronization
import TomboloCore
import TomboloNIO

/// A host and a port on which a node listens.
struct ListeningPlace: Hashable, Sendable {
    /// Tells whether it serves peers that speak MVDS alone.
    let isForMVDS: Bool
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

    static func address(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The addresses at which other devices reach it.
    ///
    /// - Parameter interfaces: the device's IP addresses.
    func addresses(of interfaces: [String]) -> [String] {
        guard Self.isWildcard(host) else { return [Self.address(host, port)] }
        return interfaces.filter { host != "0.0.0.0" || !$0.contains(":") }.map { Self.address($0, port) }
    }
}

extension Node {
    /// The addresses that an invitation names: those that the caller gives, then those where this device listens.
    ///
    /// Wildcards stand for all addresses of the device. Loopback addresses are left out if there is any other.
    /// - Throws: ``TomboloError`` `invalidArgument` if a given address has another form or is a wildcard;
    ///   `notListening` if there is no address.
    func invitationAddresses(adding given: [String]) throws -> [String] {
        for address in given {
            guard let parsed = PeerAddress(address) else { throw TomboloError.noAddress(address) }
            guard !ListeningPlace.isWildcard(parsed.host) else {
                throw TomboloError(
                    .invalidArgument, "\(address) is an address to listen on, which no peer can dial",
                    recovery: "name an address at which this device is reached")
            }
        }
        let places = listening.withLock { $0 }.filter { !$0.isForMVDS }
        let interfaces =
            places.contains { ListeningPlace.isWildcard($0.host) } ? NetworkInterfaces.addresses() : []
        var all = given
        for address in places.flatMap({ $0.addresses(of: interfaces) }) where !all.contains(address) {
            all.append(address)
        }
        func isLoopback(_ address: String) -> Bool {
            PeerAddress(address).map { ListeningPlace.isLoopback($0.host) } ?? false
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
            try await listen(place, port: place.port)
        } catch  where place.allowsAnyPort {
            try await listen(place, port: 0)
        }
    }

    private func listen(_ place: ListeningPlace, port: Int) async throws {
        if place.isForMVDS {
            try await listenMVDS(host: place.host, port: port)
        } else {
            try await listen(host: place.host, port: port)
        }
    }
}

extension TomboloError {
    static func noAddress(_ text: String) -> TomboloError {
        TomboloError(.invalidArgument, "\(text) is not an address of the form host:port")
    }
}
