public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The contents of a bundle that was written.
public struct BundleSummary: Sendable, Hashable {
    /// The number of events.
    public let events: Int
    /// The number of secrets, in an answer for the device that is answered.
    public let secrets: Int
    /// The size of the file.
    public let bytes: Int
}

/// The outcome of reading a bundle.
public struct BundleReading: Sendable, Hashable {
    /// The group to which the bundle belongs.
    public let group: GroupID
    /// The device that wrote the bundle.
    public let writer: DeviceKey
    /// The time when the device wrote it, by its own clock.
    public let written: Date
    /// The number of events that were new.
    public let newEvents: Int
    /// The number of events that this device held already.
    public let heldEvents: Int
    /// Tells whether the file had an end. Otherwise its intact parts were received, and the rest is missing.
    public let isComplete: Bool
}

extension SyncGroup {
    /// Writes this device's events of the group into a file, with the contents that it holds. The file can be carried
    /// to devices that this one cannot reach (protocol §6).
    ///
    /// An answer to a bundle of a private group also contains the secrets that the other device may have. Files that
    /// events refer to are not in it. Only devices of the group can read it.
    /// - Parameters:
    ///   - url: the file, which must not exist yet.
    ///   - bundle: a bundle of another device of the group; the new one then contains what that device lacked.
    ///   - progress: counts events.
    /// - Throws: ``TomboloError`` `fileUnusable` if the file exists already, or the disk is full; `bundleDamaged` or
    ///   `unknownGroup` if `bundle` cannot be answered; `wrongDialect`. No file is left then.
    public func writeBundle(
        to url: URL, answering bundle: URL? = nil, reportingTo progress: TransferProgress? = nil
    ) async throws -> BundleSummary {
        defer { progress?.finish() }
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        // Checked first, so that the key for an answer is not made in vain.
        try DraftFile.checkPlace(url)
        let asked = try bundle.map { try BundleStart(of: $0, for: record) }
        var secrets: [CarriedSecret] = []
        if let asked {
            let effect = try await node.runtime.request { .sealSecrets($0, group: id, to: asked.opening) }
            guard case .sealedSecrets(_, let sealed) = effect else { throw TomboloError.noAnswer }
            secrets = sealed
        }
        let effect = try await node.runtime.request { .openBundle($0, group: id) }
        guard case .openedBundle(_, let opening) = effect else { throw TomboloError.noAnswer }
        return try await convertingErrors { [secrets] in
            try await Node.onOwnThread { try write(to: url, opening, secrets, without: asked?.known ?? [], progress) }
        }
    }

    private func write(
        to url: URL, _ opening: BundleOpening, _ secrets: [CarriedSecret], without held: [LogPosition],
        _ progress: TransferProgress?
    ) throws -> BundleSummary {
        var writer = try BundleWriter(at: url, of: record)
        let (known, horizon, forgotten) = try node.read { reader in
            (
                try reader.knownEnds(of: record), try kept(reader).horizon,
                try reader.forgottenBeginnings(of: record)
            )
        }
        try writer.append([.opening(opening), .known(known), .horizon(horizon)])
        for certificate in forgotten { try writer.append([.certificate(certificate)]) }
        var events = try BundledEvents(of: record, in: node.storage, without: held)
        progress?.note(done: 0, of: UInt64(events.total))
        while let runs = try events.next() {
            for run in runs {
                // An earlier event authenticates this one.
                let isBehind = run.last?.signature == nil
                try writer.append(run.map { .event($0.message(in: record.id)) }, behind: isBehind)
            }
            progress?.note(done: UInt64(events.seen), of: UInt64(events.total))
        }
        for secret in secrets { try writer.append([.secret(secret)]) }
        try writer.finish()
        return BundleSummary(events: events.written, secrets: secrets.count, bytes: writer.bytes)
    }
}

extension Node {
    /// Reads the events of a bundle, like those of a peer: every event is verified, and erased contents stay erased.
    ///
    /// - Parameters:
    ///   - url: the file.
    ///   - progress: counts bytes.
    /// - Throws: ``TomboloError`` `fileUnusable` if the file cannot be read, `unknownGroup` if it belongs to no group
    ///   on this device, `bundleDamaged`; the events before the damage are kept then.
    public func readBundle(
        at url: URL, reportingTo progress: TransferProgress? = nil
    ) async throws -> BundleReading {
        defer { progress?.finish() }
        return try await convertingErrors { try await ingestBundle(at: url, progress) }
    }

