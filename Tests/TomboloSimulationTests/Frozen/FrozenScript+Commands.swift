import TomboloCore
@testable import TomboloSimulation

extension FrozenScript {
    /// Has a command's inputs wait for the next batch.
    func perform(_ command: FrozenCommand) throws {
        switch command {
        case .connect, .connectMVDS, .disconnect, .crash, .powerCut, .backup, .rest: try performOnLinks(command)
        case .say, .sayForAWhile, .broadcast, .redact, .retain, .hide, .carry, .carrySecrets:
            try performInGroup(command)
        case .setRole, .setState, .checkpoint, .linkDevice, .removeDevice, .invite: try performOnMembers(command)
        case .sayFile, .wantFile, .dropFile, .limitFiles, .spoilChunk, .checkChunk: performOnFiles(command)
        case .post, .postMany, .postLarge, .share, .whisper: performInTalk(command)
        }
    }

    private func performOnLinks(_ command: FrozenCommand) throws {
        switch command {
        case .connect, .connectMVDS:
            let (one, other) = anyPair()
            let open = network.openLinks
            if open.count >= 2 * scenario.devices, let link = any(of: open) { network.cut(link) }
            network.connect(one, other, dialect: command == .connect ? .native : .mvds)
        case .disconnect: if let link = any(of: network.openLinks) { network.cut(link) }
        case .crash: try network.restart(anyDevice().number, .crash)
        case .powerCut:
            for device in network.devices where device.mayLosePower { try network.restart(device.number, .powerCut) }
        case .backup: try network.restart(anyDevice().number, chance(0.5) ? .backup : .backupUnnoticed)
        default:
            // With links that stand time goes on for minutes only.
            if chance(0.6) { for link in network.openLinks { network.cut(link) } }
            try network.tick()
            try network.run(for: network.openLinks.isEmpty ? generator.any(1...48) * 1_800_000 : 120_000)
        }
    }

    private func performInGroup(_ command: FrozenCommand) throws {
        let device = anyDevice()
        guard let group = any(of: groups) else { return }
        switch command {
        case .say, .sayForAWhile:
            let lifetimes: [UInt64] = [2_000, 60_000, 3_600_000, 40_000_000]
            let expiry = command == .say ? nil : any(of: lifetimes).map { network.now + $0 }
            let text = content(chance(0.1) ? 9_000 : 200)
            device.inbox.append(.append(request(), group: group, kind: .message, content: text, expiry: expiry))
        case .broadcast: device.inbox.append(.broadcast(request(), group: group, content: content(60)))
        case .redact:
            guard let event = any(of: messages(on: device, in: group)) else { return }
            device.inbox.append(.redact(request(), group: group, event, reason: "so"))
        case .retain:
            let retentions = [
                .everything, .everything, Retention(count: 1 + below(8)), Retention(bytes: 100 + below(2_000)),
                Retention(age: .seconds(60 + below(4_000))), Retention(age: .seconds(90_000), count: 12, bytes: 9_000),
            ]
            device.inbox.append(.setRetention(request(), group: group, any(of: retentions) ?? .everything))
        case .hide:
            let other = anyDevice()
            let contact: Contact = chance(0.7) ? .member(other.engine.member) : .device(other.engine.device)
            let level = any(of: [VisibilityLevel.invisible, .visible, .visible, .shared]) ?? .shared
            device.inbox.append(.setVisibility(request(), group: group, to: contact, level))
        case .carry:
            let store = anyDevice().store
            let events = store.events(ordinals: Array(1...max(1, store.lastOrdinal()))).map(\.event)
            let own = events.filter { store.stored($0, in: group) != nil }.map { $0.message(in: group) }
            device.inbox.append(.ingest(request(), group: group, own))
        default: try carrySecrets(to: device, in: group)
        }
    }

    /// Another device seals the secrets that it has to one that asks for them.
    private func carrySecrets(to device: FrozenDevice, in group: GroupID) throws {
        device.inbox.append(.openBundle(request(), group: group))
        try network.tick()
        guard let opening = device.opening else { return }
        let other = anyDevice()
        other.inbox.append(.sealSecrets(request(), group: group, to: opening))
        try network.tick()
        device.inbox.append(.takeSecrets(request(), group: group, other.secrets))
    }

    private func performOnMembers(_ command: FrozenCommand) throws {
        guard let group = any(of: groups) else { return }
        let device = network.devices[chance(0.6) ? 0 : anyDevice().number]
        switch command {
        case .setRole:
            let role = any(of: [Role.none, .reader, .member, .member, .admin]) ?? .member
            device.inbox.append(.setRole(request(), group: group, of: anyDevice().engine.member, to: role))
        case .setState:
            let value = chance(0.8) ? content(20) : nil
            device.inbox.append(.setState(request(), group: group, key: "key \(below(3))", value: value))
        case .checkpoint: device.inbox.append(.proposeCheckpoint(request(), group: group))
        case .invite:
            // Another group, of some of the devices.
            guard groups.count < 3 else { return }
            let count = device.created.count
            device.inbox.append(.createGroup(request(), name: "side", policy: chance(0.5) ? .open : .private))
            try network.tick()
            guard device.created.count > count, let made = device.created.last else { return }
            groups.append(made)
            for other in active where other != device.number && chance(0.7) {
                try join(other, invitedBy: device.number, to: made, as: .member)
            }
        case .linkDevice: try linkDevice()
        default:
            guard active.count > scenario.devices, let linked = active.last else { return }
            let remover = network.devices[1]
            remover.inbox.append(.removeDevice(request(), network.devices[linked].engine.device))
            try network.tick()
            guard let removal = remover.removals.last else { return }
            anyDevice().inbox.append(.post(request(), removal, group: group))
        }
    }

    /// The device that was kept apart becomes another one of the second device's member.
    private func linkDevice() throws {
        guard active.count == scenario.devices else { return }
        let (device, other) = (network.devices[scenario.devices], network.devices[1])
        let count = other.invitations.count
        other.inbox.append(.linkDevice(request(), addresses: [], expiry: network.now + 1_000_000))
        try network.tick()
        guard other.invitations.count > count, let invitation = other.invitations.last else { return }
        let link = network.connect(device.number, other.number, invitation: invitation)
        try network.run(for: 2_000)
        network.cut(link)
        try network.tick()
        for group in groups {
            guard let record = other.store.groups().first(where: { $0.id == group }) else { continue }
            device.inbox.append(.openGroup(request(), record.forAnotherStore))
        }
        try network.tick()
        active.append(device.number)
    }

    // MARK: Contents

    /// Bytes of at most so many.
    func content(_ limit: Int) -> [UInt8] {
        (0..<1 + below(limit)).map { UInt8(truncatingIfNeeded: $0) ^ UInt8(truncatingIfNeeded: generator.next()) }
    }

    /// The messages that a device has been delivered and that were not erased, in the order of their ids.
    func messages(on device: FrozenDevice, in group: GroupID) -> [EventReference] {
        device.store.delivered(in: group).map(\.event)
            .filter { $0.header.kind == .message && $0.content != nil }
            .map(\.reference).sorted { $0.id < $1.id }
    }
}
