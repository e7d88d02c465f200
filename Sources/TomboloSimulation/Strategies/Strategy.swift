/// A way for devices to exchange messages.
public enum Strategy: String, Hashable, Sendable, Codable, CaseIterable {
    /// The real engine: sessions with frontiers, then epidemic broadcast trees.
    case tombolo
    /// MVDS in batch mode: every message is sent to every member in datagrams until each has acknowledged it.
    case mvdsBatch = "mvds-batch"
    /// MVDS in interactive mode: an offer to every member, and the message to those that request it.
    case mvdsInteractive = "mvds-interactive"
    /// Multicast of every message to the group's topic, until every member has acknowledged it there. Needs
    /// ``Scenario/Conditions/multicast``.
    case multicast
    /// Every message goes to four random members, each of which does the same.
    case randomPartners = "random-partners"
    /// All held messages go over every new link, and every new message over all links.
    case flooding
    /// Ranges reconcile the sets when a link opens. New messages go over all links.
    case range
    /// Coded symbols reconcile the sets when a link opens. New messages go over all links.
    case rateless
    /// A Bloom filter goes to a random device every five seconds. The answer has the messages that it lacks (Dispersy).
    case bloom

    /// A description in a few words.
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

    /// Tells whether devices are connected by links. Otherwise they send datagrams.
    var usesLinks: Bool {
        switch self {
        case .tombolo, .flooding, .range, .rateless: true
        case .mvdsBatch, .mvdsInteractive, .multicast, .randomPartners, .bloom: false
        }
    }
}
