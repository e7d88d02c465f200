import SetReconciliation
import TomboloCore

/// A node that reconciles the sets of messages when two devices meet, and sends the difference. New messages then go
/// over all links.
///
/// With `flooding` nothing is reconciled, and everything is sent.
final class SetNode: MessageNode {
    /// The kind of a reconciliation message, in ``GroupSync/number``.
    private enum Step {
        static let begins = 1
        static let answers = 2
        static let asksForCells = 3
        static let cells = 4
        static let wantsShorts = 5
    }

    private struct Meeting {
        var ranges: RangeReconciler<SortedItems>?
        var decoder: RatelessDecoder<UInt64>?
        var encoder: RatelessEncoder<UInt64>?
        var cells: [CodedSymbol<UInt64>] = []
        var local: RatelessEncoder<UInt64>?
        /// The messages that went over this link, in either direction.
        var told = BitSet()
    }

    private let number: Int
    private let strategy: Strategy
    private let conversation: Conversation
    var messages = HeldMessages()
    private var numberOfShort: [UInt64: Int] = [:]
    private var meetings: [UInt64: Meeting] = [:]
    private static let key = SipHashKey(0x746f_6d62, 0x6f6c_6f21)
    private static let mostBytes = 65_536

    init(_ number: Int, _ strategy: Strategy, _ conversation: Conversation) {
        (self.number, self.strategy, self.conversation) = (number, strategy, conversation)
    }

