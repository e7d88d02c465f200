import SetReconciliation
import TomboloCore

/// A node of Dispersy's scheme (Zeilemaker, Schoon, Pouwelse 2013).
///
/// Every five seconds it asks one random online device for missing messages. The question is one datagram with a Bloom
/// filter over a slice of the held messages. The answer has at most 5 KiB. The node stores and sends nothing else.
final class BloomNode: MessageNode {
    private let number: Int
    private let conversation: Conversation
    private let online: OnlineDevices
    private var generator: SeededGenerator
    var messages = HeldMessages()
    private var isOnline = true
    private var nextStep: UInt64?

    private static let step: UInt64 = 5_000
    private static let replyBytes = 5_120

    init(_ number: Int, _ conversation: Conversation, online: OnlineDevices, seed: UInt64) {
        (self.number, self.conversation, self.online) = (number, conversation, online)
        generator = SeededGenerator(seed: seed)
    }

    var nextWake: UInt64? { isOnline ? nextStep : nil }

    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect] {
        var effects: [NodeEffect] = []
        for input in inputs {
            switch input {
            case .says(let message, let text):
                conversation.add(message, text, now: now)
                _ = messages.insert(message)
                effects += [.said(message), .delivered]
            case .datagram(let peer, let bytes): effects += try receive(bytes, from: peer)
            case .presence(let isOnline):
                self.isOnline = isOnline
                nextStep = now + generator.any(0...Self.step)
            default: break
            }
        }
        guard isOnline, let due = nextStep, due <= now else { return effects }
        nextStep = now + Self.step
        for _ in 0..<8 {
            guard let other = online.numbers.randomElement(using: &generator) else { break }
            guard other != number else { continue }
            let query = try BloomQuery(
                over: conversation.items(messages.numbers), generator.chance(0.5) ? .pivot : .modulo, byteLimit: 1_270,
                using: &generator)
            var sync = GroupSync(number: 0)
            sync.reconcile = query.bytes[...]
            var payload = Payload()
            payload.groups = [sync]
            return effects + [.datagram(to: other, payload.encoded)]
        }
        return effects
    }

    private func receive(_ bytes: Bytes, from peer: Int) throws -> [NodeEffect] {
        guard let payload = try? Payload(decoding: bytes) else { return [] }
        var effects: [NodeEffect] = []
        let new = payload.messages.compactMap(conversation.number(of:)).filter { messages.insert($0) }
        if !new.isEmpty { effects.append(.delivered) }
        for sync in payload.groups {
            guard let bytes = sync.reconcile, let query = try? BloomQuery(bytes: Array(bytes)) else { continue }
            let items = conversation.items(messages.numbers)
            var answer = Payload()
            var size = 0
            for index in try query.missing(in: items, limit: 64) where size < Self.replyBytes {
                guard let number = conversation.number(ofID: items[index].id.bytes[...]),
                    let entry = conversation[number]
                else { continue }
                answer.messages.append(entry.message)
                size += entry.message.body.count + 64
            }
            if !answer.isEmpty { effects.append(.datagram(to: peer, answer.encoded)) }
        }
        return effects
    }
}
