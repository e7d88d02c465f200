/// One contact with one peer.
struct Session: Sendable {
    let link: Link
    /// What is kept of the peer; nil for a stranger, or a visitor.
    var peer: PeerRecord?
    var isClosed = false
    var hasSaidHello = false
    /// As what the peer was shown our groups' tags.
    var greeted = Trust.stranger
    var hasGreeted: Bool { greeted > .stranger }
    var hasHeardHello = false
    var trust: Trust
    /// When a stranger is closed, in milliseconds since 1970.
    var trustDeadline: UInt64?
    var groups: [GroupSession] = []
    /// Whether the peer has proved an invitation, or tried.
    var hasJoined = false
    /// What it said then that shares for it are to be sealed to: it had no way to say it in the group.
    var joiner: (group: GroupID, recipient: GroupSealing.Recipient)?
    /// Whose device it has said to be, then.
    var claimedMember: MemberKey?
    /// By which the peer shows each of ``groups``; made when they are first needed.
    var expectedTags: [Bytes] = []
    /// Tags that the peer has shown and that no group of ours has (yet).
    var unmatched: [GroupSync] = []
    /// Records of groups of the mvds dialect.
    var records = RecordSession()
    /// Groups of the mvds dialect that are shared with a peer of Tombolo's own.
    var recordGroups: [RecordGroupSession] = []
    /// Files.
    var files = FileSession()
    /// Bytes of windows that the peer takes at once.
    var windowLimit = Limits.inFlight
    /// Whether it is to be brought forward at the end of this batch, and when it is without anything coming over it.
    var isConcerned = true
    var nextWake: UInt64?

    init(_ link: Link, of peer: PeerRecord?) {
        self.link = link
        self.peer = peer
        trust = peer == nil ? .stranger : .peer
    }

    /// Who the peer is to this device.
    enum Trust: Int, Comparable {
        case stranger = 0
        /// It has shown a public group's tag, which anyone can who guesses the name: it is not remembered, and sees nothing of other groups.
        case visitor = 1
        /// One that this device knows or has dialled, or that has shown another group's tag or an invitation.
        case peer = 2

        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    /// Whether records may be sent: a peer of Tombolo's own must have said hello.
    var sendsRecords: Bool { !isClosed && (link.dialect == .mvds || hasHeardHello && hasGreeted) }
}

/// What a session knows about one group that both sides may have.
struct GroupSession: Sendable {
    /// Index of the group in the engine; also our number for it.
    let group: Int
    /// How far it is shared with the peer: not invisible.
    let visibility: Visibility
    /// Whether the peer sends nothing of it; whether it has sent all that it sends.
    var peerOnlyTakes = false
    var peerHasSentAll = false
    /// Whether the peer was told that it was sent everything, and this device that the exchange is over.
    var hasSaidAll = false
    var hasToldExchanged = false
    /// Whether the peer was asked what it holds of logs, and has not told.
    var awaitsAnswers = false
    /// Whether its tag was shown.
    var isIntroduced = false
    /// The peer's number for it, once it has shown its tag.
    var theirNumber: UInt64?
    /// The tokens of agreements that the peer has named, and the agreements that this side has: other meetings of the two may
    /// make new ones meanwhile.
    var since: [UInt64] = []
    var named: [Agreement] = []

    enum Phase { case introduced, exchanging, live }
    var phase = Phase.introduced
    /// Whether roots were compared and, where they differ, a base was chosen.
    var isOpened = false
    var hasFrontier = false
    var isFrontierSent = false
    /// The newest agreement that both remember.
    var base: Agreement?
    /// Whole exchanges that were made because the roots differed in the end, since the last agreement.
    var repairs = 0
    /// A frontier that the peer has said in this batch.
    var unplanned: PeerFrontier?
    /// How many logs both sides said to have, where they are many.
    var logsSaid: UInt64?
    var logsOfPeer: UInt64?
    /// While frontiers are compared by coded symbols.
    var coded: CodedFrontier?
    var hasHeardHint = false
    /// Logs of which the peer has asked what is held here.
    var asked: Set<Int> = []

