public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// What was written into a bundle.
public struct BundleSummary: Sendable, Hashable {
    public let events: Int
    /// Secrets, each sealed to one device, in a private group.
    public let secrets: Int
    /// Of the file.
    public let bytes: Int
}

/// What became of a bundle.
public struct BundleReading: Sendable, Hashable {
    public let group: GroupID
    /// The device that says that it has written it, and when.
    public let writer: DeviceKey
    public let written: Date
    /// How many events were new, and how many were not.
    public let newEvents: Int
    public let heldEvents: Int
    /// Whether the file had an end: else what it had was taken, and more was to come.
    public let isComplete: Bool
}

extension SyncGroup {
    /// Writes what is here of the group into a file, to be carried to devices that this one cannot reach (protocol §6): events with their
    /// contents, as far as those are not erased, and in a private group the secrets that members' devices may have. Files that events refer to are
    /// not in it.
    ///
    /// Only devices of the group can read it.
    /// - Parameters:
    ///   - bundle: one that a device of the group has written: this one then has what that device lacked, and secrets for it alone.
    ///   - progress: counts events.
    /// - Throws: ``TomboloError`` if there is something at the place already, the disk is full, or `bundle` is of another group: nothing is left at
    ///   the place then; `EngineError` `notNative`.
    public func writeBundle(
        to url: URL, answering bundle: URL? = nil, reportingTo progress: TransferProgress? = nil
    ) async throws -> BundleSummary {
        defer { progress?.finish() }
        guard dialect == .native else { throw EngineError.notNative(id) }
        let asked = try bundle.map { try BundleStart(of: $0, for: record) }
        let effect = try await node.replica.request { .sealSecrets($0, group: id, for: asked?.writer) }
        guard case .sealedSecrets(_, let secrets) = effect else { throw TomboloError("the engine gave no answer") }
        let (device, now) = (node.device, node.clock.now)
        return try await Node.aside { [node, record] in
            var writer = try BundleWriter(at: url, discovery: record.discovery)
            let known = try node.storage.read { try $0.knownEnds(of: record) }
            try writer.append([.writer(device, now), .known(known)])
            var events = try BundledEvents(of: record, in: node.storage, without: asked?.known ?? [])
            progress?.note(done: 0, of: UInt64(events.total))
            while let runs = try events.next() {
                for run in runs { try writer.append(run.map { .event($0.message(in: record.id)) }) }
                progress?.note(done: UInt64(events.seen), of: UInt64(events.total))
            }
            for secret in secrets { try writer.append([.secret(secret)]) }
            try writer.finish()
            return BundleSummary(events: events.written, secrets: secrets.count, bytes: writer.bytes)
        }
    }
}

extension Node {
    /// Takes what is in a bundle, as it would take it from a peer: every event is verified, and what was erased stays so.
    ///
    /// - Parameter progress: counts bytes.
    /// - Throws: ``TomboloError`` if it cannot be read, is of no group that is here, or is damaged: what comes before the damage is taken.
    public func readBundle(
        at url: URL, reportingTo progress: TransferProgress? = nil
    ) async throws -> BundleReading {
        defer { progress?.finish() }
        var reader = try BundleReader(at: url, groups: try storage.read { try $0.groups() })
        let group = reader.group.id
        var (writer, written): (DeviceKey, UInt64) = (device, 0)
        var (accepted, held) = (0, 0)
        while let records = try reader.next() {
            var (messages, secrets): ([Message], [CarriedSecret]) = ([], [])
            for record in records {
                switch record {
                case .writer(let device, let time): (writer, written) = (device, time)
                case .known: break
                case .event(let message): messages.append(message)
                case .secret(let secret): secrets.append(secret)
                }
            }
            if !messages.isEmpty {
                let effect = try await replica.request { .ingest($0, group: group, messages) }
                guard case .ingested(_, let new, let old) = effect else {
                    throw TomboloError("the engine gave no answer")
                }
                (accepted, held) = (accepted + new, held + old)
            }
            if !secrets.isEmpty { _ = try await replica.request { .takeSecrets($0, group: group, secrets) } }
            progress?.note(done: reader.position, of: reader.size)
        }
        return BundleReading(
            group: group, writer: writer, written: Date(milliseconds: written), newEvents: accepted, heldEvents: held,
            isComplete: reader.isComplete)
    }
}

/// What a bundle says of who has written it.
private struct BundleStart {
    var writer: DeviceKey?
    var known: [LogPosition] = []

    /// - Throws: ``TomboloError`` if it is not of this group.
    init(of url: URL, for group: GroupRecord) throws {
        var reader = try BundleReader(at: url, groups: [group])
        for record in try reader.next() ?? [] {
            switch record {
            case .writer(let device, _): writer = device
            case .known(let ends): known += ends
            case .event, .secret: break
            }
        }
        guard writer != nil else { throw TomboloError("\(url.path) does not say who has written it: get it again") }
    }
}

extension SQLiteReader {
    /// The last events of the logs of which there is everything from the first one on.
    fileprivate func knownEnds(of group: GroupRecord) throws -> [LogPosition] {
        try logs(of: group).compactMap { log in
            guard log.isLinear, log.floor == 0, let end = log.ends.last else { return nil }
            return LogPosition(log: log.id, sequence: end.sequence, id: end.id)
        }
    }
}
