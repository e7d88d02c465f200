import TomboloCore
import TomboloCrypto

/// A peer that introduces itself and its groups correctly, and then sends arbitrary bytes during reconciliation.
///
/// A native group is reconciled by coded symbols, and a group of the mvds dialect by the cheapest method. The peer is
/// the dialler in some runs and the listener in others.
final class ReconciliationSession {
    nonisolated(unsafe) static let shared = ReconciliationSession()  // libFuzzer runs one input at a time
    private let victim = Device(seed: 5)
    private let peer = Device(seed: 6)
    private var session: UInt64 = 0

    private init() {
        var native: GroupID?
        for case .created(_, let id) in victim.take([.createGroup(1, name: "crew")]) { native = id }
        guard let native else { preconditionFailure("there is no group") }
        for case .invited(_, let invitation) in victim.take([
            .invite(1, group: native, addresses: [], expiry: .max >> 12)
        ]) {
            let id = open(victimDials: false, joining: invitation) { payload in payload }
            close(id)
        }
        let messages = GroupID(Bytes32.zero)
        for (device, other) in [(victim, peer), (peer, victim)] {
            device.take([
                .createMVDSGroup(1, messages, name: "talk"), .share(2, group: messages, with: other.key),
            ])
        }
        for number in 0..<40 {
            for (device, group) in [(victim, native), (peer, native), (victim, messages), (peer, messages)] {
                let content = Array("\(number) \(device === victim)".utf8)
                device.take([.append(1, group: group, kind: .message, content: content, expiry: nil)])
            }
        }
    }

    /// Lets both devices introduce themselves. After that, the victim receives the peer's payloads as `change` returns
    /// them; nil drops a payload.
    private func open(
        victimDials: Bool, joining invitation: Invitation? = nil, _ change: ([UInt8]) -> [UInt8]?
    ) -> SessionID {
        session += 1
        let id = SessionID(rawValue: session)
        func link(to other: Device, isDialler: Bool) -> EngineInput {
            .linkOpened(
                PeerLink(
                    session: id, peer: other.key, isDialler: isDialler, binding: .zero,
                    invitation: isDialler ? invitation : nil))
        }
        var toVictim = peer.payloads([link(to: victim, isDialler: !victimDials)])
        var toPeer = victim.payloads([link(to: peer, isDialler: victimDials)])
        var rounds = 0
        while !toVictim.isEmpty || !toPeer.isEmpty, rounds < 20 {
            let answers = victim.payloads(toVictim.map { .payloadReceived(id, $0[...]) })
            let others = peer.payloads(toPeer.map { .payloadReceived(id, $0[...]) })
            toPeer = answers
            toVictim = rounds == 0 ? others : others.compactMap(change)
            rounds += 1
        }
        return id
    }

    private func close(_ id: SessionID) { for device in [victim, peer] { device.take([.linkClosed(id)]) } }

    func attack(_ bytes: [UInt8]) -> CInt {
        guard let role = bytes.first else { return 0 }
        let id = open(victimDials: role & 1 == 1) { _ in nil }
        for piece in split(Array(bytes.dropFirst())) {
            victim.take([.payloadReceived(id, payload(with: piece)[...])])
        }
        victim.take([.timePassed], after: 5_000)
        close(id)
        return 0
    }

    /// A payload of one `GroupSync` (protocol §5): `reconcile` for the messages, or a frontier or coded symbols for the
    /// native group.
    private func payload(with input: [UInt8]) -> [UInt8] {
        let (number, field): (Int, UInt8) =
            switch (input.first ?? 0) % 3 {
            case 0: (1_024, 15)
            case 1: (0, 14)
            default: (0, 5)
            }
        let piece = Array(input.dropFirst())
        var sync: [UInt8] = [1 << 3] + varint(number) + [field << 3 | 2]
        sync += varint(piece.count) + piece
        return varint(5_102 << 3 | 2) + varint(sync.count) + sync
    }

    private func varint(_ value: Int) -> [UInt8] {
        var (bytes, left): ([UInt8], Int) = ([], value)
        while left >= 0x80 {
            bytes.append(UInt8(left & 0x7f) | 0x80)
            left >>= 7
        }
        return bytes + [UInt8(left)]
    }
}
