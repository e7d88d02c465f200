import TomboloCore
import TomboloCrypto

// The inputs of devices, and the effects that devices cause.
extension Simulation {
    func makeNode(_ number: Int, _ role: SimulatedDevice.Role, of count: Int) throws -> any SimulatedNode {
        var seeds = SeededGenerator(seed: generator.seed(of: UInt64(number)))
        let skew = Int64(seeds.any(0...2 * scenario.clockSkew)) - Int64(scenario.clockSkew)
        let seed = seeds.next()
        guard scenario.strategy == .tombolo else {
            return scenario.strategy.node(number, of: count, scenario, conversation, online: online, seed: seed)
        }
        let hostility = role == .hostile ? scenario.hostile[number - scenario.devices - scenario.helpers] : nil
        switch scenario.cryptography {
        case .real: return try makeEngineNode(number, SwiftCryptography(), skew, hostility, seed)
        case .standIn: return try makeEngineNode(number, StandInCryptography(), skew, hostility, seed)
        }
    }

    private func makeEngineNode(
        _ number: Int, _ crypto: some Cryptography, _ skew: Int64, _ hostility: Scenario.Hostility?, _ seed: UInt64
    ) throws -> any SimulatedNode {
        let keeps = (durable: scenario.conditions.powerCuts > 0, backup: scenario.conditions.restores > 0)
        let node = try EngineNode(
            number: number, crypto: crypto, skew: skew, history: history, directory: directory, keeps: keeps,
            lifetime: scenario.lifetime, isPrivate: scenario.isPrivate, mutant: mutant, seed: seed)
        let targets = scenario.acts > 0 ? scenario.devices + scenario.helpers + scenario.hostile.count : 0
        return hostility.map { HostileNode(node, $0, actingOn: targets, seed: seed) } ?? node
    }

    /// Lets every device join, over a network without faults.
    mutating func assemble() throws {
        guard let founder = devices[0].node as? any MemberNode,
            let group = try founder.createGroup(named: scenario.name, now: now)
        else { return }
        directory.group = group
        let firstLinked = scenario.devices - scenario.linked
        for number in devices.indices.dropFirst() where !(firstLinked..<scenario.devices).contains(number) {
            try join(number, invitedBy: 0)
        }
        for number in 0..<scenario.linked { try link(firstLinked + number, to: number) }
        try advance(until: now + 2_000) { _ in false }
    }

    private mutating func join(_ number: Int, invitedBy inviter: Int) throws {
        guard let host = devices[inviter].node as? any MemberNode, let guest = devices[number].node as? any JoiningNode
        else { return }
        try meet(number, inviter, over: try host.invite(now: now)) { guest.hasJoined }
    }

    /// Turns a device into a further one of a member in the group, and lets it sync the group.
    private mutating func link(_ number: Int, to other: Int) throws {
        guard let host = devices[other].node as? any MemberNode, let guest = devices[number].node as? any MemberNode
        else { return }
        try meet(number, other, over: try host.linkDevice(now: now)) { guest.isLinked }
        if let record = host.groupRecord { try guest.open(record, now: now) }
        try meet(number, other) { guest.hasJoined }
    }

    /// Links two devices over a network without faults until `isDone` holds.
    private mutating func meet(
        _ number: Int, _ other: Int, over invitation: Invitation? = nil, until isDone: () -> Bool
    ) throws {
        let link = open(from: number, to: other, joining: invitation)
        let hasJoined = try advance(until: now + 60_000) { _ in isDone() }
        guard hasJoined else { throw Violation(.diverged, number, "it could not join") }
        breakLink(link, within: 0)
        try advance(until: now + 50) { _ in false }
    }

    // MARK: Batches

    mutating func post(_ input: NodeInput, to number: Int) {
        let device = devices[number]
        guard device.isUp else { return }
        device.inbox.append(input)
        guard !device.isDraining else { return }
        device.isDraining = true
        schedule(.drains(number), in: generator.any(0...scenario.conditions.batching))
    }

    mutating func drain(_ number: Int) throws -> Bool {
        let device = devices[number]
        device.isDraining = false
        guard device.isUp, !device.inbox.isEmpty else { return false }
        let inputs = device.inbox
        device.inbox = []
        device.wakeUps += 1
        measured.batches += 1
        measured.inputs += inputs.count
        try carryOut(try device.node.process(inputs, now: now), of: device)
        return true
    }

