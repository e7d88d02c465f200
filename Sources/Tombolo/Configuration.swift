public import Logging
public import TomboloCore
import TomboloNIO

extension Node {
    /// The settings that a node is opened with. The defaults are right for an application on a phone or a computer.
    public struct Configuration: Sendable {
        /// The transports to peers. The first one that reaches an address dials it; the first of all listens.
        public var transports: [TransportProvider]
        /// The lock of the device's keys in the store; nil if there is none. A new store's keys are locked from the
        /// beginning.
        public var lock: (any StoreLock)?
        /// The device's clock; the system's, except in tests.
        public var clock: any NodeClock
        /// The logger of closed links, forked logs and a store that failed.
        public var logger: Logger
        /// The bounds of work that the node does at once.
        public var limits: NodeLimits

        /// A configuration with the given settings.
        public init(
            transports: [TransportProvider] = [.tcp], lock: (any StoreLock)? = nil,
            clock: any NodeClock = SystemClock(), logger: Logger = Logger(label: "tombolo"),
            limits: NodeLimits = NodeLimits()
        ) {
            self.transports = transports
            self.lock = lock
            self.clock = clock
            self.logger = logger
            self.limits = limits
        }
    }
}

/// The bounds of work that a node does at once.
public struct NodeLimits: Hashable, Sendable {
    /// The number of peers that ``Node/run()`` dials at the same time; at least 1.
    public var dials = 16
    /// The number of inputs, of links and the application, that share a transaction; at least 1.
    public var batchInputs = 1_024
    /// The bytes of received payloads that share a transaction. A transaction has at least one payload.
    public var batchBytes = 1 << 20

    /// A configuration with the given settings.
    /// The default limits.
    public init() {}
}

/// A factory of a node's transport.
public struct TransportProvider: Sendable {
    let make: @Sendable (TransportIdentity, any ConnectionHandler) throws -> any Transport

    /// - Parameter make: makes the transport of a device, which hands its connections to the handler.
    public init(_ make: @escaping @Sendable (TransportIdentity, any ConnectionHandler) throws -> any Transport) {
        self.make = make
    }

    /// TCP with TLS 1.3; both sides prove their device keys.
    public static let tcp = TransportProvider { try TCPTransport(identity: $0, handler: $1) }
}

/// Several transports as one.
struct TransportSet: Transport {
    let transports: [any Transport]

    func listen(host: String, port: Int) async throws -> Int {
        guard let first = transports.first else { throw TransportError("the node has no transport: configure one") }
        return try await first.listen(host: host, port: port)
    }

    func dial(_ address: String, expecting peer: DeviceKey) async throws {
        var failure: any Error = TransportError("cannot reach \(address): the node has no transport")
        for transport in transports {
            do {
                return try await transport.dial(address, expecting: peer)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    func stopListening() async { for transport in transports { await transport.stopListening() } }
}
