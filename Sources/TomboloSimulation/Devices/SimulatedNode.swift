import TomboloCore

/// What runs on a simulated device: the real engine, or a strategy that it is compared with.
protocol SimulatedNode: AnyObject {
    /// Takes everything that has come, in this order.
    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect]
    /// When it wants to be called again although nothing comes.
    var nextWake: UInt64? { get }
    /// What was delivered and withdrawn since this was last asked.
    func takeChanges() -> [ViewChange]
    /// Where a message stands; nil if it does not hold it. What is delivered must be there after every restart.
    func status(of number: Int) -> EventStatus?
    /// Whether it has forgotten a message for good, as all devices do.
    func isForgotten(_ number: Int) -> Bool
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

/// What an application is told of an event: a number of ``History``.
enum ViewChange: Hashable {
    case delivered(Int)
    case withdrawn(Int)

    var number: Int {
        switch self {
        case .delivered(let number), .withdrawn(let number): number
        }
    }
}

/// What a node does that joins a group by an invitation.
protocol JoiningNode: SimulatedNode {
    /// Whether it can say something there, as far as it knows.
    var hasJoined: Bool { get }
    /// Whether it is in the group, whatever it may do there.
    var holdsGroup: Bool { get }
}

/// What an honest one does besides.
protocol MemberNode: JoiningNode {
    /// - Returns: the group's id.
    func createGroup(named name: String, now: UInt64) throws(StoreError) -> GroupID?
    func invite(now: UInt64) throws(StoreError) -> Invitation?
    func linkDevice(now: UInt64) throws(StoreError) -> Invitation?
    /// Whether it is another device of somebody else's member.
    var isLinked: Bool { get }
    /// What another device of the same member needs to sync the group.
    var groupRecord: GroupRecord? { get }
    func open(_ group: GroupRecord, now: UInt64) throws(StoreError)
    /// What all know that hold the same.
    func root() -> Bytes32?
    /// What it makes of what it holds.
    func judgement() -> Judgement
    /// Whether the group's state is what its events come to when they are taken anew, in another order.
    func isStateAlikeAnew() throws -> Bool
    /// Whether it has what an event says, and the key to it.
    func opens(_ number: Int) -> Bool
    /// Whether it may have the group's secrets, as far as it knows.
    var mayRead: Bool { get }
    /// Whether it may let a device into the group again, which may have been removed as such.
    func mayAdmit(_ number: Int) -> Bool
}

// Strategies that Tombolo is compared with erase and forget nothing, and look at no clock.
extension SimulatedNode {
    func isForgotten(_ number: Int) -> Bool { false }
    func hasContent(of number: Int) -> Bool { status(of: number) != nil }
    func canRead(_ number: Int) -> Bool { status(of: number) != nil }
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
    /// The person changes the group's state.
    case acts(Act)
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
    /// There is something new in ``SimulatedNode/takeChanges()``.
    case delivered
    /// It has no right to what it was to say or to do.
    case refused(isUtterance: Bool)
    case failed(String)
    /// A log has two events of one sequence: they are these two.
    case forked(Int, Int)
}
