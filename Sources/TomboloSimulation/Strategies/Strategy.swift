/// How devices bring each other what is said.
public enum Strategy: String, Hashable, Sendable, Codable, CaseIterable {
    /// The real engine: sessions with frontiers, then epidemic broadcast trees.
    case tombolo
    /// MVDS, batch mode: every message to every member in datagrams, until each has acknowledged it.
    case mvdsBatch = "mvds-batch"
    /// MVDS, interactive mode: an offer to every member, the message to those who request it.
    case mvdsInteractive = "mvds-interactive"
    /// Every message to the group's topic, until every member has acknowledged it there. Needs ``Scenario/Conditions/multicast``.
    case multicast
    /// Every message to four members drawn from all, each of whom does the same.
    case randomPartners = "random-partners"
    /// Everything that is held over every new link, and everything new over all links.
    case flooding
    /// Sets are reconciled by ranges when a link opens; what is new goes over all links.
    case range
    /// The same by coded symbols.
    case rateless
    /// A Bloom filter to a random device every five seconds, answered with what it lacks (Dispersy).
    case bloom

    /// What it is, in a few words.
    public var summary: String {
        switch self {
        case .tombolo: "frontier at the meeting, then epidemic broadcast trees: the real engine"
        case .mvdsBatch: "messages to every member until acknowledged (MVDS, batch mode)"
        case .mvdsInteractive: "offers to every member, messages on request (MVDS, interactive mode)"
        case .multicast: "messages to the topic until all have acknowledged them there"
        case .randomPartners: "messages to 4 random members, who do the same"
        case .flooding: "everything over every new link"
        case .range: "range-based fingerprints when a link opens (negentropy)"
        case .rateless: "coded symbols when a link opens (rateless IBLT)"
        case .bloom: "a Bloom filter to a random device every 5 s (Dispersy)"
        }
    }

    /// Whether devices are connected by links; else they send datagrams.
    var usesLinks: Bool {
        switch self {
        case .tombolo, .flooding, .range, .rateless: true
        case .mvdsBatch, .mvdsInteractive, .multicast, .randomPartners, .bloom: false
        }
    }
}
