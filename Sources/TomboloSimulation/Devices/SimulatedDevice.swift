/// A device in its network: its node, its presence, and its inbox.
final class SimulatedDevice {
    enum Role: Hashable {
        case person, helper, hostile
    }

    let number: Int
    let role: Role
    var node: any SimulatedNode
    /// The generator of its presence. Presence depends on the seed alone, whatever the strategy does.
    var presenceGenerator: SeededGenerator
    /// Tells whether the device is behind a NAT, so that only devices that it dials itself can reach it.
    let isNatted: Bool

    var isUp = true
    var isOnline = true
    /// The inputs that have arrived and are not processed yet.
    var inbox: [NodeInput] = []
    var isDraining = false
    var wake: UInt64?
    var links: Set<UInt64> = []
    /// The events delivered to the application.
    var view = DeliveredView()
    /// Tells whether an old copy of its store was restored, or the store was wiped. Messages sent since then may be
    /// lost if no other device holds them.
    var hasLostItsPast = false

    var bytesSent = 0
    var wakeUps = 0
    var mostHeld = 0
    /// The numbers of messages whose text was sent to the device. `everDelivered` has those ever delivered to it.
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

/// A set of small non-negative numbers.
struct BitSet {
    private var words: [UInt64] = []

    func contains(_ number: Int) -> Bool {
        number >> 6 < words.count && words[number >> 6] & (1 << UInt64(number & 63)) != 0
    }

    /// - Returns: true if the number is new.
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
