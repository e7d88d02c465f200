/// The bounds of protocol 7. An event that exceeds a bound on events is invalid.
public enum Limits {
    /// Bytes of a header.
    public static let header = 4_096
    /// Bytes of an event's content.
    public static let content = 65_536
    /// Bytes of an ephemeral event's content.
    public static let ephemeralContent = 4_096
    /// References in each of a header's lists: parents, state heads, rekeys.
    public static let references = 16
    /// The bound below which timestamps, sequences, Lamport times and expiries stay.
    public static let integer: UInt64 = 1 << 53

    /// Bytes of a payload on a stream.
    public static let payload = 65_536
    /// Bytes of a payload that holds a single large event or chunk, and of a frame.
    public static let frame = 73_728
    /// Fields of a payload. Without this bound a few bytes could decode to very many values.
    public static let payloadFields = 262_144
    /// Bytes of a window, on the wire and rebuilt, as protocol 5.3-3 counts them.
    public static let window = 32 << 20
    /// Bytes of windows, per group and direction, that a peer may leave unprocessed when the next window begins.
    public static let inFlight = 8 << 20
    /// Bytes of all parts of one frontier.
    static let frontier = 16 << 20
    /// Bytes in flight below which a peer cannot push this device: a lower `window_limit` counts as this.
    static let smallestWindow = 4_096
    /// Consecutive held events of a log among which at least one is signed (protocol 2.3-6).
    static let runEvents = 128
    /// Bytes of content that may follow each other in a log without a signature (protocol 2.3-7).
    static let runBytes = 65_536

