public import Observation
public import Tombolo

/// A group's messages in the order that all devices show, for a view to observe: the latest ones, and pages of earlier ones.
///
/// It follows the group by itself, and reads off the main actor: after `init` and ``loadEarlier()`` the entries change as soon
/// as they are read. A message that arrives late appears at its place in the order. It works wherever Observation does.
@MainActor @Observable
public final class Timeline {
    /// Ascending: the latest entries, and the pages that were asked for. Empty until the first reading ends.
    public private(set) var entries: [Entry] = []
    /// Whether there may be entries before the first one.
    public private(set) var hasEarlier = true
    /// Why the timeline does not follow the group any more; nil while it does.
    public private(set) var failure: TomboloError?

    @ObservationIgnored private let pages: TimelinePages
    @ObservationIgnored private var following: Following?

    /// - Parameters:
    ///   - group: what to show.
    ///   - window: entries to show at first, and to add with each page; at least 1.
    public init(of group: SyncGroup, window: Int = 50) {
        let pages = TimelinePages(of: group, page: max(1, window))
        self.pages = pages
        let signals = group.updates()
        following = Following(
            Task { [weak self] in
                guard await self?.read({ try await pages.latest() }) == true else { return }
                for await _ in signals {
                    guard await self?.read({ try await pages.latest() }) == true else { return }
                }
            })
    }

    /// Shows one page more of earlier entries. Returns when it is there.
    public func loadEarlier() async {
        guard hasEarlier else { return }
        _ = await read { try await pages.more() }
    }

    /// - Returns: whether the timeline can go on.
    private func read(_ body: @Sendable () async throws -> TimelinePages.Window) async -> Bool {
        do {
            let window = try await body()
            // Readings end in any order: an older one shows nothing new.
            guard window.number > shown else { return true }
            shown = window.number
            if entries != window.entries { entries = window.entries }
            if hasEarlier != window.hasEarlier { hasEarlier = window.hasEarlier }
            return true
        } catch {
            failure = error as? TomboloError ?? TomboloError(.unexpected, "\(error)", underlying: error)
            return false
        }
    }

    /// The number of the reading that is shown.
    @ObservationIgnored private var shown = 0
}

/// Reads what a timeline shows, off the main actor.
private actor TimelinePages {
    struct Window: Sendable {
        let number: Int
        let entries: [Entry]
        let hasEarlier: Bool
    }

    private let group: SyncGroup
    private let page: Int
    private var count: Int
    private var number = 0
    /// The first entry of the latest reading, and whether there were earlier ones.
    private var first: Entry?
    private var hasEarlier = true

    init(of group: SyncGroup, page: Int) {
        self.group = group
        self.page = page
        count = page
    }

    /// The window as it is now. Earlier pages that were asked for stay in it, however many entries have come.
    func latest() throws -> Window {
        let before = first
        var entries = try read()
        while count > page, hasEarlier, let before, let now = entries.first, before < now {
            count += page
            entries = try read()
        }
        return window(entries)
    }

    /// The window with one page more.
    func more() throws -> Window {
        count += page
        return window(try read())
    }

    private func read() throws -> [Entry] {
        // It does not suspend: readings follow each other.
        let entries = try group.readTimeline(limit: count)
        first = entries.first
        hasEarlier = entries.count == count
        return entries
    }

    private func window(_ entries: [Entry]) -> Window {
        number += 1
        return Window(number: number, entries: entries, hasEarlier: hasEarlier)
    }
}

/// A task that ends with its owner.
private final class Following: Sendable {
    private let task: Task<Void, Never>
    init(_ task: Task<Void, Never>) { self.task = task }
    deinit { task.cancel() }
}