    var outgoingLogs = LogTable()
    var incomingLogs = LogTable()
    /// With how many logs of an agreement ``incomingLogs`` began.
    var agreedLogs = 0
    /// Entries of a frontier that more parts follow.
    var partialFrontier: [LogID: FrontierEntry] = [:]
    /// Bytes of the frontier's parts so far.
    var frontierBytes = 0

    // Sending.
    var plan = SendPlan()
    /// What the peer holds or was sent of a log, up to this sequence.
    var covered = SequenceTable()
    /// Up to where the peer surely holds a log from its beginning: by its frontier, or sent in an earlier window.
    var heldByPeer = SequenceTable()
    /// Logs of which the peer was told whose they are.
    var certificatesSaid: Set<Int> = []
    /// Below which the peer has forgotten a log.
    var floorsOfPeer = SequenceTable()
    var pacing = WindowPacing()
    var lastRootSent: Bytes32?
    /// How often the group's frontier had changed when it was compared with ``lastRootSent``, and was the same.
    var changesSaid: UInt64?
    var sendsPlain = false
    var isLazyTowardsPeer = false

    // Receiving.
    var decoder: TransitDecoder?
    var window: [Event] = []
    var windowBytes = 0
    /// Of logs in the next window whose beginnings the peer has forgotten.
    var certificates: [LogID: Certificate] = [:]
    var receivedBytes: UInt64 = 0
    var peerRoot: ShownRoot?
    /// Whether the peer has said anything of the group since our root was said.
    var hasHeardSinceRoot = false
    /// How often our root was said again since the peer was last heard.
    var probes = 0
    /// The root of the latest agreement in this session.
    var agreedRoot: Bytes32?
    var askedPlain = false
    /// Up to which Lamport time not all contents are there, and what the peer was told of those that are here.
    var peerHorizon: UInt64 = 0
    var horizonSaid: UInt64 = 0
    var restoring = Restoring()
    /// Logs that the peer announced beyond what is here, asked for when they do not come by themselves.
    var announced: [LogID: UInt64] = [:]
    /// Events whose contents the peer was asked for.
    var askedContents: Set<EventID> = []
    /// Those of the last ones that it has not sent, with content or without, and when that is not expected any more.
    var awaitedContents: Set<EventID> = []
    var contentsDeadline: UInt64 = 0
    /// How many had been noted when all of them were asked for.
    var contentsAskedFor = 0
    /// Rekey events whose secrets the peer was asked for.
    var askedSecrets: Set<EventID> = []
    /// Those of them that it has not answered, until when that is waited for, and how often nothing came.
    var awaitedSecrets: Set<EventID> = []
    var secretsDeadline: UInt64 = 0
    var unansweredSecrets = 0
    /// When the peer is asked for secrets that another one was asked for, in milliseconds since 1970.
    var nextAsk: UInt64?
    /// Rekey events whose secrets it has asked for, and was not given yet.
    var wantedSecrets: Set<EventID> = []
    /// What it was given in this session.
    var handedSecrets: Set<EventID> = []
    /// Those of them that it was told that it is not handed now.
    var declinedSecrets: Set<EventID> = []
    /// Secrets that have come before their rekey events, which say whether they are right.
    var earlySecrets: [EventID: RekeySecret] = [:]
    /// A secret of which further parts follow.
    var partialSecret: (rekey: EventID, secret: RekeySecret)?

    // What is to be said at the end of this batch.
    var mustAcknowledge = false
    var changedLogs: Set<Int> = []
    var nextWake: UInt64?
    var announceDeadline: UInt64?
    var settleDeadline: UInt64?
    var mismatchDeadline: UInt64?

    /// What finding the difference took.
    var reconciliation = ReconciliationReport()

    init(group: Int, _ visibility: Visibility) {
        self.group = group
        self.visibility = visibility
    }

    var isMatched: Bool { theirNumber != nil }

    /// Whether the peer has answered for the secrets and contents that it was asked for.
    @inline(__always) var awaitsNothing: Bool {
        awaitedSecrets.isEmpty && restoring.awaited.isEmpty && awaitedContents.isEmpty
    }

    /// Whether nothing is being sent or received.
    @inline(__always) var isIdle: Bool { pacing.inFlight == 0 && window.isEmpty && plan.isEmpty }
}
