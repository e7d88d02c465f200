import TomboloCore
import TomboloCrypto

// What must hold after a restart and at the end, over everything that was delivered.
extension Simulation {
    var honest: [SimulatedDevice] { devices.filter { $0.role != .hostile } }

    /// Whether everything that was said is delivered everywhere.
    var isConverged: Bool {
        guard unsaid == 0, let first = devices.first else { return false }
        if scenario.acts > 0 { return isJudgedAlike }
        func isBehind(_ device: SimulatedDevice) -> Bool {
            !device.isUp || !device.inbox.isEmpty || !device.view.isAlike(first.view)
        }
        // It is asked with every batch: who was behind when it was last asked is most likely so still.
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

    /// What a device said, and was told to be on disk, is in its store whatever has befallen it (law 1).
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

    /// What was delivered before a process was killed is there after it.
    func checkMonotonicReads(on device: SimulatedDevice) throws(Violation) {
        for number in device.view.order {
            guard device.node.status(of: Int(number)) == .delivered || device.node.isForgotten(Int(number)) else {
                throw Violation(.unread, device.number, "number \(number)")
            }
        }
    }

    /// What a device said that has lost its past, and that nobody else has either, is gone: nobody promised that it survives.
    func forgetWhatNobodyHas() {
        for (number, said) in history.said where devices[said.device].hasLostItsPast {
            if !honest.contains(where: { $0.view.contains(number) || has(number, $0) }) { history.forget(said: number) }
        }
    }

    /// Whether a device can deliver a message at some time: not what waits for a secret that has gone with its author's device.
    private func has(_ number: Int, _ device: SimulatedDevice) -> Bool {
        guard let status = device.node.status(of: number) else { return false }
        guard scenario.isPrivate, status == .waiting, !history.isState(number) else { return true }
        return (device.node as? any MemberNode)?.opens(number) ?? true
    }

    /// Writes follow reads: what a device had been delivered when it said something comes before that on every device. (State comes
    /// before what is said, and names none of it.) Looked at where devices, squared, times events are not too many.
    func checkWritesFollowReads() throws(Violation) {
        guard scenario.strategy == .tombolo || mutant == .namesNoCauses else { return }
        // What was held back comes when it is wanted again.
        guard scenario.acts == 0 else { return }
        let honest = honest
        let events = devices[0].view.order.count
        guard honest.count * honest.count * events <= 100_000_000 else { return }
        // Who said each, -1 for nobody and for state.
        let highest = honest.reduce(history.said.keys.max() ?? 0) { max($0, Int($1.view.order.max() ?? 0)) }
        var writers = [Int](repeating: -1, count: highest + 1)
        for (number, said) in history.said where !history.isState(number) { writers[number] = said.device }
        for reader in honest {
            var places = [Int](repeating: -1, count: writers.count)
            for (index, number) in reader.view.order.enumerated() { places[Int(number)] = index }
            for writer in honest where writer !== reader && !writer.hasLostItsPast {
                // The place here of the latest of what the writer had read by then.
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

    /// What has expired or was taken back is gone from every honest device, all else is there. Looked at a second after the time.
    func checkErasure() throws(Violation) {
        guard scenario.lifetime != nil || scenario.redacted > 0 else { return }
        for device in honest where holdsGroup(device.number) {
            let clock = device.node.clock(now)
            for (number, said) in history.said where devices[said.device].role != .hostile {
                let header = history.pool.events[number].header
                guard header.isErasable else { continue }
                let redaction = history.redacted[number]
                // A redaction that is not wanted any more need not have been carried out.
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

    /// In the end every honest device can read all that it was handed and that was not erased; of what is over by the fastest clock, others may
    /// have forgotten the key.
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

    /// Over all that was delivered, everywhere, in its order: equal for equal runs.
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
