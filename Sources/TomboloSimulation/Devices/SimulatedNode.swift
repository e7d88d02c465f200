import TomboloCore

/// What runs on a simulated device: the real engine, or a strategy that it is compared with.
protocol SimulatedNode: AnyObject {
    /// Takes everything that has come, in this order.
    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect]
    /// When it wants to be called again although nothing comes.
    var nextWake: UInt64? { get }
    /// Numbers (``History``) of what was delivered since this was last asked.
    func takeDelivered() -> [Int]
    /// Whether it holds the message still: what is delivered must be there after every restart.
    func holds(_ number: Int) -> Bool
    /// Events that it holds, delivered or not.
    var held: Int { get }
    /// The process begins again on what was kept.
    func restart(after stop: Stop, now: UInt64) throws
}

/// Why a device was down.
enum Stop: Hashable {
    /// The process was killed: the store is as the last commit left it.
    case crash
    /// What was not synced to the disk is gone.
    case powerCut
    /// The store is an old copy of itself.
    case restoredBackup
    /// There is no store.
    case wiped
}

enum NodeInput {
    case linkOpened(link: UInt64, peer: Int, isDialler: Bool, invitation: Invitation?)
    case linkClosed(UInt64)
    case received(link: UInt64, Bytes)
    case datagram(from: Int, Bytes)
    /// The person says something: the message's number, and its text.
    case says(Int, [UInt8])
    /// The device has come online, or gone offline.
    case presence(isOnline: Bool)
    case timePassed
}

enum NodeEffect {
    case send(link: UInt64, [UInt8])
    case datagram(to: Int, [UInt8])
    /// To everyone who is online and hears the group's topic.
    case multicast([UInt8])
    case close(link: UInt64, reason: String)
    /// What was to be said is on the disk.
    case said(Int)
    /// There is something new in ``SimulatedNode/takeDelivered()``.
    case delivered
    case failed(String)
    /// A log has two events of one sequence: they are these two.
    case forked(Int, Int)
}
