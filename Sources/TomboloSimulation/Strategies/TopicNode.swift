import TomboloCore

/// A node that sends every message to the group's topic, which every online device hears and acknowledges there.
///
/// The author, and a helper, repeat a message until all members have acknowledged it, at the times of ``RecordNode``.
final class TopicNode: MessageNode {
    private struct Outstanding {
        var missing: Set<Int>
        var sends = 0
        var due: UInt64
    }

    private let number: Int
    private let count: Int
    private let conversation: Conversation
    private let relays: Bool
    private var generator: SeededGenerator
    var messages = HeldMessages()
    private var outstanding: [Int: Outstanding] = [:]
    private var queue = Agenda<Int>()
    private var acks: [Int] = []
    private var acksDue: UInt64?
    private var isOnline = true

    /// The time for which acknowledgements are collected. One payload costs the topic less than many.
    private static let ackDelay: ClosedRange<UInt64> = 200...2_000
    private static let mostBytes = 65_536

    init(_ number: Int, of count: Int, _ conversation: Conversation, relays: Bool, seed: UInt64) {
        (self.number, self.count, self.conversation, self.relays) = (number, count, conversation, relays)
        generator = SeededGenerator(seed: seed)
    }

    var nextWake: UInt64? { isOnline ? [queue.nextTime, acksDue].compactMap(\.self).min() : nil }

    func process(_ inputs: [NodeInput], now: UInt64) -> [NodeEffect] {
        var effects: [NodeEffect] = []
        for input in inputs {
            switch input {
            case .says(let message, let text):
                conversation.add(message, text, now: now)
                _ = messages.insert(message)
                effects += [.said(message), .delivered]
                keep(message, heldBy: [number], now)
            case .datagram(let peer, let bytes): if receive(bytes, from: peer, now) { effects.append(.delivered) }
            case .presence(let isOnline): self.isOnline = isOnline
            default: break
            }
        }
        guard isOnline else { return effects }
        return effects + due(now).split(Self.mostBytes).map { .multicast($0.encoded) }
    }

    private func keep(_ message: Int, heldBy holders: [Int], _ now: UInt64) {
        outstanding[message] = Outstanding(missing: Set(0..<count).subtracting(holders), due: now)
        queue.add(message, at: now)
    }

    private func due(_ now: UInt64) -> Payload {
        var payload = Payload()
        if let time = acksDue, time <= now {
            payload.acks = acks.map { conversation.bytes(ofID: $0) }
            (acks, acksDue) = ([], nil)
        }
        while let time = queue.nextTime, time <= now {
            guard let message = queue.popFirst() else { break }
            guard var record = outstanding[message], record.due == time, let entry = conversation[message] else {
                continue
            }
            payload.messages.append(entry.message)
            record.sends += 1
            record.due = now + generator.waitToSendAgain(afterSends: record.sends)
            outstanding[message] = record
            queue.add(message, at: record.due)
        }
        return payload
    }

    private func receive(_ bytes: Bytes, from peer: Int, _ now: UInt64) -> Bool {
        guard let payload = try? Payload(decoding: bytes) else { return false }
        var hasNew = false
        for id in payload.acks {
            guard let message = conversation.number(ofID: id) else { continue }
            outstanding[message]?.missing.remove(peer)
            if outstanding[message]?.missing.isEmpty ?? false { outstanding[message] = nil }
        }
        for received in payload.messages {
            guard let message = conversation.number(of: received) else { continue }
            if !acks.contains(message) { acks.append(message) }
            acksDue = acksDue ?? now + generator.any(Self.ackDelay)
            outstanding[message]?.missing.remove(peer)
            guard messages.insert(message) else { continue }
            hasNew = true
            if relays {
                keep(message, heldBy: [number, peer], now)
                // All online devices have just heard the message.
                outstanding[message]?.due = now + 27_000
                queue.add(message, at: now + 27_000)
            }
        }
        return hasNew
    }
}
