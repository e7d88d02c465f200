public import Foundation
import Synchronization

/// A model of a group in a file, together with the bookmark of the last applied change.
///
/// Model and bookmark are written in one step, so that a crash loses no change and applies none twice. A file that
/// cannot be read, for example of an earlier version of the application, is replaced. The model is then rebuilt from
/// the start.
///
///     let list = Projection<List>(of: group, in: file)
///     try await list.follow()
///
/// An application with a database of its own stores the bookmark there instead, and uses
/// ``SyncGroup/changes(of:after:)``.
public actor Projection<Model: ProjectedModel> {
    private struct Contents: Codable {
        var model = Model()
        var bookmark = Bookmark.start
    }

    private let group: SyncGroup
    private let file: URL?
    private var contents: Contents
    private nonisolated let latest: LatestModel<Model>
    /// The number of rows of the change log that are applied before the file is written.
    private static var batch: Int { 1_024 }

    /// Reads the stored model.
    ///
    /// - Parameters:
    ///   - group: the group.
    ///   - file: the file of model and bookmark, in a folder that exists; nil keeps them in memory.
    public init(of group: SyncGroup, in file: URL? = nil) {
        self.group = group
        self.file = file
        let data = file.flatMap { try? Data(contentsOf: $0) }
        let contents = data.flatMap { try? JSONDecoder().decode(Contents.self, from: $0) } ?? Contents()
        self.contents = contents
        latest = LatestModel(contents.model)
    }

    /// The current model.
    public var model: Model { contents.model }
    /// The bookmark of the last change that the model contains.
    public var bookmark: Bookmark { contents.bookmark }

    /// The model, now and after each change. A slow reader gets only the latest.
    public nonisolated var models: some AsyncSequence<Model, Never> & Sendable { latest.values() }

    /// Applies the changes up to now.
    ///
    /// - Throws: ``TomboloError`` of the store; `fileUnusable` if the file cannot be written. The model is unchanged
    ///   then.
    public func update() throws {
        while true {
            let batch = try group.readChanges(after: contents.bookmark, including: .messages, limit: Self.batch)
            if batch.bookmark != contents.bookmark {
                var next = contents
                for change in batch.changes { next.model.apply(change) }
                next.bookmark = batch.bookmark
                try write(next)
                contents = next
                if !batch.changes.isEmpty { latest.publish(next.model) }
            }
            if batch.isAtEnd { return }
        }
    }

    /// Applies the changes up to now, then all later ones, until the task is cancelled or the node is closed.
    ///
    /// - Throws: ``TomboloError`` as ``update()``.
    public func follow() async throws {
        let signals = group.signals()
        try update()
        for await _ in signals {
            guard !Task.isCancelled else { return }
            try update()
        }
    }

    private func write(_ next: Contents) throws {
        guard let file else { return }
        do {
            try JSONEncoder().encode(next).write(to: file, options: .atomic)
        } catch {
            throw TomboloError(
                .fileUnusable, "\(file.path) cannot be written (\(error.localizedDescription))",
                recovery: "check that its folder exists, and make room", underlying: error)
        }
    }
}

/// The latest model, for any number of readers. Models need not be comparable.
private final class LatestModel<Model: Sendable>: Sendable {
    private struct Version: Sendable, Equatable {
        let number: Int
        let model: Model
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.number == rhs.number }
    }

    private let latest: LatestValue<Version>

    init(_ model: Model) { latest = LatestValue(Version(number: 0, model: model)) }

    func publish(_ model: Model) { latest.update { $0 = Version(number: $0.number + 1, model: model) } }

    func values() -> some AsyncSequence<Model, Never> & Sendable {
        let versions = latest.values()
        return PullSequence<Model, Never> {
            let cursor = VersionCursor(versions)
            return { await cursor.next()?.model }
        }
    }

    private actor VersionCursor {
        private var iterator: AsyncStream<Version>.AsyncIterator?
        init(_ versions: AsyncStream<Version>) { iterator = versions.makeAsyncIterator() }

        func next() async -> Version? {
            var iterator = iterator
            let version = await iterator?.next(isolation: self)
            self.iterator = iterator
            return version
        }
    }
}
