import Synchronization
import TomboloCore

/// A link in memory: two connections, each of which sends its payloads to the other side's handler.
final class MemoryLink: Sendable {
    /// One side's view of the link.
    final class End: Connection {
        let peer: DeviceKey
        let isDialler: Bool
        let binding: Bytes32
        let dialect = Dialect.native
        private let counted = Mutex(Traffic())
        private let link: MemoryLink

        init(_ link: MemoryLink, peer: DeviceKey, isDialler: Bool, binding: Bytes32) {
            self.link = link
            self.peer = peer
            self.isDialler = isDialler
            self.binding = binding
        }

        var traffic: Traffic { counted.withLock { $0 } }
        /// Sent payloads arrive at once.
        var unsent: Int { 0 }
        func send(_ payload: [UInt8]) { link.carry(payload, fromDialler: isDialler) }
        func close() { link.closeInOrder(fromDialler: isDialler) }
        /// Ignores processed bytes, since windows bound the payloads in flight.
        func consumed(_ bytes: Int) {}

        fileprivate func count(sent: Int = 0, received: Int = 0) {
            counted.withLock {
                $0.sent += sent
                $0.received += received
            }
        }
    }

    private struct State {
        var ends: (dialler: End, listener: End)?
        var isClosed = false
        /// Tells whether both sides know of the link. Payloads that arrive before are kept in `early`.
        var isOpen = false
        var early: [@Sendable () -> Void] = []
    }

    let devices: Set<DeviceKey>
    private let dialler: (device: DeviceKey, handler: any ConnectionHandler)
    private let listener: (device: DeviceKey, handler: any ConnectionHandler)
    private let number: UInt64
    private let carrier: any Carrier
    private let state = Mutex(State())

    init(
        number: UInt64, carrier: any Carrier, dialler: (device: DeviceKey, handler: any ConnectionHandler),
        listener: (device: DeviceKey, handler: any ConnectionHandler)
    ) {
        self.number = number
        self.carrier = carrier
        self.dialler = dialler
        self.listener = listener
        devices = [dialler.device, listener.device]
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func open() {
        // The bytes are known to both sides, and no other link has them.
        var bytes = dialler.device.bytes
        for shift in 0..<8 { bytes[shift] ^= UInt8(truncatingIfNeeded: number >> UInt64(8 * shift)) }
        let binding = Bytes32(bytes) ?? .zero
        let ends = (
            dialler: End(self, peer: listener.device, isDialler: true, binding: binding),
            listener: End(self, peer: dialler.device, isDialler: false, binding: binding)
        )
        state.withLock { $0.ends = ends }
        listener.handler.opened(ends.listener)
        dialler.handler.opened(ends.dialler)
        while let early = removeEarly() { for deliver in early { deliver() } }
    }

    /// Removes and returns the deliveries that arrived before the link was open. If there are none, it opens the link
    /// and returns nil.
    private func removeEarly() -> [@Sendable () -> Void]? {
        state.withLock { state in
            defer { state.early = [] }
            state.isOpen = state.early.isEmpty
            return state.isOpen ? nil : state.early
        }
    }

    fileprivate func carry(_ payload: [UInt8], fromDialler: Bool) {
        guard let ends = openEnds else { return }
        (fromDialler ? ends.dialler : ends.listener).count(sent: payload.count)
        inOrder(fromDialler: fromDialler) {
            // Payloads in flight are lost when a link breaks.
            guard let ends = self.openEnds else { return }
            let to = fromDialler ? ends.listener : ends.dialler
            to.count(received: payload.count)
            (fromDialler ? self.listener : self.dialler).handler.received(payload, on: to)
        }
    }

    private var openEnds: (dialler: End, listener: End)? { state.withLock { $0.isClosed ? nil : $0.ends } }

    private func inOrder(fromDialler: Bool, _ deliver: @escaping @Sendable () -> Void) {
        let (from, to) = fromDialler ? (dialler, listener) : (listener, dialler)
        carrier.carry(from: from.device, to: to.device) {
            let isOpen = self.state.withLock { state in
                if !state.isOpen { state.early.append(deliver) }
                return state.isOpen
            }
            if isOpen { deliver() }
        }
    }

    /// Closes the link once the payloads that one side has sent so far have arrived.
    fileprivate func closeInOrder(fromDialler: Bool) {
        inOrder(fromDialler: fromDialler) { self.close() }
    }

    /// Closes the link at once.
    func close() {
        let ends = state.withLock { state -> (dialler: End, listener: End)? in
            defer {
                state.isClosed = true
                state.ends = nil
            }
            return state.ends
        }
        guard let ends else { return }
        dialler.handler.closed(ends.dialler)
        listener.handler.closed(ends.listener)
    }
}
