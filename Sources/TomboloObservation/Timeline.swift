public import Observation
public import Tombolo

/// A group's entries in the order that everyone shows, for a view to observe: the latest ones, and pages of earlier ones.
///
/// Follows the group by itself; what arrives late appears at its place in the order. Works wherever Observation does.
@MainActor @Observable
public final class Timeline {
    /// Ascending; the latest entries and the pages that were asked for.
    public private(set) var entries: [Entry] = []
    /// Whether there may be entries before the first one.
    public private(set) var hasEarlier = true
    /// Why the timeline stopped following; nil while it does.
    public private(set) var failure: (any Error)?

    @ObservationIgnored private let group: SyncGroup
    @ObservationIgnored private var count: Int
    @ObservationIgnored private let page: Int
    @ObservationIgnored private var following: Following?

    /// - Parameters:
    ///   - group: what to show.
    ///   - window: entries to show at first, and to add with each page; at least 1.
    public init(of group: SyncGroup, window: Int = 50) {
        self.group = group
        page = max(1, window)
        count = page
        reload()
        following = Following(
            Task { [weak self] in
                do {
                    for await _ in try await group.news() {
                        guard let self else { return }
                        refresh()
                    }
                } catch {
                    self?.failure = error
                }
            })
    }

    /// Shows one page more of what came before.
    public func loadEarlier() {
        guard hasEarlier else { return }
        count += page
        reload()
    }

    private func reload() {
        do {
            let latest = try group.timeline(limit: count)
            entries = latest
            hasEarlier = latest.count == count
        } catch {
            failure = error
        }
    }

    private func refresh() {
        let first = entries.first
        reload()
        // Who went back to earlier entries keeps them in sight.
        while count > page, hasEarlier, let first, let now = entries.first, first < now {
            count += page
            reload()
        }
    }
}

/// A task that ends with whoever holds it.
private final class Following: Sendable {
    private let task: Task<Void, Never>
    init(_ task: Task<Void, Never>) { self.task = task }
    deinit { task.cancel() }
}
