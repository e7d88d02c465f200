import Foundation
import Testing
import TomboloCore

/// Engines that speak, act on each other and meet at random, with copies that run on: all end with the same verdict on everything.
struct MembershipConvergenceTests {
    /// `TOMBOLO_STATE_SEEDS=10000 swift test --filter MembershipConvergenceTests` tries as many.
    static let seeds = ProcessInfo.processInfo.environment["TOMBOLO_STATE_SEEDS"].flatMap(Int.init) ?? 60

    private struct Verdict: Equatable {
        var roles: [MemberKey: Role]
        var statuses: [EventID: Bool]
    }

    private func verdict(_ device: Int, _ devices: Devices, _ group: GroupID, _ members: [MemberKey]) -> Verdict {
        let store = devices.devices[device].store
        var statuses: [EventID: Bool] = [:]
        for stored in store.events(ordinals: Array(1...max(1, store.lastOrdinal()))) where stored.status != .waiting {
            statuses[stored.event.id] = stored.status == .delivered
        }
        var roles: [MemberKey: Role] = [:]
        for member in members { roles[member] = devices.devices[device].engine.role(of: member, in: group) }
        return Verdict(roles: roles, statuses: statuses)
    }

    /// What the application was told adds up to what is delivered now.
    private func isToldInFull(_ device: Int, _ devices: Devices, _ group: GroupID) -> Bool {
        let store = devices.devices[device].store
        var shown: Set<EventID> = []
        for change in store.changes(in: group) {
            let id = change.event.event.id
            switch change.kind {
            case .delivered, .restored: guard shown.insert(id).inserted else { return false }
            case .withdrawn: guard shown.remove(id) != nil else { return false }
            }
        }
        let delivered = store.events(ordinals: Array(1...max(1, store.lastOrdinal()))).filter {
            $0.status == .delivered
        }
        return Set(delivered.map(\.event.id)) == shown
    }

    @Test func everyoneEndsWithTheSameVerdicts() throws {
        var (unwanted, forks) = (0, 0)
        for seed in 0..<Self.seeds {
            var generator = SeededGenerator(seed: UInt64(seed))
            let devices = try Devices(4, seed: UInt64(seed) &* 7_919)
            let policy: Policy = [.open, .members][seed % 2]
            let group = try devices.makeGroup(policy) { $0 < 3 ? .admin : .member }
            for index in 1..<4 { try devices.meet(0, index) }
            let members = (0..<4).map { devices.devices[$0].engine.member }
            var copies: [MemoryStore] = []
            for step in 0..<24 {
                let device = Int.random(in: 0..<4, using: &generator)
                let other = Int.random(in: 0..<4, using: &generator)
                devices.now += 10
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<4: try devices.say(device, "\(step)", in: group)
                case 4..<6:
                    let role = Role.allCases.randomElement(using: &generator) ?? .none
                    try devices.step(device, [.setRole(9, group: group, of: members[other], to: role)])
                case 6:
                    try devices.step(device, [.setState(9, group: group, key: "mood", value: [UInt8(step)])])
                case 7 where device > 0:
                    // A copy of a store that runs on in place of it: whoever it is forks its logs.
                    if let copy = copies.popLast() {
                        devices.devices[1] = try Devices.Device(seed: UInt64(seed &* 31 &+ step), store: copy)
                    } else {
                        copies.append(MemoryStore(copying: devices.devices[1].store))
                    }
                case 7, 8:
                    // The same store, opened again.
                    devices.devices[device] = try Devices.Device(
                        seed: UInt64(seed &* 37 &+ step), store: devices.devices[device].store)
                default: if device != other { try devices.meet(device, other) }
                }
            }
            for _ in 0..<3 {
                for one in 0..<4 { for other in one + 1..<4 { try devices.meet(one, other) } }
            }
            let expected = verdict(0, devices, group, members)
            unwanted += expected.statuses.values.count { !$0 }
            for device in 0..<4 {
                forks += devices.forks(device)
                let own = verdict(device, devices, group, members)
                #expect(own.roles == expected.roles, "seed \(seed), device \(device)")
                let differing = Set(own.statuses.keys).union(expected.statuses.keys)
                    .filter { own.statuses[$0] != expected.statuses[$0] }.sorted()
                #expect(differing.isEmpty, "seed \(seed), device \(device)")
                #expect(isToldInFull(device, devices, group), "seed \(seed), device \(device)")
                #expect(devices.errors(device).isEmpty, "seed \(seed), device \(device): \(devices.errors(device))")
            }
        }
        #expect(unwanted > 0 && forks > 0, "nothing was tried")
    }
}
