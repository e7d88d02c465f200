import Testing
import TomboloCore

@Suite("Attack: a power cut while a device joins")
struct JoinSyncTests: SealedGroupTests {
    /// Two devices of one group. The first one invites the second one to another, private group.
    ///
    /// - Parameter watch: called with each payload that has a `Join`, before it arrives.
    private func join(_ devices: Devices, watch: @escaping (Devices.Wire) -> Void) throws -> GroupID {
        _ = try devices.makeGroup()
        for _ in 0..<2 { try devices.meet(0, 1) }
        try devices.step(0, [.createGroup(5, name: "inner", policy: .private)])
        let made = devices.devices[0].effects.compactMap { if case .created(5, let id) = $0 { id } else { nil } }
        let group = try #require(made.last)
        try devices.say(0, "before", in: group)
        try devices.step(0, [.invite(6, group: group, addresses: [], expiry: devices.now + 1_000_000)])
        devices.intercept = { wire in
            if let payload = try? Payload(decoding: wire.bytes[...]), payload.join != nil { watch(wire) }
            return wire.bytes
        }
        let session = try devices.connect(1, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(session)
        return group
    }

    @Test("a payload with a join is synced to disk, also over the link of a known peer")
    func synced() throws {
        let devices = try Devices(2, seed: 9_111)
        var answers: [Bool] = []
        let group = try join(devices) { wire in
            let input = EngineInput.payloadReceived(wire.session, wire.bytes[...])
            answers.append(devices.devices[wire.to].engine.mustBeSynced([input]))
        }
        #expect(devices.devices[0].engine.role(of: member(1, devices), in: group) == .member)
        #expect(answers == [true])
    }

    @Test("a payload of a known peer without a join is not")
    func others() throws {
        let devices = try Devices(2, seed: 9_112)
        let group = try devices.makeGroup()
        for _ in 0..<2 { try devices.meet(0, 1) }
        try devices.say(1, "news", in: group)
        var answers: [Bool] = []
        devices.intercept = { wire in
            if wire.to == 0, let payload = try? Payload(decoding: wire.bytes[...]), payload.hello == nil {
                let input = EngineInput.payloadReceived(wire.session, wire.bytes[...])
                answers.append(devices.devices[0].engine.mustBeSynced([input]))
            }
            return wire.bytes
        }
        try devices.meet(1, 0)
        #expect(!answers.isEmpty && !answers.contains(true))
    }

    @Test("after a power cut the inviter does not number two state events alike")
    func fork() throws {
        let devices = try Devices(2, seed: 9_113)
        var beforeCut: MemoryStore?
        let group = try join(devices) { wire in
            let input = EngineInput.payloadReceived(wire.session, wire.bytes[...])
            // A batch that is not synced is lost: the store is what it was before.
            if !devices.devices[wire.to].engine.mustBeSynced([input]) {
                beforeCut = MemoryStore(copying: devices.devices[wire.to].store)
            }
        }
        if let beforeCut { devices.devices[0] = try Devices.Device(seed: 9_114, store: beforeCut) }
        try devices.step(0, [.setState(7, group: group, key: "title", value: [1])])
        try devices.meet(0, 1)
        #expect(devices.forks(0) + devices.forks(1) == 0)
    }
}