    var nextWake: UInt64? { nil }
    func restart(after stop: Stop, now: UInt64) {
        messages.restart(after: stop)
        meetings = [:]
    }

    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect] {
        var effects: [NodeEffect] = []
        for input in inputs {
            switch input {
            case .linkOpened(let link, _, let isDialler, _): effects += try meet(link, isDialler: isDialler)
            case .linkClosed(let link): meetings[link] = nil
            case .received(let link, let bytes): effects += try receive(bytes, over: link)
            case .says(let message, let text):
                conversation.add(message, text, now: now)
                effects.append(.said(message))
                effects += take([message], from: nil)
            default: break
            }
        }
        return effects
    }

    // MARK: Meeting

    private func meet(_ link: UInt64, isDialler: Bool) throws -> [NodeEffect] {
        meetings[link] = Meeting()
        switch strategy {
        case .range:
            var ranges = RangeReconciler(conversation.items(messages.numbers), sha256: Self.hash)
            let first = isDialler ? try ranges.initiate() : []
            meetings[link]?.ranges = ranges
            return isDialler ? [step(Step.begins, first, link)] : []
        case .rateless:
            guard isDialler else { return [] }
            meetings[link]?.decoder = RatelessDecoder(key: Self.key, checksumBytes: 4)
            meetings[link]?.local = RatelessEncoder(shorts, key: Self.key)
            return [step(Step.asksForCells, varint(24), link)]
        default: return tell(messages.numbers, over: link)
        }
    }

    private var shorts: [UInt64] { messages.numbers.map(short) }
    private func short(_ number: Int) -> UInt64 { max(1, conversation[number]?.id.prefix64 ?? 1) }

    private static func hash(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { StandInCryptography().sha256($0) }.bytes
    }

    private func step(_ kind: Int, _ bytes: [UInt8], _ link: UInt64) -> NodeEffect {
        var sync = GroupSync(number: kind)
        sync.reconcile = bytes[...]
        var payload = Payload()
        payload.groups = [sync]
        return .send(link: link, payload.encoded)
    }

    // MARK: Messages

    private func tell(_ numbers: [Int], over link: UInt64) -> [NodeEffect] {
        var payload = Payload()
        for number in numbers where meetings[link]?.told.insert(number) ?? false {
            if let entry = conversation[number] { payload.messages.append(entry.message) }
        }
        return payload.split(Self.mostBytes).map { .send(link: link, $0.encoded) }
    }

    private func take(_ numbers: [Int], from source: UInt64?) -> [NodeEffect] {
        if let source { for number in numbers { _ = meetings[source]?.told.insert(number) } }
        let new = numbers.filter { messages.insert($0) }
        guard !new.isEmpty else { return [] }
        for number in new { numberOfShort[short(number)] = number }
        return [.delivered] + meetings.keys.sorted().filter { $0 != source }.flatMap { tell(new, over: $0) }
    }

    private func receive(_ bytes: Bytes, over link: UInt64) throws -> [NodeEffect] {
        guard let payload = try? Payload(decoding: bytes) else { return [] }
        var effects = take(payload.messages.compactMap(conversation.number(of:)), from: link)
        effects += tell(payload.requests.compactMap(conversation.number(ofID:)).filter(messages.contains), over: link)
        for sync in payload.groups {
            guard let message = sync.reconcile else { continue }
            effects += try takeStep(Int(sync.number), Array(message), link)
        }
        return effects
    }

    private func takeStep(_ kind: Int, _ message: [UInt8], _ link: UInt64) throws -> [NodeEffect] {
        switch kind {
        case Step.begins, Step.answers:
            guard var ranges = meetings[link]?.ranges else { return [] }
            let found = try ranges.reconcile(message)
            meetings[link]?.ranges = ranges
            var effects = tell(found.have.compactMap { conversation.number(ofID: $0.bytes[...]) }, over: link)
            if !found.need.isEmpty {
                var payload = Payload()
                payload.requests = found.need.map { $0.bytes[...] }
                effects.append(.send(link: link, payload.encoded))
            }
            let next = kind == Step.begins ? Step.answers : Step.begins
            return effects + (found.reply.map { [step(next, $0, link)] } ?? [])
        case Step.asksForCells: return sendCells(upTo: Int(clamping: number(message)), link)
        case Step.cells: return try takeCells(message, link)
        case Step.wantsShorts:
            let wanted = stride(from: 0, to: message.count - 7, by: 8).compactMap { offset in
                numberOfShort[self.number(Array(message[offset..<offset + 8]))]
            }
            return tell(wanted, over: link)
        default: return []
        }
    }

    // MARK: Coded symbols

    private func sendCells(upTo end: Int, _ link: UInt64) -> [NodeEffect] {
        var encoder = meetings[link]?.encoder ?? RatelessEncoder(shorts, key: Self.key)
        let size = messages.numbers.count
        let coding = RatelessCoding(size: size, checksumBytes: 4)
        var bytes = varint(UInt64(size))
        for index in encoder.count..<max(encoder.count, min(end, 65_536)) {
            coding.write(encoder.next(), index: index, into: &bytes)
        }
        meetings[link]?.encoder = encoder
        return [step(Step.cells, bytes, link)]
    }

    private func takeCells(_ message: [UInt8], _ link: UInt64) throws -> [NodeEffect] {
        guard var decoder = meetings[link]?.decoder, var local = meetings[link]?.local, message.count >= 8 else {
            return []
        }
        let coding = RatelessCoding(size: Int(clamping: number(Array(message.prefix(8)))), checksumBytes: 4)
        var offset = 8
        while offset < message.count, !decoder.isComplete {
            let cell: CodedSymbol<UInt64> = try coding.read(message, at: &offset, index: decoder.cellCount)
            try decoder.append(cell, local.next())
        }
        meetings[link]?.decoder = decoder
        meetings[link]?.local = local
        guard decoder.isComplete else {
            return [step(Step.asksForCells, varint(UInt64(decoder.cellCount * 3 / 2 + 8)), link)]
        }
        meetings[link]?.decoder = nil
        var wanted: [UInt8] = []
        for short in decoder.remote { wanted += varint(short) }
        return tell(decoder.local.compactMap { numberOfShort[$0] }, over: link)
            + (wanted.isEmpty ? [] : [step(Step.wantsShorts, wanted, link)])
    }

    private func varint(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    private func number(_ bytes: [UInt8]) -> UInt64 {
        bytes.reversed().suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
