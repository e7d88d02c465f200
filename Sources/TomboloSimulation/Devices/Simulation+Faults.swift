// Faults of devices, and the acts of their users.
extension Simulation {
    mutating func scheduleFaults() {
        for device in devices {
            let number = device.number
            if scenario.strategy.usesLinks {
                schedule(.dials(number), in: generator.any(scenario.conditions.dialling))
            } else {
                post(.presence(isOnline: true), to: number)
            }
            if let presence = presence(of: device) {
                device.isOnline = device.presenceGenerator.chance(presence.share)
                if !device.isOnline { online.remove(number) }
                post(.presence(isOnline: device.isOnline), to: number)
                let window = device.isOnline ? presence.online : presence.offline
                // The first window is entered at a random point.
                schedule(.changesPresence(number), in: device.presenceGenerator.any(0...window.upperBound))
            }
            guard device.role != .hostile else { continue }
            for stop in [Stop.crash, .powerCut, .restoredBackup, .wiped] {
                schedule(.stops(number, stop), in: generator.wait(rate(of: stop)))
            }
        }
        schedule(.partitions, in: generator.wait(scenario.conditions.partitions))
    }

    private func rate(of stop: Stop) -> Double {
        switch stop {
        case .crash: scenario.conditions.crashes
        case .powerCut: scenario.conditions.powerCuts
        case .restoredBackup: scenario.conditions.restores
        case .wiped: scenario.conditions.wipes
        }
    }

    private func presence(of device: SimulatedDevice) -> Scenario.Presence? {
        switch device.role {
        case .person: scenario.presence
        case .helper: scenario.helperPresence
        case .hostile: nil
        }
    }

    mutating func changePresence(_ number: Int) {
        let device = devices[number]
        guard let presence = presence(of: device), !isFaultless else { return }
        if !device.isOnline, let night = presence.night, night.contains(now / 3_600_000 % 24) {
            return schedule(.changesPresence(number), in: device.presenceGenerator.any(600_000...3_600_000))
        }
        device.isOnline.toggle()
        if device.isOnline {
            if device.isUp { online.add(number) }
        } else {
            online.remove(number)
            breakLinks(of: number)
        }
        post(.presence(isOnline: device.isOnline), to: number)
        let window = device.isOnline ? presence.online : presence.offline
        schedule(.changesPresence(number), in: device.presenceGenerator.any(window))
    }

    mutating func stop(_ number: Int, _ stop: Stop) {
        let device = devices[number]
        guard !isFaultless else { return }
        schedule(.stops(number, stop), in: generator.wait(rate(of: stop)).map { $0 + 30_000 })
        guard device.isUp else { return }
        device.isUp = false
        online.remove(number)
        device.inbox = []
        device.wake = nil
        saying[number] = nil
        breakLinks(of: number)
        device.links = []
        schedule(.starts(number, after: stop), in: generator.any(1_000...30_000))
    }

    mutating func start(_ number: Int, after stop: Stop) throws {
        let device = devices[number]
        try device.node.restart(after: stop, now: now)
        device.isUp = true
        if device.isOnline { online.add(number) }
        if stop == .crash || stop == .powerCut { try checkNothingIsLost(on: device) }
        if stop == .crash { try checkMonotonicReads(on: device) }
        if stop == .restoredBackup || stop == .wiped { device.hasLostItsPast = true }
        if stop != .crash { device.view = DeliveredView() }
        try takeChanges(device)
        if stop != .crash { forgetWhatNobodyHas() }
        // The device was wiped, or restored to a copy from before it became a member. A removed device is not invited
        // again.
        if !takesPart(number) { invite(number) }
        post(.timePassed, to: number)
    }

    /// Invites a device that was wiped. It is a new device and needs an invitation.
    mutating func invite(_ number: Int) {
        guard !takesPart(number) else { return }
        // The call is repeated until the device has joined.
        schedule(.isInvited(number), in: 10_000)
        let hosts = online.numbers.filter { host in
            host != number && devices[host].role != .hostile && !isSevered(host, number)
                && hasJoined(host)
        }
        guard devices[number].isReachable, let host = hosts.randomElement(using: &generator),
            let inviter = devices[host].node as? any MemberNode, let invitation = try? inviter.invite(now: now)
        else { return }
        open(from: number, to: host, joining: invitation)
    }

    mutating func say(_ utterance: Int) {
        let planned = plan[utterance]
        let device = devices[planned.device]
        let hasReadParents = planned.parents.allSatisfy { parent in
            numberOfUtterance[parent].map(device.view.contains) ?? false
        }
        guard device.isUp, hasJoined(planned.device), hasReadParents || isFaultless else {
            // A removed device sends nothing, nor does one that lost everything when no device was left to invite it.
            if scenario.acts > 0, device.isUp, isFaultless || holdsGroup(planned.device) { return unsaid -= 1 }
            return schedule(.says(utterance), in: 5_000)
        }
        unsaid -= 1
        saying[device.number, default: []].append(utterance)
        post(.says(utterance, text(utterance)), to: device.number)
    }

    /// Redacts a message. A device that has lost its message, or the key of its log, cannot redact it.
    mutating func redact(_ message: Int, by number: Int) {
        let device = devices[number]
        guard !device.hasLostItsPast else { return }
        guard device.isUp else { return schedule(.redacts(number, message: message), in: 5_000) }
        post(.redacts(message), to: number)
    }

    mutating func act(_ act: Act, by number: Int) {
        guard devices[number].isUp, holdsGroup(number) else { return }
        post(.acts(act), to: number)
    }

    /// The text of a message: the mark, the message's number, and incompressible bytes.
    private func text(_ utterance: Int) -> [UInt8] {
        var bytes = withUnsafeBytes(of: textMark.littleEndian) { Array($0) }
        bytes += withUnsafeBytes(of: UInt32(utterance).littleEndian) { Array($0) }
        var filler = SeededGenerator(seed: textMark &+ UInt64(utterance))
        while bytes.count < scenario.bodyBytes {
            bytes += withUnsafeBytes(of: filler.next().littleEndian) { Array($0) }
        }
        return Array(bytes.prefix(scenario.bodyBytes))
    }

    mutating func endFaults() {
        isFaultless = true
        severed = nil
        for device in devices {
            if device.role == .hostile {
                breakLinks(of: device.number)
                device.isUp = false
                device.links = []
                online.remove(device.number)
            } else {
                device.isOnline = true
                if device.isUp { online.add(device.number) }
                post(.presence(isOnline: true), to: device.number)
            }
        }
    }
}
