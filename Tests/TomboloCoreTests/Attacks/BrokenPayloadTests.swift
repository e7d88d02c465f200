import Testing
import TomboloCore
import TomboloCrypto

@Suite("Attack: a payload whose last part breaks the protocol")
struct BrokenPayloadTests {
    /// More bytes than any device was sent.
    private static let processed: UInt64 = 1 << 40

    /// Ann, with open links to bob and cat, and a payload on its way by which bob sends an event.
    ///
    /// - Parameter isHeld: whether ann has the event already, by way of cat.
    private func window(seed: UInt64, isHeld: Bool) throws -> (Cluster, bob: SessionID, Payload) {
        let cluster = try Cluster("ann", "bob", "cat", seed: seed, meetings: .withFirst())
        let bob = try cluster.connect("bob", "ann")
        try cluster.connect("cat", "ann")
        if isHeld { try cluster.connect("bob", "cat") }
        try cluster.settle()
        var sent: [Payload] = []
        cluster.intercept { wire in
            guard wire.session == bob, wire.from == "bob", let payload = wire.payload,
                payload.groups.contains(where: { $0.events != nil })
            else { return wire.bytes }
            sent.append(payload)
            return nil
        }
        try cluster["bob"].send("news")
        try cluster.settle()
        #expect(sent.count == 1 && cluster["ann"].texts.contains("news") == isHeld)
        return (cluster, bob, try #require(sent.first))
    }

    private func received(_ payload: Payload, over session: SessionID, _ cluster: Cluster) throws -> [EngineEffect] {
        try cluster["ann"].step(.payloadReceived(session, payload.encoded[...]))
    }

    /// The payloads that the effects send over a session.
    private func sent(_ effects: [EngineEffect], over session: SessionID) throws -> [GroupSync] {
        try effects.flatMap { effect in
            guard case .send(session, let bytes) = effect else { return [GroupSync]() }
            return try Payload(decoding: bytes[...]).groups
        }
    }

    private func isClosed(_ effects: [EngineEffect], _ session: SessionID) -> Bool {
        effects.contains { if case .close(session, .protocolViolation) = $0 { true } else { false } }
    }

    @Test("a device that closes a link asks for no announcements over it")
    func announcements() throws {
        // All events were held: without a fault, the peer is asked to announce events and not to send them.
        let (cluster, bob, fair) = try window(seed: 9_801, isHeld: true)
        var effects = try received(fair, over: bob, cluster)
        #expect(try sent(effects, over: bob).map(\.push).contains(1) && !isClosed(effects, bob))
        // The same window beside a lie closes the link, and nothing is sent before.
        let (other, session, window) = try self.window(seed: 9_801, isHeld: true)
        var broken = window
        broken.groups[0].processed = Self.processed
        effects = try received(broken, over: session, other)
        #expect(try sent(effects, over: session).isEmpty && isClosed(effects, session))
    }

    @Test("events ahead of the fault are kept and passed on")
    func kept() throws {
        let (cluster, bob, window) = try window(seed: 9_802, isHeld: false)
        cluster.stopIntercepting()
        var broken = window
        broken.groups[0].processed = Self.processed
        let effects = try received(broken, over: bob, cluster)
        #expect(isClosed(effects, bob))
        try cluster.settle()
        #expect(cluster["ann"].texts.contains("news") && cluster["cat"].texts.contains("news"))
    }
}
