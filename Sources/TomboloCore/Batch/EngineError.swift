/// An error between an application or a peer and the engine. The engine goes on after it.
public enum EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownGroup(GroupID)
    case contentTooLarge(limit: Int)
    case invalidEvent(EventError)
    /// The peer sent a payload that breaks the protocol.
    case protocolViolation(String)
    case invitationRefused(String)
    case tooManySessions
    case groupExists(GroupID)
    /// The group has as many logs as it can have, or this device's own log has too many branches.
    case groupFull(GroupID)
    /// The device's member has no right to the request, or the request cannot be carried out.
    case notAllowed(String)
    /// No held event refers to the file, and the application did not add it.
    case unknownFile(FileID)
    /// The file would exceed the device's quota for files.
    case fileQuota(quota: UInt64)
    /// The visibility of a group towards the peer has changed, so the link has to be opened anew (protocol 5.10-6).
    case visibilityChanged
    /// A newer link took the place of this one: there is room for few links of strangers, and of each device.
    case linkReplaced
    /// A visitor has sent nothing for a minute (protocol 5.5-8).
    case visitorIdle
    /// The application has removed the peer.
    case peerRemoved
    /// The request is for groups of the mvds dialect.
    case notMVDS(GroupID)
    /// The request is for native groups.
    case notNative(GroupID)

    public var description: String {
        switch self {
        case .unknownGroup(let id): "this device has no group \(id): create or join it first"
        case .contentTooLarge(let limit): "the content is larger than \(limit) bytes: split it"
        case .invalidEvent(let error): "\(error)"
        case .protocolViolation(let what): "the peer broke the protocol: \(what)"
        case .invitationRefused(let why): "the invitation was refused: \(why)"
        case .tooManySessions: "too many links are open: close one first"
        case .groupExists(let id): "this device already has group \(id)"
        case .notAllowed(let why): why
        case .unknownFile(let id): "no event on this device refers to file \(id)"
        case .fileQuota(let quota):
            "the file would exceed this device's quota of \(quota) bytes for files: drop some, or raise the quota"
        case .groupFull(let id): "group \(id) can hold no more logs: continue in a new group"
        case .visibilityChanged:
            "the visibility of a group towards the peer has changed: connect again"
        case .linkReplaced: "a newer link took the place of this one"
        case .visitorIdle: "the visitor was silent for a minute"
        case .peerRemoved: "this device has removed the peer"
        case .notMVDS(let id): "group \(id) is not of the mvds dialect: invite devices to it instead"
        case .notNative(let id): "group \(id) is of the mvds dialect: share it with `peer add --mvds`"
        }
    }
}
