import TomboloCore
import TomboloCrypto

/// One device: the real engine over a store in memory, and what the application has made of it.
final class SimulatedDevice {
    let number: Int
    let skew: Int64
    private(set) var store = MemoryStore()
    /// The store as it was last synced to the disk; kept where the power may go.
    private var durable: MemoryStore?
    private var engine: Engine<SwiftCryptography>
    private var generator: SeededGenerator
    private let mutant: Mutant?

    var isUp = true
    var isOnline = true
    /// What has come and was not taken yet.
    var inbox: [EngineInput] = []
    var isDraining = false
    var wake: UInt64?
    var links: Set<UInt64> = []
    /// What was delivered to the application, in this order.
    private(set) var view = DeliveredView()

    init(number: Int, skew: Int64, keepsDurable: Bool, mutant: Mutant?, seed: UInt64) throws(StoreError) {
        self.number = number
        self.mutant = mutant
        self.skew = skew
        generator = SeededGenerator(seed: seed)
        engine = try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SeededGenerator(seed: generator.next()),
            beginsIncarnation: false)
        if keepsDurable { durable = MemoryStore(copying: store) }
    }

    var key: DeviceKey { engine.device }

    /// The device's clock.
    func clock(_ now: UInt64) -> UInt64 { UInt64(Int64(now) + skew) }

    /// When the engine wants to be called again, by the simulation's clock.
    var nextWake: UInt64? { engine.nextWake.map { UInt64(max(0, Int64($0) - skew)) } }

    func process(_ inputs: [EngineInput], now: UInt64) throws(StoreError) -> [EngineEffect] {
        let isSynced = engine.mustBeSynced(inputs)
        let effects = try engine.process(inputs, now: clock(now), in: store)
        if durable != nil, isSynced, mutant != .forgetsToSync || view.order.count < 10 {
            durable = MemoryStore(copying: store)
        }
        return effects
    }

    /// The process begins again on what its store holds.
    func restart(afterPowerCut: Bool) throws(StoreError) {
        if afterPowerCut, let durable {
            store = MemoryStore(copying: durable)
            view = DeliveredView()
        }
        engine = try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SeededGenerator(seed: generator.next()),
            beginsIncarnation: afterPowerCut)
        isUp = true
    }

    /// Reads what is new for the application, and checks it (laws 4 and 5).
    ///
    /// - Returns: the new events.
    func readChanges(in group: GroupID) throws(Violation) -> [Event] {
        var delivered = store.delivered(in: group)
        switch mutant {
        case .deliversBackwards: delivered[view.order.count...].reverse()
        case .deliversTwice where delivered.count > 20: delivered.append(delivered[0])
        default: break
        }
        return try view.take(delivered, on: number)
    }
}

/// What an application has been handed, and the promises about it.
struct DeliveredView {
    private(set) var order: [EventID] = []
    private(set) var ids: Set<EventID> = []
    /// The last sequence of each log: a log's events come in its order where it has no fork.
    private var lastOfLog: [LogID: UInt64] = [:]

    mutating func take(_ delivered: [StoredEvent], on device: Int) throws(Violation) -> [Event] {
        var new: [Event] = []
        for stored in delivered.dropFirst(order.count) {
            let event = stored.event
            guard ids.insert(event.id).inserted else { throw Violation(.deliveredTwice, device, event.id) }
            guard event.header.ancestors.allSatisfy(ids.contains) else {
                throw Violation(.beforeItsCause, device, event.id)
            }
            let last = lastOfLog.updateValue(event.sequence, forKey: event.log) ?? 0
            guard event.sequence == last + 1 else { throw Violation(.outOfOrder, device, event.id) }
            order.append(event.id)
            new.append(event)
        }
        return new
    }
}

/// A promise that was not kept.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Promise: String, Hashable, Sendable, CaseIterable {
        /// Each event is delivered once.
        case deliveredTwice
        /// After everything that it names: causal order, and with it that writes follow reads.
        case beforeItsCause
        /// What one device writes comes in its order: monotonic writes, and one's own writes are read.
        case outOfOrder
        /// What `send` has returned for is never lost.
        case lost
        /// Honest devices follow the protocol in each other's eyes.
        case blamed
        /// Without faults all come to hold the same.
        case diverged
        /// No log has two events of one sequence.
        case forked
    }

    public let promise: Promise
    public let device: Int
    public let detail: String

    init(_ promise: Promise, _ device: Int, _ detail: String) {
        (self.promise, self.device, self.detail) = (promise, device, detail)
    }

    init(_ promise: Promise, _ device: Int, _ event: EventID) { self.init(promise, device, "event \(event)") }

    public var description: String {
        let what =
            switch promise {
            case .deliveredTwice: "it was handed over twice"
            case .beforeItsCause: "it was handed over before what it names"
            case .outOfOrder: "it was handed over out of its log's order"
            case .lost: "what was said to be on disk is gone"
            case .blamed: "an honest device was hung up on"
            case .diverged: "the devices do not come to hold the same"
            case .forked: "a log has forked"
            }
        return "device \(device): \(what): \(detail)"
    }
}
