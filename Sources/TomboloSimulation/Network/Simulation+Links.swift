import TomboloCore

// Streams: the choice of partners, transmission, and the end.
extension Simulation {
    mutating func dial(_ number: Int) throws {
        schedule(.dials(number), in: generator.any(scenario.conditions.dialling))
        let device = devices[number]
        guard device.isReachable, device.links.count < scenario.conditions.links, takesPart(number) else { return }
        let met = device.links.compactMap { links[$0]?.other(than: number) }
        func canBeMet(_ other: Int) -> Bool {
            other != number && devices[other].isReachable && !met.contains(other) && !isSevered(number, other)
                && takesPart(other) && canReach(number, other)
        }
        // Every device knows the helpers, so these are tried first.
        let helpers = (scenario.devices..<scenario.devices + scenario.helpers).filter(canBeMet)
        if let helper = helpers.first {
            open(from: number, to: helper, joining: nil)
            return
        }
        for _ in 0..<min(16, 2 * online.numbers.count) {
            guard let other = online.numbers.randomElement(using: &generator) else { return }
            if canBeMet(other) {
                open(from: number, to: other, joining: nil)
                return
            }
        }
    }

    /// Tells whether a device can be dialled. A wiped device is nobody's peer until it is invited again.
    func takesPart(_ number: Int) -> Bool { scenario.acts > 0 ? holdsGroup(number) : hasJoined(number) }

    /// Tells whether a device can send messages to the group, as far as it knows.
    func hasJoined(_ number: Int) -> Bool { (devices[number].node as? any JoiningNode)?.hasJoined ?? true }
    func holdsGroup(_ number: Int) -> Bool { (devices[number].node as? any JoiningNode)?.holdsGroup ?? true }

    func isSevered(_ one: Int, _ other: Int) -> Bool {
        severed.map { $0.0.contains(one) != $0.0.contains(other) } ?? false
    }

    /// Tells whether one device can reach another. Two devices behind NATs can if they punch a hole, which depends on
    /// the pair alone.
    private func canReach(_ one: Int, _ other: Int) -> Bool {
        guard devices[other].isNatted else { return true }
        guard devices[one].isNatted else { return true }
        var pair = SeededGenerator(seed: UInt64(min(one, other)) << 32 | UInt64(max(one, other)))
        return pair.chance(scenario.conditions.punctured)
    }

    @discardableResult
    mutating func open(from dialler: Int, to listener: Int, joining invitation: Invitation?) -> UInt64 {
        linkCount += 1
        let link = linkCount
        links[link] = Link(dialler: dialler, listener: listener, isForJoining: invitation != nil)
        measured.links += 1
        for (number, other) in [(listener, dialler), (dialler, listener)] {
            devices[number].links.insert(link)
            let isDialler = number == dialler
            post(
                .linkOpened(
                    link: link, peer: other, isDialler: isDialler, invitation: isDialler ? invitation : nil),
                to: number)
        }
        if !isFaultless { schedule(.linkBreaks(link: link), in: generator.wait(scenario.conditions.linkBreaks)) }
        schedule(.linkIsOver(link: link), in: isFaultless ? nil : scenario.conditions.linkDuration)
        return link
    }

    mutating func send(_ bytes: [UInt8], over link: UInt64, from number: Int) {
        guard var carrier = links[link] else { return }
        let to = carrier.other(than: number)
        note(bytes, from: number, to: [to])
        let direction = carrier.direction(to: to)
        if mutant == .losesPayloads, !isFaultless, generator.any(0...29) == 0 { return }
        guard !carrier.isDead[direction] else { return }
        let conditions = scenario.conditions
        var bytes = bytes
        var delay: UInt64 = 0
        if !isFaultless, conditions.loss > 0 {
            for _ in 0..<conditions.packets(of: bytes.count) {
                var (timeout, losses): (UInt64, Int) = (200, 0)
                while generator.chance(conditions.loss) {
                    losses += 1
                    let again = min(conditions.mtu, bytes.count)
                    measured.bytes.retransmissions += again
                    devices[number].bytesSent += again
                    delay += timeout
                    timeout *= 2
                    guard losses <= 6 else { return breakLink(link, within: 2_000) }
                }
            }
        }
        if !isFaultless, generator.chance(conditions.corruption), !bytes.isEmpty {
            bytes[Int.random(in: bytes.indices, using: &generator)] ^= 1 << UInt8(generator.any(0...7))
            carrier.isCorrupted = true
        }
        let leaves =
            max(now, carrier.busyUntil[direction]) + UInt64(bytes.count * 1_000 / conditions.bytesPerSecond)
        carrier.busyUntil[direction] = leaves
        let arrives = max(carrier.lastArrival[direction], leaves + delay + generator.any(conditions.latency))
        carrier.lastArrival[direction] = arrives
        links[link] = carrier
        agenda.add(.arrives(link: link, to: to, bytes: bytes), at: arrives)
    }

    /// Breaks a link. Payloads in flight are lost, and the two ends learn of the break at different times.
    mutating func breakLink(_ link: UInt64, within milliseconds: UInt64) {
        guard let broken = links.removeValue(forKey: link) else { return }
        for number in [broken.dialler, broken.listener] {
            agenda.add(.linkEnds(link: link, at: number), at: now + generator.any(0...milliseconds))
        }
    }

    mutating func end(_ link: UInt64, at number: Int) {
        guard devices[number].links.remove(link) != nil else { return }
        post(.linkClosed(link), to: number)
    }

    /// Breaks all links of a device. The device learns of it at once, the others later.
    mutating func breakLinks(of number: Int) {
        for link in devices[number].links.sorted() {
            guard let broken = links.removeValue(forKey: link) else { continue }
            end(link, at: number)
            agenda.add(.linkEnds(link: link, at: broken.other(than: number)), at: now + generator.any(100...30_000))
        }
    }

    mutating func partition() {
        guard !isFaultless else { return }
        let side = Set(devices.indices.filter { _ in generator.any(0...1) == 0 })
        severed = (side, isOneWay: generator.chance(scenario.conditions.oneWay))
        for (link, ends) in links.sorted(by: { $0.key < $1.key }) where isSevered(ends.dialler, ends.listener) {
            if severed?.isOneWay ?? false {
                // Nothing passes in one direction any more. The sender notices that after a while.
                let inside = side.contains(ends.dialler) ? ends.listener : ends.dialler
                links[link]?.isDead[ends.direction(to: inside)] = true
                schedule(.linkBreaks(link: link), in: generator.any(10_000...60_000))
            } else {
                breakLink(link, within: 30_000)
            }
        }
        schedule(.heals, in: generator.any(10_000...60_000))
    }
}
