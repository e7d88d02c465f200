/// One contact with one peer over one link.
struct Session: Sendable {
    let link: PeerLink
    /// The stored record of the peer; nil for a stranger or a visitor.
    var peer: PeerRecord? { didSet { isPeerKept = peer != nil } }
    /// Whether the peer is kept in the store. It follows from ``peer``, and is stored since each group of each batch reads
    /// it: a test of the record copied it.
    private(set) var isPeerKept: Bool
    private(set) var isClosed = false
    private(set) var hasSentHello = false
    private(set) var hasReceivedHello = false
    /// The trust at which this device last showed the tags of its groups.
    private(set) var greeted = Trust.stranger
    private(set) var trust: Trust
    /// Whether the peer was known when the link opened, or was dialled.
    let wasKnown: Bool
    /// When the link opened, and when the last payload came, in milliseconds since 1970.
    private let opened: UInt64
    private(set) var lastReceived: UInt64
    var groups: [GroupSession] = []
    /// Whether the peer has proved an invitation, or tried to.
    private(set) var hasJoined = false
    /// The device that the peer proved itself to be when it joined, which it could not state in the group yet.
    var joiner: (group: GroupID, recipient: GroupSecrets.Recipient)?
    /// The member that the peer claimed to belong to when it joined.
    private(set) var claimedMember: MemberKey?
    /// The tags by which the peer shows each of ``groups``, made when they are first needed.
    private var expectedTags: [Bytes] = []
    /// Introductions of groups that match none here yet.
    var unmatched: [GroupSync] = []
    /// Bytes of windows that the peer accepts at once.
    private(set) var windowLimit = Limits.inFlight
    /// Whether the session advances at the end of this batch, and when it does without any input.
    var isConcerned = true
    var nextWake: UInt64?

    /// The place of a peer in this device's trust.
    enum Trust: Int, Comparable {
        case stranger = 0
        /// The peer has shown the tag of a public group, which everyone can who guesses the name. It is not remembered,
        /// and sees no other groups.
        case visitor = 1
        /// The peer is known, was dialled, or has shown the tag of another group or an invitation.
        case peer = 2

        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    init(_ link: PeerLink, of peer: PeerRecord?, now: UInt64) {
        self.link = link
        self.peer = peer
        isPeerKept = peer != nil
        trust = peer == nil ? .stranger : .peer
        wasKnown = peer != nil
        opened = now
        lastReceived = now
    }

    /// Milliseconds in which a stranger must show a known group, or an invitation.
    private static var patienceWithStrangers: UInt64 { 10_000 }
    /// Milliseconds for which a visitor may be silent.
    private static var patienceWithVisitors: UInt64 { 60_000 }

    /// When the peer is disconnected unless it does more, in milliseconds since 1970; nil for never.
    var deadline: UInt64? {
        switch trust {
        case .stranger: opened + Self.patienceWithStrangers
        case .visitor: lastReceived + Self.patienceWithVisitors
        case .peer: nil
        }
    }

    /// Notes that a payload has come.
    mutating func noteReceived(at now: UInt64) { lastReceived = max(lastReceived, now) }

    var hasGreeted: Bool { greeted > .stranger }

    /// Whether both sides have sent `hello`.
    var isReady: Bool { hasReceivedHello && hasGreeted }

    mutating func close() { isClosed = true }

    mutating func raiseTrust(to new: Trust) { trust = new }

    // MARK: Hello

    /// This device's hello, if it was not sent yet: the first payload must carry it.
    mutating func hello(incarnation: [UInt8]) -> Hello? {
        guard !hasSentHello else { return nil }
        hasSentHello = true
        var hello = Hello()
        hello.version = Hello.current
        hello.incarnation = incarnation[...]
        hello.windowLimit = UInt64(clamping: link.windowLimit ?? Limits.inFlight)
        return hello
    }

