import TomboloCore
import TomboloCrypto

// Checks after a restart and at the end of a run, over all deliveries.
extension Simulation {
    var honest: [SimulatedDevice] { devices.filter { $0.role != .hostile } }

    /// Tells whether every message is delivered on every device.
    var isConverged: Bool {
        guard unsaid == 0, let first = devices.first else { return false }
        if scenario.acts > 0 { return isJudgedAlike }
        func isBehind(_ device: SimulatedDevice) -> Bool {
            !device.isUp || !device.inbox.isEmpty || !device.view.isAlike(first.view)
        }
        // The question is asked after every batch. A device that was behind at the last time probably still is, so it
        // is checked first.
        if isBehind(devices[straggler.number]) { return false }
        for device in devices where device.role != .hostile && isBehind(device) {
            straggler.number = device.number
            return false
        }
        return history.said.allSatisfy { devices[$0.value.device].role == .hostile || first.view.contains($0.key) }
    }

    func divergence() -> Violation {
        if scenario.acts > 0, let detail = differences { return Violation(.judgedDifferently, 0, detail) }
        let counts = honest.prefix(64).map { "\($0.view.order.count)" }.joined(separator: ", ")
        let missing = history.said.keys.filter { number in honest.contains { !$0.view.contains(number) } }
        return Violation(
            .diverged, 0,
            "after \(scenario.patience) ms without faults \(missing.count) of \(history.said.count) messages are not everywhere, "
                + "\(unsaid) not said; delivered: \(counts)")
    }

    /// Checks law 1: a message that a device reported as stored is in its store, whatever has happened to the device.
    func checkNothingIsLost(on device: SimulatedDevice) throws(Violation) {
        guard !device.hasLostItsPast else { return }
        for (number, said) in history.said where said.device == device.number {
            let status = device.node.status(of: number)
            let isThere = status == .delivered || scenario.acts > 0 && status != nil
            guard isThere || device.node.isForgotten(number) else {
                throw Violation(.lost, device.number, "number \(number)")
            }
        }
    }

    /// Checks that events delivered before a crash are still delivered after it.
    func checkMonotonicReads(on device: SimulatedDevice) throws(Violation) {
        for number in device.view.order {
            guard device.node.status(of: Int(number)) == .delivered || device.node.isForgotten(Int(number)) else {
                throw Violation(.unread, device.number, "number \(number)")
            }
        }
    }

    /// Removes messages of devices that have lost their past if no other device holds them. Nothing promises that these
    /// survive.
    func forgetWhatNobodyHas() {
        for (number, said) in history.said where devices[said.device].hasLostItsPast {
            if !honest.contains(where: { $0.view.contains(number) || has(number, $0) }) { history.forget(said: number) }
        }
    }

    /// Tells whether a device can deliver a message at some time. It cannot if the secret is lost with the author's
    /// device.
    private func has(_ number: Int, _ device: SimulatedDevice) -> Bool {
        guard let status = device.node.status(of: number) else { return false }
        guard scenario.isPrivate, status == .waiting, !history.isState(number) else { return true }
        return (device.node as? any MemberNode)?.opens(number) ?? true
    }

    /// Checks that writes follow reads: events delivered to a writer before it wrote come before its event on every
    /// device.
    ///
    /// State events are not checked, since they come before messages and name none of them. The check is skipped where
    /// devices, squared, times events are too many.
    func checkWritesFollowReads() throws(Violation) {
        guard scenario.strategy == .tombolo || mutant == .namesNoCauses else { return }
        // An event that was held back is delivered later, when it is wanted again.
        guard scenario.acts == 0 else { return }
        let honest = honest
        let events = devices[0].view.order.count
        guard honest.count * honest.count * events <= 100_000_000 else { return }
        // The writer of each number; −1 for state events and unknown writers.
        let highest = honest.reduce(history.said.keys.max() ?? 0) { max($0, Int($1.view.order.max() ?? 0)) }
        var writers = [Int](repeating: -1, count: highest + 1)
        for (number, said) in history.said where !history.isState(number) { writers[number] = said.device }
        for reader in honest {
            var places = [Int](repeating: -1, count: writers.count)
            for (index, number) in reader.view.order.enumerated() { places[Int(number)] = index }
            for writer in honest where writer !== reader && !writer.hasLostItsPast {
                // The highest position here among the events that the writer had read so far.
                var latest = -1
                for number in writer.view.order {
                    let here = places[Int(number)]
                    guard here >= 0 else { continue }
                    if writers[Int(number)] == writer.number, here < latest {
                        throw Violation(.beforeWhatItsWriterRead, reader.number, "number \(number)")
                    }
                    latest = max(latest, here)
                }
            }
        }
    }

    /// Checks that every honest device has erased expired and redacted contents and holds all others. Expiry is checked
    /// one second late.
    func checkErasure() throws(Violation) {
        guard scenario.lifetime != nil || scenario.redacted > 0 else { return }
        for device in honest where holdsGroup(device.number) {
            let clock = device.node.clock(now)
            for (number, said) in history.said where devices[said.device].role != .hostile {
                let header = history.pool.events[number].header
                guard header.isErasable else { continue }
                let redaction = history.redacted[number]
                // A redaction that is no longer wanted need not have been carried out.
                let isRedacted =
                    redaction.map { history.said[$0] != nil && device.node.status(of: $0) == .delivered } ?? false
                let isOver = header.expiry.map { $0 + 1_000 < clock } ?? false
                let mayBeGone = redaction != nil || header.expiry.map { $0 < now + scenario.clockSkew + 1_000 } ?? false
                let isThere = device.node.hasContent(of: number)
                guard isThere ? !isRedacted && !isOver : mayBeGone else {
                    let why =
                        (isOver ? nil : redaction.map { "taken back by number \($0)" })
                        ?? header.expiry.map { "to go at \($0), the device's clock being at \(clock)" } ?? "to stay"
                    let others = honest.filter { $0.node.hasContent(of: number) }.map(\.number)
                    throw Violation(
                        .notErased, device.number,
                        "number \(number) of device \(said.device), which is \(isThere ? "there" : "gone"), was \(why); it is there on \(others)"
                    )
                }
            }
        }
    }

    /// Checks that every honest device can read all that was delivered to it and not erased. Contents that have expired
    /// by the fastest clock are skipped, since others may have forgotten the key.
    func checkReading() throws {
        guard scenario.isPrivate else { return }
        for device in honest {
            for number in device.view.order where !history.isState(Int(number)) {
                let expiry = history.pool.events[Int(number)].header.expiry ?? .max
                guard expiry > now + scenario.clockSkew + 1_000 else { continue }
                guard try device.node.canRead(Int(number)) || device.node.isForgotten(Int(number)) else {
                    throw Violation(.unreadable, device.number, "number \(number)")
                }
            }
        }
    }

    /// The hash of all deliveries on all devices, in their order. Equal runs have equal digests.
    var digest: String {
        var bytes: [UInt8] = []
        for device in devices {
            for number in device.view.order { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
            withUnsafeBytes(of: UInt64(device.bytesSent).littleEndian) { bytes += $0 }
        }
        for (latency, count) in measured.latencies.sorted(by: { $0.key < $1.key }) {
            withUnsafeBytes(of: (latency.littleEndian, UInt64(count).littleEndian)) { bytes += $0 }
        }
        return bytes.withUnsafeBytes { SwiftCryptography().sha256($0) }.description
    }
}
