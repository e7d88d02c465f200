public import Observation
public import Tombolo

/// The messages of a group in the order that all devices show, for views to observe: the latest ones, and pages of
/// earlier ones.
///
/// It follows the group by itself, and reads off the main actor. After `init` and ``loadEarlier()`` the entries change
/// as soon as they are read. A message that arrives late appears at its place in the order. It works wherever
/// Observation does.
@MainActor @Observable
public final class Timeline {
    /// The latest entries and the loaded pages, ascending. Empty until the first reading ends.
    public private(set) var entries: [Entry] = []
    /// Tells whether there may be entries before the first one.
    public private(set) var hasEarlier = true
    /// The reason why the timeline no longer follows the group; nil while it does.
    public private(set) var failure: TomboloError?

    @ObservationIgnored private let pages: TimelinePages
    @ObservationIgnored private var following: Following?

    /// - Parameters:
    ///   - group: the group to show.
    ///   - window: the number of entries to show at first, and to add with each page; at least 1.
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

    /// Loads one more page of earlier entries. Returns when the page is shown.
    public func loadEarlier() async {
        guard hasEarlier else { return }
        _ = await read { try await pages.more() }
    }

    /// - Returns: true if the timeline can continue.
    private func read(_ body: @Sendable () async throws -> TimelinePages.Window) async -> Bool {
        do {
            let window = try await body()
            // Readings end in any order. An older one is not shown.
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

/// A reader of the entries that a timeline shows, off the main actor.
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

    /// The current window. Loaded pages stay in it, however many entries have arrived since.
    func latest() throws -> Window {
        let before = first
        var entries = try read()
        while count > page, hasEarlier, let before, let now = entries.first, before < now {
            count += page
            entries = try read()
        }
        return window(entries)
    }

    /// The window with one more page.
    func more() throws -> Window {
        count += page
        return window(try read())
    }

    private func read() throws -> [Entry] {
        // The read does not suspend, so readings follow each other.
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
