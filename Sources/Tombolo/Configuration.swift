public import Logging
public import TomboloCore
import TomboloNIO

extension Node {
    /// The settings that a node is opened with. The defaults are right for an application on a phone or a computer.
    public struct Configuration: Sendable {
        /// The transports to peers. An address is dialled by the transports of its scheme, in this order.
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
            transports: [TransportProvider] = [.tcp, .mvds], lock: (any StoreLock)? = nil,
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
