/// A device in its network: what runs on it, whether it is up and online, what has come for it.
final class SimulatedDevice {
    enum Role: Hashable {
        case person, helper, hostile
    }

    let number: Int
    let role: Role
    var node: any SimulatedNode
    /// When it is online depends on the seed alone, whatever the strategy does.
    var presenceGenerator: SeededGenerator
    /// Whether only those can reach it who are dialled by it.
    let isNatted: Bool

    var isUp = true
    var isOnline = true
    /// What has come and was not taken yet.
    var inbox: [NodeInput] = []
    var isDraining = false
    var wake: UInt64?
    var links: Set<UInt64> = []
    /// What was delivered to the application.
    var view = DeliveredView()
    /// Whether an old copy of its store was put back, or nothing: what it said since may be gone, if nobody else has it.
    var hasLostItsPast = false

    var bytesSent = 0
    var wakeUps = 0
    var mostHeld = 0
    /// Numbers of messages whose text has been sent to it, and of events that were delivered to it at some time.
    var textsSent = BitSet()
    var everDelivered = BitSet()

    init(number: Int, role: Role, node: any SimulatedNode, isNatted: Bool, presenceGenerator: SeededGenerator) {
        self.presenceGenerator = presenceGenerator
        self.number = number
        self.role = role
        self.node = node
        self.isNatted = isNatted
    }

    var isReachable: Bool { isUp && isOnline }
}

/// A set of small numbers.
struct BitSet {
    private var words: [UInt64] = []

    func contains(_ number: Int) -> Bool {
        number >> 6 < words.count && words[number >> 6] & (1 << UInt64(number & 63)) != 0
    }

    /// - Returns: whether it was not there before.
    mutating func insert(_ number: Int) -> Bool {
        while words.count <= number >> 6 { words.append(0) }
        guard !contains(number) else { return false }
        words[number >> 6] |= 1 << UInt64(number & 63)
        return true
    }

    mutating func remove(_ number: Int) {
        guard contains(number) else { return }
        words[number >> 6] &= ~(1 << UInt64(number & 63))
    }

    static func == (lhs: Self, rhs: Self) -> Bool {
        let shared = min(lhs.words.count, rhs.words.count)
        return lhs.words[..<shared] == rhs.words[..<shared] && lhs.words[shared...].allSatisfy { $0 == 0 }
            && rhs.words[shared...].allSatisfy { $0 == 0 }
    }
}