    /// Held events of a log that wait for ancestors. A run that has begun is received whole, so one more run may wait.
    static let waitingPerLog = 65_536
    /// Events that a device writes to join heads before one event of the application.
    static let mergesPerAppend = 16
    /// Last events of logs that one demotion or device removal keeps.
    public static let keptLogs = 512
    /// Last events of one log that a demotion keeps, where the log is forked.
    static let keptBranches = 4
    /// Demotions that one grant supersedes.
    public static let supersededDemotions = 512
    /// Devices in one admission, each admitted by the one before.
    public static let admissions = 6
    /// Logs that one checkpoint names.
    public static let checkpointLogs = 512
    /// Members that one checkpoint names.
    public static let checkpointMembers = 1_024
    /// The bound below which the stated Lamport time of a forgotten event stays. As many times remain for the events
    /// after it.
    static let forgottenLamport: UInt64 = 1 << 52
    /// The number of latest checkpoints that a device tries to pass (protocol 2.11-13).
    static let openCheckpoints = 16
    /// Certificates that a peer sends ahead of one window.
    static let windowCertificates = 32_768
    /// Devices that a device removal lists as remaining.
    public static let remainingDevices = 64
    /// Members and devices that a group is hidden from.
    package static let hiddenFrom = 1_024
    /// Bytes of a value of a group's state.
    public static let stateValue = 4_096
    /// Bytes of a key of a group's state.
    public static let stateKey = 255
    /// Bytes of a group's name.
    public static let groupName = 256
    /// Trees of one unproven secret that are kept beside each other (protocol 5.7-17).
    static let secretTrees = 8
    /// Peers that are remembered as senders of one unproven secret.
    static let secretHanders = 64
    /// Bytes of secrets in an answer to a bundle.
    public static let carriedSecretBytes = 8 << 20
    /// The number of a device's latest bundles whose answers' secrets it accepts.
    static let answerSeeds = 16
    /// Devices that one invitation admits.
    public static let invitationUses = 1_024
    /// Bytes of the reason that a redaction states.
    public static let reason = 1_024
    /// Logs of a group up to which devices write events only to acknowledge an erasure (protocol 2.7-9).
    static let receiptLogs = 64
    /// Bytes that encryption adds to a content.
    static let seal = 16
    /// Bytes that encryption adds where the nonce is sent beside the ciphertext.
    static let sealWithNonce = seal + 12
    /// Milliseconds in a week, for which an author encrypts under one secret if nothing else demands a new one.
    package static let rekeyAge: UInt64 = 7 * 86_400_000
    /// Nodes of a punctured secret. Near this number a device punctures it no further (protocol 2.8-10).
    static let keyNodes = 16_384
    /// Nodes of a secret that contents are still encrypted under.
    static let sealingNodes = 4_096
    /// Nodes of one share. Further nodes go in further shares.
    static let shareNodes = 900
    /// Secrets that are kept although their rekey events have not arrived.
    static let earlySecrets = 256
    /// Secrets that a peer waits for, and secrets that this device requests in one session (protocol 5.7-14).
    static let wantedSecrets = 4_096
    /// Logs of a group whose authors have a right to them.
    public static let logsPerGroup = 65_536
    /// Logs of a group whose authors have no right to them, or none that is known yet.
    static let unprovenLogs = 4_096
    /// Starts of a log (protocol 3-5).
    static let startsPerLog = 64
    /// Ends of a log (protocol 3-5).
    static let endsPerLog = 64
    /// Groups of a session.
    static let groupsPerSession = 1_024
    /// Logs on both sides from which on peers without a common agreement compare frontiers by coded symbols
    /// (protocol 5-19).
    static let codedLogs = 24
    /// Coded symbols of one frontier.
    static let codedCells = 131_072
    /// Ranges in one `want`.
    static let wantedRanges = 256
    /// Open sessions that this device dialled.
    static let dialledSessions = 256
    /// Open sessions that known peers dialled.
    static let peerSessions = 256
    /// Open sessions that strangers and visitors dialled. A further one takes the place of the oldest.
    static let strangerSessions = 256
    /// Open sessions that one device dialled. A further one takes the place of the oldest.
    static let sessionsPerPeer = 2
    /// Bytes of a message's body in the mvds dialect.
    public static let mvdsBody = 1 << 20
    /// Bytes of a whole message in the mvds dialect (protocol 1-14).
    static let mvdsMessage = mvdsBody + 65_536
    /// Bytes of a payload from a peer that speaks MVDS alone: the reference implementation sends them without a bound.
    public static let mvdsFrame = 32 << 20
    /// Requests outstanding towards one peer. Further offers are ignored until some are answered.
    static let recordRequests = 65_536
    /// Messages without a record that a peer can have waiting to be sent again.
    static let recordAnswers = 1_024
    /// Coded symbols of one set of messages.
    static let setCells = 131_072
    /// Bytes of one message of ranges.
    static let setFrame = 1 << 20
    /// Bytes of one message of a reconciliation, in all its parts.
    static let setMessage = 8 << 20
    /// Bytes that a device sends in a session to find the differences of one set.
    static let setBytes = 64 << 20
    /// Messages of one reconciliation that a device answers.
    static let setMessages = 4_096
    /// Sends of one request. The peer's next offer begins a new one.
    static let requestSends = 10
    /// Bytes of a file: 8 TiB.
    public static let file: UInt64 = 1 << 43
    /// Bytes of a file's chunk, as it is sent and stored.
    public static let chunk = 65_536
    /// Files that one event refers to.
    public static let filesPerEvent = 16
    /// Files that are fetched at once, and files that a peer may want in a session.
    static let fetches = 1_024
    /// Fetches that no application has requested. Further ones wait until some are complete, or another peer is met.
    static let automaticFetches = 256
    /// Ranges of chunks in one message. Four times as many are remembered of a peer.
    static let chunkRanges = 1_024
    /// Chunks that a peer has requested and that are not sent yet. Further requests are ignored.
    static let requestedChunks = 64
    /// Addresses that are kept of a peer, the latest.
    public static let peerAddresses = 16
    /// Agreements that are remembered per peer and group.
    public static let agreements = 2
    /// Events of a group whose places are remembered by default. At times there are twice as many, and those of one
    /// batch.
    public static let recentEvents = 16_384
}
