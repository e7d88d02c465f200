import NIOCore

/// Connections that arrived and have not proved a device key yet.
///
/// There is room for few of them, in all and from each host. A further one takes the place of the oldest. So silent
/// connections cannot keep out a peer, which proves its key within a second.
struct PendingConnections {
    private struct Pending {
        let id: ObjectIdentifier
        let host: [UInt8]
        let channel: any Channel
    }

    /// The oldest first.
    private var pending: [Pending] = []
    private let most: Int
    private let mostPerHost: Int

    /// Room for `most` connections in all, and for `mostPerHost` from each host; both at least 1.
    init(most: Int, mostPerHost: Int) {
        self.most = most
        self.mostPerHost = mostPerHost
    }

    var count: Int { pending.count }

    /// Adds a connection.
    ///
    /// - Parameter host: the address of the host, as ``host(of:)`` makes it.
    /// - Returns: the connection whose place it takes, which is to be closed; nil if there was room.
    mutating func insert(_ channel: any Channel, from host: [UInt8]) -> (any Channel)? {
        var replaced: Int?
        if pending.count(where: { $0.host == host }) >= mostPerHost {
            replaced = pending.firstIndex { $0.host == host }
        } else if pending.count >= most {
            replaced = pending.indices.first
        }
        let closed = replaced.map { pending.remove(at: $0).channel }
        pending.append(Pending(id: ObjectIdentifier(channel), host: host, channel: channel))
        return closed
    }

    /// Removes a connection that has proved its key, or has closed.
    mutating func remove(_ channel: any Channel) {
        pending.removeAll { $0.id == ObjectIdentifier(channel) }
    }

    /// The bytes that stand for a host: its IPv4 address, or the first 64 bits of its IPv6 address, which is what one
    /// customer of a network commonly has.
    static func host(of address: SocketAddress?) -> [UInt8] {
        guard let address else { return [] }
        return address.withSockAddr { pointer, length in
            let bytes = UnsafeRawBufferPointer(start: pointer, count: length)
            return switch address {
            // sockaddr_in: family and port in 4 bytes, then the address.
            case .v4: Array(bytes.dropFirst(4).prefix(4))
            // sockaddr_in6: family, port and flow in 8 bytes, then the address.
            case .v6: Array(bytes.dropFirst(8).prefix(8))
            case .unixDomainSocket: []
            }
        }
    }
}