    private mutating func carryOut(_ effects: [NodeEffect], of device: SimulatedDevice) throws {
        let number = device.number
        var own: [Int] = []
        for effect in effects {
            switch effect {
            case .send(let link, let bytes): send(bytes, over: link, from: number)
            case .datagram(let other, let bytes): sendDatagram(bytes, from: number, to: other)
            case .multicast(let bytes): multicast(bytes, from: number)
            case .close(let link, let reason): try close(link, by: device, reason)
            case .said(let event):
                own.append(event)
                noteSaid(event, by: device)
            case .redacted(let message, let event):
                own.append(event)
                history.note(said: event, by: number, at: now)
                history.note(redacted: message, by: event)
            case .refused(let isUtterance):
                // Another member may have demoted this one in the meantime.
                guard scenario.acts > 0 || device.role == .hostile else { throw Violation(.lost, number, "refused") }
                if isUtterance, saying[number]?.isEmpty == false { saying[number]?.removeFirst() }
            case .failed(let reason): if device.role != .hostile { throw Violation(.lost, number, reason) }
            case .forked(let one, let other): try noteFork(one, other, on: number)
            case .delivered: try takeChanges(device)
            }
        }
        for event in own where device.role != .hostile && !device.view.contains(event) {
            // The same batch may have brought an event that the device could not know of.
            if scenario.acts > 0, [.heldBack, .withdrawn].contains(device.node.status(of: event)) { continue }
            throw Violation(.ownUnread, number, "number \(event)")
        }
        if let wake = device.node.nextWake, device.wake.map({ wake < $0 }) ?? true {
            device.wake = max(wake, now)
            agenda.add(.wakes(number), at: max(wake, now))
        }
        device.mostHeld = max(device.mostHeld, device.node.held)
    }

    /// Closes a link. A device may give up a link that is broken or was tampered with.
    private mutating func close(_ link: UInt64, by device: SimulatedDevice, _ reason: String) throws {
        if let ends = links[link] {
            let other = devices[ends.other(than: device.number)]
            guard
                ends.isCorrupted || other.role == .hostile || device.role == .hostile || ends.isDead != [false, false]
                    || scenario.acts > 0 && ends.isForJoining
            else { throw Violation(.blamed, device.number, reason) }
            links[link] = nil
            agenda.add(.linkEnds(link: link, at: other.number), at: now + generator.any(scenario.conditions.latency))
        }
        device.links.remove(link)
    }

    private mutating func noteSaid(_ event: Int, by device: SimulatedDevice) {
        history.note(said: event, by: device.number, at: now)
        // A hostile member may write anything into its log.
        if device.role == .hostile { history.note(forked: event) }
        if let utterance = saying[device.number]?.first {
            saying[device.number]?.removeFirst()
            numberOfUtterance[utterance] = event
            if let delay = redactions[utterance] { schedule(.redacts(device.number, message: event), in: delay) }
        }
    }

    private func noteFork(_ one: Int, _ other: Int, on number: Int) throws {
        guard scenario.hostile.contains(.forks) else { throw Violation(.forked, number, "numbers \(one) and \(other)") }
        history.note(forked: one)
    }

    mutating func takeChanges(_ device: SimulatedDevice) throws {
        let changes = device.node.takeChanges()
        for (place, change) in changes.enumerated() {
            guard case .delivered(let event) = change else {
                if device.role != .hostile { try device.view.withdraw(change.number, on: device.number) }
                continue
            }
            if device.role != .hostile {
                let isUnwanted: ((Int) -> Bool)? =
                    scenario.acts == 0
                    ? nil
                    : { number in
                        let status = number < 0 ? nil : device.node.status(of: number)
                        // The event was unwanted, and is restored by the same batch.
                        let isReleased = changes[place...].contains(.delivered(number))
                        let isForgotten = number >= 0 && device.node.isForgotten(number)
                        return status == .heldBack || status == .withdrawn || isReleased || isForgotten
                    }
                try device.view.take(event, history, on: device.number, isUnwanted: isUnwanted)
            }
            guard device.everDelivered.insert(event), let said = history.said[event], said.device != device.number,
                device.role == .person, devices[said.device].role == .person
            else { continue }
            measured.deliveries += 1
            measured.note(latency: now - said.time)
        }
    }
}
