import TomboloCore

/// A node of MVDS (Vac RFC 2/MVDS) over datagrams. An OFFER or a MESSAGE is outstanding towards each member until the
/// member acknowledges it.
///
/// The state machine is that of the RFC. The times of repetition are those of status-go: after the n-th time 90 ·
/// 2^(n−1) epochs of 300 ms, and up to 30 more. They start again when a member is heard after a minute of silence.
final class RecordNode: MessageNode {
    private enum Kind { case offer, request, message }
    private struct Record {
        var kind: Kind
        var sends = 0
        var due: UInt64
    }

    private let number: Int
    private let count: Int
    private let conversation: Conversation
    private let isInteractive: Bool
    /// The number of random members towards which a message is outstanding; nil for all.
    private let partners: Int?
    /// Tells whether messages of others are passed on.
    private let relays: Bool
    private var generator: SeededGenerator
    var messages = HeldMessages()
    /// The outstanding records by peer and message.
    private var records: [Int: [Int: Record]] = [:]
    private var queue = Agenda<(peer: Int, message: Int)>()
    private var lastHeard: [Int: UInt64] = [:]
    private var isOnline = true
    /// The payload to send to each peer at the end of the batch.
    private var outgoing: [Int: Payload] = [:]

    private static let silence: UInt64 = 60_000
    private static let mostBytes = 65_536

    init(
        _ number: Int, of count: Int, _ conversation: Conversation, isInteractive: Bool, partners: Int?, relays: Bool,
        seed: UInt64
    ) {
        (self.number, self.count, self.conversation) = (number, count, conversation)
        (self.isInteractive, self.partners, self.relays) = (isInteractive, partners, relays)
        generator = SeededGenerator(seed: seed)
    }

    var nextWake: UInt64? { isOnline ? queue.nextTime : nil }

    func process(_ inputs: [NodeInput], now: UInt64) -> [NodeEffect] {
        var effects: [NodeEffect] = []
        for input in inputs {
            switch input {
            case .says(let message, let text):
                conversation.add(message, text, now: now)
                _ = messages.insert(message)
                effects += [.said(message), .delivered]
                tellOthers(message, except: nil, now)
            case .datagram(let peer, let bytes): if receive(bytes, from: peer, now) { effects.append(.delivered) }
            case .presence(let isOnline): self.isOnline = isOnline
            default: break
            }
        }
        if isOnline { sendDue(now) }
        for (peer, payload) in outgoing.sorted(by: { $0.key < $1.key }) {
            effects += payload.split(Self.mostBytes).map { .datagram(to: peer, $0.encoded) }
        }
        outgoing = [:]
        return effects
    }

    private func tellOthers(_ message: Int, except source: Int?, _ now: UInt64) {
        var peers = (0..<count).filter { $0 != number && $0 != source }
        if let partners { peers = Array(peers.shuffled(using: &generator).prefix(partners)) }
        for peer in peers { add(isInteractive ? .offer : .message, message, towards: peer, now) }
    }

    private func add(_ kind: Kind, _ message: Int, towards peer: Int, _ now: UInt64) {
        records[peer, default: [:]][message] = Record(kind: kind, due: now)
        queue.add((peer, message), at: now)
    }

    private func sendDue(_ now: UInt64) {
        while let time = queue.nextTime, time <= now {
            guard let (peer, message) = queue.popFirst() else { break }
            // A record that changed meanwhile has a later entry in the queue.
            guard var record = records[peer]?[message], record.due == time else { continue }
            switch record.kind {
            case .offer: outgoing[peer, default: Payload()].offers.append(conversation.bytes(ofID: message))
            case .request: outgoing[peer, default: Payload()].requests.append(conversation.bytes(ofID: message))
            case .message:
                if let entry = conversation[message] {
                    outgoing[peer, default: Payload()].messages.append(entry.message)
                }
            }
            record.sends += 1
            record.due = now + generator.waitToSendAgain(afterSends: record.sends)
            records[peer]?[message] = record
            queue.add((peer, message), at: record.due)
        }
    }

    private func receive(_ bytes: Bytes, from peer: Int, _ now: UInt64) -> Bool {
        guard let payload = try? Payload(decoding: bytes) else { return false }
        if let last = lastHeard[peer], now - last > Self.silence { startOver(towards: peer, now) }
        lastHeard[peer] = now
        var hasNew = false
        for id in payload.acks { if let message = conversation.number(ofID: id) { records[peer]?[message] = nil } }
        for id in payload.offers {
            guard let message = conversation.number(ofID: id) else { continue }
            if messages.contains(message) {
                outgoing[peer, default: Payload()].acks.append(id)
            } else if records[peer]?[message] == nil {
                add(.request, message, towards: peer, now)
            }
        }
        for id in payload.requests {
            guard let message = conversation.number(ofID: id), messages.contains(message) else { continue }
            add(.message, message, towards: peer, now)
        }
        for received in payload.messages {
            guard let message = conversation.number(of: received) else { continue }
            records[peer]?[message] = nil
            outgoing[peer, default: Payload()].acks.append(conversation.bytes(ofID: message))
            guard messages.insert(message) else { continue }
            hasNew = true
            if relays { tellOthers(message, except: peer, now) }
        }
        return hasNew
    }

    private func startOver(towards peer: Int, _ now: UInt64) {
        for message in (records[peer] ?? [:]).keys.sorted() {
            records[peer]?[message]?.sends = 0
            records[peer]?[message]?.due = now
            queue.add((peer, message), at: now)
        }
    }
}

extension Payload {
    /// The same content in payloads of at most about `limit` bytes.
    func split(_ limit: Int) -> [Payload] {
        var parts: [Payload] = []
        var part = self
        part.messages = []
        var bytes = 34 * (acks.count + offers.count + requests.count)
        for message in messages {
            let size = message.body.count + 64
            if bytes + size > limit, bytes > 0 {
                parts.append(part)
                part = Payload()
                bytes = 0
            }
            part.messages.append(message)
            bytes += size
        }
        return part.isEmpty ? parts : parts + [part]
    }
}
