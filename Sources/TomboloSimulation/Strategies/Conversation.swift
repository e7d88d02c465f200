import SetReconciliation
import TomboloCore

/// The messages of a run of a strategy other than the engine. Each is created once and known by its number, which its
/// text carries.
final class Conversation {
    struct Entry {
        let id: Bytes32
        let message: Message
        /// The time of the message, in seconds since 1970.
        let time: UInt64
    }

    private var entries: [Int: Entry] = [:]
    private var numbers: [Bytes32: Int] = [:]
    private let group = [UInt8](repeating: 7, count: 32)

    subscript(number: Int) -> Entry? { entries[number] }
    func number(ofID id: Bytes) -> Int? { Bytes32(id).flatMap { numbers[$0] } }

    func add(_ number: Int, _ text: [UInt8], now: UInt64) {
        let seconds = now / 1_000
        let message = Message(groupID: group[...], timestamp: Int64(seconds), body: text[...])
        // Only the size of the id on the wire matters here.
        let id = text.withUnsafeBytes { StandInCryptography().sha256($0) }
        entries[number] = Entry(id: id, message: message, time: seconds)
        numbers[id] = number
    }

    /// The number that a message's text carries.
    func number(of message: Message) -> Int? {
        guard message.body.count >= 12 else { return nil }
        let number = message.body.withUnsafeBytes {
            UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        }
        return entries[Int(number)] == nil ? nil : Int(number)
    }

    /// The set of these messages, for reconciliation.
    func items(_ numbers: [Int]) -> SortedItems {
        SortedItems(
            numbers.compactMap { number in
                guard let entry = entries[number], let id = ItemID(entry.id.bytes) else { return nil }
                return RangeItem(timestamp: entry.time, id: id)
            })
    }

    func bytes(ofID number: Int) -> Bytes { (entries[number]?.id ?? .zero).bytes[...] }
}

/// The state of a node of such a strategy: the messages that it holds, and those that it has not passed on yet.
struct HeldMessages {
    private(set) var numbers: [Int] = []
    private var known = BitSet()
    private var taken = 0

    func contains(_ number: Int) -> Bool { known.contains(number) }

    /// - Returns: true if the message is new.
    mutating func insert(_ number: Int) -> Bool {
        guard known.insert(number) else { return false }
        numbers.append(number)
        return true
    }

    /// Keeps the messages through power cuts and restores, and passes all of them on again afterwards.
    mutating func restart(after stop: Stop) {
        if stop == .wiped { self = HeldMessages() }
        if stop != .crash { taken = 0 }
    }

    mutating func takeNew() -> [Int] {
        defer { taken = numbers.count }
        return Array(numbers[taken...])
    }
}

/// A node of a strategy other than the engine.
protocol MessageNode: SimulatedNode {
    var messages: HeldMessages { get set }
}

extension MessageNode {
    var held: Int { messages.numbers.count }
    func status(of number: Int) -> EventStatus? { messages.contains(number) ? .delivered : nil }
    func takeChanges() -> [ViewChange] { messages.takeNew().map { .delivered($0) } }
    func restart(after stop: Stop, now: UInt64) { messages.restart(after: stop) }
}

extension SeededGenerator {
    /// The wait, in milliseconds, before status-go repeats a record: 90 · 2^(n−1) epochs of 300 ms after n sends, and
    /// up to 30 more.
    mutating func waitToSendAgain(afterSends sends: Int) -> UInt64 {
        (90 << UInt64(min(sends - 1, 20)) + any(0...30)) * 300
    }
}

extension Strategy {
    /// The node of a device that follows this strategy.
    func node(
        _ number: Int, of count: Int, _ scenario: Scenario, _ conversation: Conversation, online: OnlineDevices,
        seed: UInt64
    ) -> any SimulatedNode {
        let helpers = scenario.devices..<scenario.devices + scenario.helpers
        switch self {
        case .tombolo: preconditionFailure("the engine is no strategy of the simulator's own")
        case .mvdsBatch, .mvdsInteractive:
            return RecordNode(
                number, of: count, conversation, isInteractive: self == .mvdsInteractive, partners: nil,
                relays: helpers.contains(number), seed: seed)
        case .randomPartners:
            return RecordNode(
                number, of: count, conversation, isInteractive: false, partners: 4, relays: true, seed: seed)
        case .multicast:
            return TopicNode(number, of: count, conversation, relays: helpers.contains(number), seed: seed)
        case .flooding, .range, .rateless: return SetNode(number, self, conversation)
        case .bloom: return BloomNode(number, conversation, online: online, seed: seed)
        }
    }
}
