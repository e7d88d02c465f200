public import Foundation
import Synchronization
public import Tombolo
public import TomboloCore

/// A network in memory for real nodes with real stores. Links have no sockets, and the test cuts and heals them.
///
///     let network = MemoryNetwork()
///     let a = try await network.openNode(at: directory)
///
/// The test chooses the names of hosts. Nothing listens outside of the process.
public final class MemoryNetwork: Sendable {
    private struct Listener {
        let identity: TransportIdentity
        let handler: any ConnectionHandler
    }

    /// The cause of a cut between two devices.
    enum Cause: Hashable {
        /// The test cut them.
        case script
        /// A random partition cut them.
        case chance
    }

    private struct Cut: Hashable {
        let devices: Set<DeviceKey>
        let cause: Cause
    }

    private struct State {
        var listeners: [PeerAddress: Listener] = [:]
        var nextPort = 1
        var links: [MemoryLink] = []
        var cuts: Set<Cut> = []
        var linkCount: UInt64 = 0
    }

    private let state = Mutex(State())
    private let carrier: any Carrier

    /// Creates a network on which every payload arrives at once.
    public convenience init() { self.init(carrier: ImmediateCarrier()) }

    init(carrier: any Carrier) { self.carrier = carrier }

    /// Opens a node whose peers are reached over this network.
    public func openNode(at directory: URL) async throws -> Node {
        try await Node.open(at: directory, configuration: Node.Configuration(transports: [provider]))
    }

    /// The provider of transports over this network, for `Node.Configuration`.
    public var provider: TransportProvider {
        TransportProvider { self.transport(for: $0.identity, handler: $0.handler) }
    }

    /// A transport of this network.
    public func transport(for identity: TransportIdentity, handler: any ConnectionHandler) -> any Transport {
        MemoryTransport(network: self, identity: identity, handler: handler)
    }

    /// Breaks the links of a device that has crashed, and removes its listeners.
    func remove(_ device: DeviceKey) {
        let links = state.withLock { state in
            state.listeners = state.listeners.filter { $0.value.identity.device != device }
            return state.links.filter { $0.devices.contains(device) }
        }
        for link in links { link.close() }
    }

    /// Breaks the links between two devices. They may dial each other again at once.
    func interrupt(_ one: DeviceKey, _ other: DeviceKey) {
        for link in state.withLock({ $0.links.filter { $0.devices == [one, other] } }) { link.close() }
    }

    /// Closes the links between two devices, and refuses new ones until ``heal(_:_:)``.
    public func cut(_ one: DeviceKey, _ other: DeviceKey) { cut(one, other, by: .script) }

    /// Lets two devices reach each other again.
    public func heal(_ one: DeviceKey, _ other: DeviceKey) { heal(one, other, by: .script) }

    func cut(_ one: DeviceKey, _ other: DeviceKey, by cause: Cause) {
        let links = state.withLock { state in
            state.cuts.insert(Cut(devices: [one, other], cause: cause))
            return state.links.filter { $0.devices == [one, other] }
        }
        for link in links { link.close() }
    }

    func heal(_ one: DeviceKey, _ other: DeviceKey, by cause: Cause) {
        state.withLock { _ = $0.cuts.remove(Cut(devices: [one, other], cause: cause)) }
    }

    /// Ends the random cuts.
    func healPartitions() { state.withLock { state in state.cuts = state.cuts.filter { $0.cause == .script } } }

    // MARK: Requests of transports

    fileprivate func listen(host: String, port: Int, _ identity: TransportIdentity, _ handler: any ConnectionHandler)
        throws -> Int
    {
        try state.withLock { state in
            var port = port
            if port == 0 {
                port = state.nextPort
                state.nextPort += 1
            }
            guard let address = PeerAddress("\(host):\(port)"), state.listeners[address] == nil else {
                throw TransportError("cannot listen on \(host):\(port): the port is taken; choose another one")
            }
            state.listeners[address] = Listener(identity: identity, handler: handler)
            return port
        }
    }

    fileprivate func stopListening(_ device: DeviceKey) {
        state.withLock { state in state.listeners = state.listeners.filter { $0.value.identity.device != device } }
    }

    fileprivate func dial(
        _ address: PeerAddress, expecting peer: DeviceKey, _ identity: TransportIdentity,
        _ handler: any ConnectionHandler
    ) async throws {
        try await carrier.waitForHandshake()
        let link = try state.withLock { state in
            guard let listener = state.listeners[address] else {
                throw TransportError("cannot reach \(address): no device listens there")
            }
            guard listener.identity.device == peer else {
                throw TransportError("cannot reach \(address): another device listens there")
            }
            guard !state.cuts.contains(where: { $0.devices == [identity.device, peer] }) else {
                throw TransportError("cannot reach \(address): the network is cut")
            }
            state.linkCount += 1
            let link = MemoryLink(
                number: state.linkCount, carrier: carrier, dialler: (identity.device, handler),
                listener: (peer, listener.handler))
            state.links.removeAll { $0.isClosed }
            state.links.append(link)
            return link
        }
        link.open()
    }
}

/// Stands in for TCP: it has the same addresses.
private final class MemoryTransport: Transport {
    let scheme = PeerAddress.defaultScheme
    let dialect = Dialect.native
    let delivery = PayloadDelivery.stream
    private let network: MemoryNetwork
    private let identity: TransportIdentity
    private let handler: any ConnectionHandler

    init(network: MemoryNetwork, identity: TransportIdentity, handler: any ConnectionHandler) {
        self.network = network
        self.identity = identity
        self.handler = handler
    }

    func listen(host: String, port: Int) async throws -> Int {
        try network.listen(host: host, port: port, identity, handler)
    }

    func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws {
        try await network.dial(address, expecting: peer, identity, handler)
    }

    func stopListening() async { network.stopListening(identity.device) }
}
