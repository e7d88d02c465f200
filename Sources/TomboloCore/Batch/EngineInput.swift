/// A name of a request to the engine, chosen by the application. The answer carries it.
public typealias RequestID = UInt64

/// An input of the engine. The engine processes any number of inputs at once, in one transaction.
public enum EngineInput: Sendable {
    case linkOpened(PeerLink)
    case payloadReceived(SessionID, Bytes)
    case linkClosed(SessionID)
    /// Appends an event of the application. `content` is at most ``Limits/content`` bytes.
    case append(RequestID, group: GroupID, kind: EventKind, content: [UInt8], expiry: UInt64?, files: [FileID] = [])
    /// Sends an ephemeral event, which is not stored. `content` is at most ``Limits/ephemeralContent`` bytes.
    case broadcast(RequestID, group: GroupID, content: [UInt8])
    /// Ingests events that did not come over a link: an import.
    ///
    /// Up to the Lamport time `horizon` not all contents are included. `certificates` are those of logs whose
    /// beginnings the source has forgotten.
    case ingest(RequestID, group: GroupID, [Message], horizon: UInt64 = 0, certificates: [Certificate] = [])
    case createGroup(RequestID, name: String, policy: Policy = .open)
    /// Promotes or demotes a member to a role; `none` removes it.
    case setRole(RequestID, group: GroupID, of: MemberKey, to: Role)
    /// Sets a key of the group's state; nil removes it. `value` is at most ``Limits/stateValue`` bytes.
    case setState(RequestID, group: GroupID, key: String, value: [UInt8]?)
    /// Sets the contents that this device keeps of a group.
    case setRetention(RequestID, group: GroupID, Retention)
    /// Sets the visibility of a group for a contact. It applies neither to this member's own devices nor to the group
    /// of these devices.
    case setVisibility(RequestID, group: GroupID, to: Contact, VisibilityLevel)
    /// Proposes a checkpoint, so that erased events are forgotten once every member has passed it.
    case proposeCheckpoint(RequestID, group: GroupID)
    /// Redacts the content of an event, for all devices. `reason` is at most ``Limits/reason`` bytes.
    case redact(RequestID, group: GroupID, EventReference, reason: String)
    /// Creates a group of the mvds dialect, or joins it by its id. Without an id a random one is chosen.
    case createMVDSGroup(RequestID, GroupID?, name: String)
    /// Shares a group of the mvds dialect with a peer.
    case share(RequestID, group: GroupID, with: DeviceKey)
    /// Makes an invitation that gives members this role. It admits `uses` devices, at most ``Limits/invitationUses``.
    case invite(
        RequestID, group: GroupID, addresses: [String], expiry: UInt64, role: Role = .member, uses: Int = 1)
    /// Revokes an invitation, named by its id: it admits no device any more.
    case revoke(RequestID, group: GroupID, invitation: [UInt8])
    /// Makes an invitation that makes a device another one of this device's member.
    case linkDevice(RequestID, addresses: [String], expiry: UInt64)
    /// Removes a device of this member, in every group where the device has written.
    case removeDevice(RequestID, DeviceKey)
    /// Posts in a group a device removal that was posted elsewhere, by any member.
    case post(RequestID, DeviceRemoval, group: GroupID)
    /// Begins to sync a group that another device of this member has.
    case openGroup(RequestID, GroupRecord)
    /// Makes the opening of a bundle.
    case openBundle(RequestID, group: GroupID)
    /// Encrypts the group's secrets that this device has to the writer of a bundle.
    case sealSecrets(RequestID, group: GroupID, to: BundleOpening)
    /// Receives the secrets in an answer to a bundle.
    case takeSecrets(RequestID, group: GroupID, [CarriedSecret])
    /// Stores a device as a peer, with addresses that were just received or dialled, best first.
    case addPeer(DeviceKey, dialect: Dialect = .native, addresses: [String])
    /// Forgets an address of a peer.
    case removeAddress(RequestID, String, of: DeviceKey)
    /// Forgets a peer and closes the links to it. It is known again if it connects.
    case removePeer(RequestID, DeviceKey)
    /// Adds a file whose chunks the application has validated and put into the store.
    case addFile(RequestID, FileID, held: RangeSet<Int>)
    /// Fetches a file that an event of the group refers to, beginning at a byte of it.
    case wantFile(RequestID, FileID, from: UInt64? = nil)
    /// Removes a file's chunks, and ceases to fetch it.
    case dropFile(RequestID, FileID)
    /// Validates a stored chunk. A damaged one is fetched again.
    case checkChunk(RequestID, FileID, Int)
    case setFileLimits(RequestID, FileLimits)
    /// Passes on the time alone.
    case timePassed

    /// Whether the input concerns one session, until processing it shows otherwise.
    var concernsOneSession: Bool {
        switch self {
        case .linkOpened, .payloadReceived, .linkClosed, .timePassed: true
        default: false
        }
    }
}
