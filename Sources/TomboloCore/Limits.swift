/// The bounds of protocol §7. Those on events are part of an event's validity.
public enum Limits {
    /// Bytes of a header.
    public static let header = 4_096
    /// Bytes of an event's content.
    public static let content = 65_536
    /// Bytes of an ephemeral event's content.
    public static let ephemeralContent = 4_096
    /// Parents, state heads, rekeys: of each.
    public static let references = 16
    /// Timestamps, sequences, Lamport times and expiries are below this.
    public static let integer: UInt64 = 1 << 53

    /// Bytes of a payload on a stream.
    public static let payload = 65_536
    /// Bytes of a payload that holds a single large event, and of a frame.
    public static let frame = 73_728
    /// Fields of a payload: what a few bytes decode to is bounded, too.
    public static let payloadFields = 262_144
    /// What a window may take on the wire and rebuilt, in bytes, per group and direction.
    public static let window = 32 << 20
    /// Bytes of windows that a peer may leave unprocessed before the next one is begun.
    public static let inFlight = 8 << 20
    /// Bytes of all parts of one frontier.
    static let frontier = 16 << 20
    /// Bytes in flight that a peer cannot ask to go below.
    static let smallestWindow = 4_096
    /// Of so many consecutive events of a log that are held, one is signed.
    static let runEvents = 128
    /// Bytes of content that follow each other in a log without a signature.
    static let runBytes = 65_536

    /// Runs are taken whole: up to one more.
    static let waitingPerLog = 65_536
    /// Events that join heads, written before one event of the application's.
    static let mergesPerAppend = 16
    /// Logs that one removal names.
    public static let keptLogs = 512
    /// Devices of a member that were admitted one by the other.
    public static let admissions = 6
    /// Logs and members that one checkpoint names.
    public static let checkpointLogs = 512
    public static let checkpointMembers = 1_024
    /// The Lamport time that is said of a forgotten event is below this: whoever comes after it has as many to come.
    static let forgottenLamport: UInt64 = 1 << 52
    /// Checkpoints that a device tries to pass, the latest.
    static let openCheckpoints = 16
    /// Certificates that come ahead of one window.
    static let windowCertificates = 32_768
    /// Devices that a removal of another one names.
    public static let remainingDevices = 64
    /// Members and devices that a group is hidden from.
    package static let hiddenFrom = 1_024
    /// Bytes of a value of a group's state, and of its key.
    public static let stateValue = 4_096
    public static let stateKey = 255
    /// Bytes of a group's name.
    public static let groupName = 256
    /// Trees of a secret of which nothing shows which is the right one.
    static let secretTrees = 8
    /// Peers of whom is remembered that they have handed a secret of which something had gone.
    static let secretHanders = 64
    /// Bytes of secrets in an answer to a bundle.
    public static let carriedSecretBytes = 8 << 20
    /// Bundles of a device that an answer's secrets are taken to: the latest it has written.
    static let answerSeeds = 16
    /// Devices that one invitation admits.
    public static let invitationUses = 1_024
    /// Bytes of the reason that a redaction gives.
    public static let reason = 1_024
    /// In groups of more logs, devices do not write events only to say that they have erased something.
    static let receiptLogs = 64
    /// Bytes that sealing adds to a content.
    static let seal = 16
    /// The same where the nonce has to be sent with it.
    static let sealWithNonce = seal + 12
    /// Milliseconds for which contents are sealed under one secret by who has no other reason for a new one: a week.
    package static let rekeyAge: UInt64 = 7 * 86_400_000
    /// Nodes of a key of which much was punctured: beyond that no more is.
    static let keyNodes = 16_384
    /// Nodes of a key that contents are still sealed under.
    static let sealingNodes = 4_096
    /// Nodes of one share: what is more goes in several.
    static let shareNodes = 900
    /// Secrets that may come before their rekey events.
    static let earlySecrets = 256
    /// Secrets that a peer waits to be given; of those that are missing so many are asked for, the latest, and those that something waits for.
    static let wantedSecrets = 4_096
    public static let logsPerGroup = 65_536
    static let startsPerLog = 64
    static let endsPerLog = 64
    static let groupsPerSession = 1_024
    /// With so many logs on both sides, frontiers between peers that share no agreement are compared by coded symbols.
    static let codedLogs = 24
    /// Coded symbols of one frontier.
    static let codedCells = 131_072
    static let wantedRanges = 256
    static let sessions = 256
    /// Bytes of a message's body in the mvds dialect, and of all of it.
    public static let mvdsBody = 1 << 20
    static let mvdsMessage = mvdsBody + 65_536
    /// Bytes of a payload from a peer that speaks MVDS alone: the reference sends them without bound.
    public static let mvdsFrame = 32 << 20
    /// Requests outstanding towards one peer: further offers are passed over until some are answered.
    static let recordRequests = 65_536
    /// Messages that a peer can ask for again at once.
    static let recordAnswers = 1_024
    /// Coded symbols of one set of messages.
    static let setCells = 131_072
    /// Bytes of a message of ranges.
    static let setFrame = 1 << 20
    /// Bytes of a message of a reconciliation of messages, in all its parts.
    static let setMessage = 8 << 20
    /// Bytes that are given in a session to find what differs in one set.
    static let setBytes = 64 << 20
    /// Messages of one reconciliation that are answered.
    static let setMessages = 4_096
    /// Sends of one request; the peer's next offer begins again.
    static let requestSends = 10
    /// Bytes of a file: 8 TiB.
    public static let file: UInt64 = 1 << 43
    /// Bytes of a file's chunk, as it is sent and kept.
    public static let chunk = 65_536
    /// Files that one event refers to.
    public static let filesPerEvent = 16
    /// Files that are fetched at once; that a peer may want in a session.
    static let fetches = 1_024
    /// Those of them that nobody has asked for: others wait until some have come, or another peer is met.
    static let automaticFetches = 256
    /// Ranges of chunks in one message; four times as many are remembered of a peer.
    static let chunkRanges = 1_024
    /// Chunks that a peer may have asked for and not been sent: what is more is passed over.
    static let requestedChunks = 64
    /// Agreements remembered per peer and group.
    public static let agreements = 2
    /// Events of a group whose places are remembered, as a rule; at most twice as many, and those of one batch.
    public static let recentEvents = 16_384
}
