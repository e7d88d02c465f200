import TomboloCore

// Checks of law 8: devices that hold the same events must agree on roles, state and visible events.
extension Simulation {
    /// The honest devices that are in the group. A device that lost everything is not, if no device that may admit it
    /// is left.
    private var inGroup: [(device: SimulatedDevice, node: any MemberNode)] {
        honest.compactMap { device in
            guard let node = device.node as? any MemberNode, node.holdsGroup else { return nil }
            return (device, node)
        }
    }

    /// Tells whether all devices hold the same. They may still wait for secrets that they must not have or that nobody
    /// has.
    var isJudgedAlike: Bool { differences == nil }

    /// A description of the first difference between devices; nil if there is none.
    var differences: String? {
        guard honest.allSatisfy({ $0.isUp && $0.inbox.isEmpty }) else { return "something is on its way" }
        let present = inGroup
        let outside = honest.filter { !holdsGroup($0.number) }
        if let device = outside.first(where: { out in present.contains { $0.node.mayAdmit(out.number) } }) {
            return "device \(device.number) is not in the group again"
        }
        guard Set(present.map { $0.node.root() }).count <= 1 else { return "not all hold the same" }
        var first: Judgement?
        for (device, node) in present {
            let own = node.judgement()
            first = first ?? own
            if let difference = first.flatMap({ own.difference(from: $0) }) {
                return "devices \(present[0].device.number) and \(device.number) differ in \(difference)"
            }
            if let number = waitsWrongly(node, own, present.map(\.node)) {
                return "device \(device.number) waits for number \(number), or its secret"
            }
        }
        return nil
    }

    /// An event that waits although the device should have all that it waits for; nil if there is none.
    ///
    /// An event may also wait for a key that nobody has. A removed author may have redacted it and erased the only key,
    /// although the redaction itself is unwanted.
    private func waitsWrongly(
        _ node: any MemberNode, _ judgement: Judgement, _ others: [any MemberNode]
    ) -> Int? {
        let waiting = judgement.statuses.filter { $0.value == .waiting }.keys.sorted()
        return waiting.first { number in
            let waitsForOthers = history.fact(number).ancestors.contains { judgement.statuses[$0] == .waiting }
            guard !waitsForOthers else { return false }
            guard !history.pool.events[number].header.rekeys.isEmpty, !node.opens(number) else { return true }
            return node.mayRead && others.contains { $0.opens(number) }
        }
    }

    /// Checks that the deliveries and withdrawals which an application received add up to the visible events.
    func checkViews() throws {
        guard scenario.acts > 0 else { return }
        for (device, node) in inGroup {
            guard try node.isStateAlikeAnew() else {
                throw Violation(.judgedDifferently, device.number, "its state differs from that of a new state graph")
            }
            let judgement = node.judgement()
            let shown = judgement.statuses.filter { $0.value == .delivered }.keys.sorted()
            let told = device.view.order.map { Int($0) }.filter { !node.isForgotten($0) }.sorted()
            guard shown == told else {
                let differing = Set(shown).symmetricDifference(told).sorted()
                throw Violation(.wronglyShown, device.number, "numbers \(differing.prefix(8))")
            }
        }
    }
}
