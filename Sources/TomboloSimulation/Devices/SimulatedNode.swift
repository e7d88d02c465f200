import TomboloCore

/// The node on a simulated device: the real engine, or a strategy that it is compared with.
protocol SimulatedNode: AnyObject {
    /// Processes all inputs that have arrived, in this order.
    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect]
    /// The time at which the node must be called even without an input.
    var nextWake: UInt64? { get }
    /// Returns the deliveries and withdrawals since the last call.
    func takeChanges() -> [ViewChange]
    /// The status of a message; nil if the node does not hold it. A delivered message must remain delivered after every
    /// restart.
    func status(of number: Int) -> EventStatus?
    /// Tells whether the node has forgotten a message for good, as all devices do.
    func isForgotten(_ number: Int) -> Bool
    /// Tells whether the node holds the content of a message.
    func hasContent(of number: Int) -> Bool
    /// Tells whether the node can read a message. It is also true if the content is erased.
    func canRead(_ number: Int) throws -> Bool
    /// The time on the node's clock.
    func clock(_ now: UInt64) -> UInt64
    /// The number of events that the node holds, delivered or not.
    var held: Int { get }
    /// Starts the process again with the store that is left.
    func restart(after stop: Stop, now: UInt64) throws
}

/// A change that an application receives. The value is a number of ``History``.
enum ViewChange: Hashable {
    case delivered(Int)
    case withdrawn(Int)

    var number: Int {
        switch self {
        case .delivered(let number), .withdrawn(let number): number
        }
    }
}

/// A node that joins a group by an invitation.
protocol JoiningNode: SimulatedNode {
    /// Tells whether the node can send messages to the group, as far as it knows.
    var hasJoined: Bool { get }
    /// Tells whether the node is in the group, whatever its role.
    var holdsGroup: Bool { get }
}

/// An honest node of a group.
protocol MemberNode: JoiningNode {
    /// - Returns: the group's id.
    func createGroup(named name: String, now: UInt64) throws(StoreError) -> GroupID?
    func invite(now: UInt64) throws(StoreError) -> Invitation?
    func linkDevice(now: UInt64) throws(StoreError) -> Invitation?
    /// Tells whether this is a further device of another device's member.
    var isLinked: Bool { get }
    /// The data that another device of the same member needs to sync the group.
    var groupRecord: GroupRecord? { get }
    func open(_ group: GroupRecord, now: UInt64) throws(StoreError)
    /// The root of the group's events. Nodes that hold the same have the same root.
    func root() -> Bytes32?
    /// The conclusions that the node draws from the events that it holds.
    func judgement() -> Judgement
    /// Tells whether the group's state equals that of a new state graph over the same events.
    func isStateAlikeAnew() throws -> Bool
    /// Tells whether the node has the content of an event and its key.
    func opens(_ number: Int) -> Bool
    /// Tells whether the node may have the group's secrets, as far as it knows.
    var mayRead: Bool { get }
    /// Tells whether the node may admit a device again. The device itself may have been removed.
    func mayAdmit(_ number: Int) -> Bool
}

// The strategies that Tombolo is compared with erase and forget nothing, and read no clock.
extension SimulatedNode {
    func isForgotten(_ number: Int) -> Bool { false }
    func hasContent(of number: Int) -> Bool { status(of: number) != nil }
    func canRead(_ number: Int) -> Bool { status(of: number) != nil }
    func clock(_ now: UInt64) -> UInt64 { now }
}

/// The reason why a device was down.
enum Stop: Hashable {
    /// The process was killed: the store is in the state of the last commit.
    case crash
    /// The power failed: data that was not synced to disk is lost.
    case powerCut
    /// The store was replaced by an old copy of itself.
    case restoredBackup
    /// The store was lost.
    case wiped
}

enum NodeInput {
    case linkOpened(link: UInt64, peer: Int, isDialler: Bool, invitation: Invitation?)
    case linkClosed(UInt64)
    case received(link: UInt64, Bytes)
    case datagram(from: Int, Bytes)
    /// The person sends a message: its number, and its text.
    case says(Int, [UInt8])
    /// The person redacts a message of its own, named by a number of ``History``.
    case redacts(Int)
    /// The person changes the group's state.
    case acts(Act)
    /// The device went online or offline.
    case presence(isOnline: Bool)
    case timePassed
}

enum NodeEffect {
    case send(link: UInt64, [UInt8])
    case datagram(to: Int, [UInt8])
    /// Sends to every device that is online and listens to the group's topic.
    case multicast([UInt8])
    case close(link: UInt64, reason: String)
    /// The message is stored on the disk.
    case said(Int)
    /// An event that redacts a message is stored on the disk.
    case redacted(Int, by: Int)
    /// ``SimulatedNode/takeChanges()`` has new changes.
    case delivered
    /// The node has no right to send the message or to perform the act.
    case refused(isUtterance: Bool)
    case failed(String)
    /// A log has these two events of one sequence.
    case forked(Int, Int)
}