    /// Receives the peer's `hello`, which must come first.
    ///
    /// - Returns: the peer's incarnation; nil if it has sent `hello` before.
    mutating func receive(_ hello: Hello?) throws(EngineError) -> [UInt8]? {
        guard !hasReceivedHello else { return nil }
        guard let hello, hello.incarnation.count == 16 else {
            throw .protocolViolation("its first payload is not a hello")
        }
        guard hello.version == Hello.current else {
            throw .protocolViolation(
                "it speaks version \(hello.version) of the protocol, and this device version \(Hello.current)")
        }
        hasReceivedHello = true
        windowLimit = Int(clamping: max(hello.windowLimit, UInt64(Limits.smallestWindow)))
        return Array(hello.incarnation)
    }

    /// Notes that the tags of groups are shown now, as far as the peer's trust allows.
    ///
    /// - Returns: false if they were shown before at this trust.
    mutating func beginGreeting() -> Bool {
        guard greeted < trust else { return false }
        greeted = trust
        return true
    }

    /// Notes that the peer tries to join.
    mutating func beginJoining() throws(EngineError) {
        guard !hasJoined else { throw .protocolViolation("it joined twice") }
        hasJoined = true
    }

    /// Notes the member that the peer claims to belong to.
    ///
    /// - Returns: whether the groups may be chosen again, since none was shown yet.
    mutating func noteClaim(_ member: MemberKey?) -> Bool {
        claimedMember = member
        guard !hasGreeted else { return false }
        expectedTags = []
        return true
    }

    // MARK: Groups

    // By indices, here and elsewhere: an element that is taken out of its array is copied, with everything that it holds.

    @inline(__always) func index(of replica: ReplicaIndex) -> SessionGroupIndex? {
        for group in groups.indices where groups[group].replica == replica { return SessionGroupIndex(value: group) }
        return nil
    }

    @inline(__always) func index(ofTheirNumber number: UInt64) -> SessionGroupIndex? {
        for group in groups.indices where groups[group].theirNumber == number {
            return SessionGroupIndex(value: group)
        }
        return nil
    }

    /// Whether a group has something to acknowledge that one payload had no room for.
    var mustAcknowledge: Bool { groups.indices.contains { groups[$0].inbox.mustAcknowledge } }

    /// The groups that are to be shown to the peer and were not shown yet.
    func groupsToIntroduce(_ replicas: [Replica]) -> [SessionGroupIndex] {
        groups.indices.filter { group in
            !groups[group].isIntroduced && (trust == .peer || replicas[groups[group].replica.value].isPublic)
        }.map { SessionGroupIndex(value: $0) }
    }

    /// The introduction of a group: its tag, root, and the agreements that this device remembers.
    mutating func introduction(
        of group: SessionGroupIndex, _ replicas: inout [Replica], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> GroupSync {
        let replica = groups[group.value].replica.value
        return try groups[group.value].introduce(over: link, &replicas[replica], in: &batch)
    }

    /// Finds the group that the peer has introduced.
    ///
    /// - Returns: nil if no group here has the tag, or the peer has shown it before. The introduction is kept: a
    ///   group that matches it may come.
    mutating func match(
        _ sync: GroupSync, _ replicas: [Replica], using cryptography: some Cryptography
    ) throws(EngineError) -> SessionGroupIndex? {
        for group in groups.dropFirst(expectedTags.count) {
            let discovery = replicas[group.replica.value].record.discovery
            expectedTags.append(link.tag(keyedBy: discovery, ofDialler: !link.isDialler, using: cryptography))
        }
        let found = expectedTags.firstIndex { $0 == sync.tag }
        guard let found, groups[found].theirNumber == nil else {
            guard unmatched.count < Limits.groupsPerSession else {
                throw .protocolViolation("it showed more than \(Limits.groupsPerSession) groups")
            }
            unmatched.append(sync.introduction)
            return nil
        }
        return SessionGroupIndex(value: found)
    }
}
