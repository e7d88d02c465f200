/// The address of a peer, as text: `host:port` or `[v6]:port` for TCP with TLS, `scheme://location` for all others.
///
/// Only the transport of a scheme reads the location.
public struct PeerAddress: Hashable, Sendable, LosslessStringConvertible {
    /// The scheme of an address without one.
    public static let defaultScheme = "tcp"

    /// Lower case letters, digits, `+`, `-` and `.`, a letter first (RFC 3986, section 3.1).
    public let scheme: String
    /// The text after the scheme.
    public let location: String

    /// An address with a location that is valid for its scheme.
    public init(scheme: String, location: String) {
        self.scheme = scheme
        self.location = location
    }

    /// - Returns: nil if the scheme has another form, an address for TCP is not `host:port`, the location is empty, or it
    ///   has white space or control characters.
    public init?(_ text: String) {
        if let separator = text.firstRange(of: "://") {
            self.init(scheme: String(text[..<separator.lowerBound]), location: String(text[separator.upperBound...]))
        } else {
            self.init(scheme: Self.defaultScheme, location: text)
        }
        guard Self.isScheme(scheme), !location.isEmpty, location.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            scheme != Self.defaultScheme || endpoint != nil
        else { return nil }
    }

    /// The address as text. The scheme `tcp` is left out.
    public var description: String { scheme == Self.defaultScheme ? location : "\(scheme)://\(location)" }

    /// A host and a port.
    public struct Endpoint: Hashable, Sendable {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        public let host: String
        /// 1 to 65,535.
        public let port: Int
    }

    /// The host and port of a location of the form `host:port` or `[v6]:port`; nil for other locations.
    public var endpoint: Endpoint? {
        guard let colon = location.lastIndex(of: ":"), let port = Int(location[location.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = location[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : Endpoint(host: String(host), port: port)
    }

    private static func isScheme(_ text: String) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.".utf8.contains(byte)
        }
    }
}