    private func ingestBundle(at url: URL, _ progress: TransferProgress?) async throws -> BundleReading {
        var reader = try BundleReader(at: url, groups: try read { try $0.groups() })
        let group = reader.group.id
        var opening: BundleOpening?
        var (accepted, held) = (0, 0)
        var horizon: UInt64 = 0
        var certificates: [Certificate] = []
        var (secrets, secretBytes): ([CarriedSecret], Int) = ([], 0)
        while let records = try reader.next() {
            var messages: [Message] = []
            for record in records {
                switch record {
                case .opening(let found) where opening == nil: opening = found
                case .opening, .known: break
                case .horizon(let lamport): horizon = lamport
                case .event(let message): messages.append(message)
                case .certificate(let certificate):
                    guard certificates.count < Limits.logsPerGroup else {
                        throw reader.damage("it names too many logs")
                    }
                    certificates.append(certificate)
                case .secret(let secret):
                    secretBytes += secret.encoded.count
                    guard secretBytes <= Limits.carriedSecretBytes else {
                        throw reader.damage("it has too many secrets")
                    }
                    secrets.append(secret)
                }
            }
            if !messages.isEmpty {
                let effect: EngineEffect
                do {
                    effect = try await runtime.request { [horizon, certificates] in
                        .ingest($0, group: group, messages, horizon: horizon, certificates: certificates)
                    }
                } catch let error as TomboloError where error.underlying is EngineError {
                    // A device of the group forged it.
                    throw TomboloError(
                        .bundleDamaged, "\(url.path) contains an event that is not valid (\(error.message))",
                        underlying: error)
                }
                guard case .ingested(_, let new, let old) = effect else {
                    throw TomboloError.noAnswer
                }
                (accepted, held) = (accepted + new, held + old)
            }
            progress?.note(done: reader.position, of: reader.size)
        }
        guard reader.isComplete || opening != nil else {
            throw TomboloError(
                .bundleDamaged, "\(url.path) ends before its first part", recovery: "get the file again")
        }
        guard let opening, opening.isValid(in: group, using: SwiftCryptography()) else {
            throw reader.damage("it does not name its writer")
        }
        // Opening the secrets deletes the key that they are encrypted to, so all of them must be here.
        if reader.isComplete, !secrets.isEmpty {
            _ = try await runtime.request { [secrets] in .takeSecrets($0, group: group, secrets) }
        }
        return BundleReading(
            group: group, writer: opening.device, written: Date(milliseconds: opening.time), newEvents: accepted,
            heldEvents: held,
            isComplete: reader.isComplete)
    }
}

/// The part of a bundle that names its writer.
private struct BundleStart {
    let opening: BundleOpening
    private(set) var known: [LogPosition] = []

    /// - Throws: ``TomboloError`` if the bundle does not belong to this group.
    init(of url: URL, for group: GroupRecord) throws {
        var reader = try BundleReader(at: url, groups: [group])
        var opening: BundleOpening?
        for record in try reader.next() ?? [] {
            switch record {
            case .opening(let found): opening = opening ?? found
            case .known(let ends): known += ends
            case .event, .secret, .horizon, .certificate: break
            }
        }
        guard let opening, opening.isValid(in: group.id, using: SwiftCryptography()) else {
            throw TomboloError(
                .bundleDamaged, "\(url.path) does not name its writer", recovery: "get the file again")
        }
        self.opening = opening
    }
}

extension SQLiteReader {
    /// The last event before any that waits for its content, for each log that is one chain from its first event, or
    /// from its floor, on.
    fileprivate func knownEnds(of group: GroupRecord) throws -> [LogPosition] {
        try logs(of: group).compactMap { log in
            guard log.isLinear, let end = log.ends.last else { return nil }
            guard log.waitingForAncestors > 0, let withheld = try firstWithheld(ofLog: log) else {
                return LogPosition(log: log.id, sequence: end.sequence, id: end.id)
            }
            guard let last = try event(ofLog: log, at: withheld - 1)?.event else { return nil }
            return LogPosition(log: log.id, sequence: last.sequence, id: last.id)
        }
    }

    fileprivate func forgottenBeginnings(of group: GroupRecord) throws -> [Certificate] {
        try logs(of: group).filter { $0.floor > 0 }.compactMap(\.certificate)
    }
}
