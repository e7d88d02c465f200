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
    /// Whether it has what a message that it holds says.
    func hasContent(of number: Int) -> Bool
    /// Whether it can read it, or that is not there any more.
    func canRead(_ number: Int) throws -> Bool
    /// The time as its clock tells it.
    func clock(_ now: UInt64) -> UInt64
    /// Events that it holds, delivered or not.
    var held: Int { get }
    /// The process begins again on what was kept.
    func restart(after stop: Stop, now: UInt64) throws
}

// Strategies that Tombolo is compared with erase nothing, and look at no clock.
extension SimulatedNode {
    func hasContent(of number: Int) -> Bool { holds(number) }
    func canRead(_ number: Int) -> Bool { holds(number) }
    func clock(_ now: UInt64) -> UInt64 { now }
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
    /// The person takes back what it said: a number of ``History``.
    case redacts(Int)
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
    /// A message is taken back by an event, which is on the disk.
    case redacted(Int, by: Int)
    /// There is something new in ``SimulatedNode/takeDelivered()``.
    case delivered
    case failed(String)
    /// A log has two events of one sequence: they are these two.
    case forked(Int, Int)
}
