import TomboloCore

/// The commands of a random script.
enum FrozenCommand: String, CaseIterable, Sendable {
    case connect, connectMVDS, disconnect, crash, powerCut, backup, rest
    case say, sayForAWhile, broadcast, redact, carry, carrySecrets
    case setRole, setState, checkpoint, linkDevice, removeDevice, invite
    case retain, hide
    case sayFile, wantFile, dropFile, limitFiles, spoilChunk, checkChunk
    case post, postMany, postLarge, share, whisper
}

/// A family of transcripts: how often which command comes, and between how many devices.
struct FrozenScenario: Sendable {
    let name: String
    let devices: Int
    let steps: Int
    /// The policy of the first group, by seed.
    let policies: [Policy]
    let weights: [FrozenCommand: Int]
    var recordModes: [RecordMode] = [.byCost]
    var faults = FrozenFaults()
    /// The number of hostile devices, which are the last ones.
    var hostile = 0
    /// Names of counts, each of which all runs together must reach.
    let reaches: [String]

    private static let links: [FrozenCommand: Int] = [.connect: 14, .disconnect: 6, .crash: 1, .powerCut: 1]
    private static let mvds: [FrozenCommand: Int] = [
        .post: 14, .postMany: 4, .postLarge: 2, .share: 6, .whisper: 3,
    ]
    private static let files: [FrozenCommand: Int] = [
        .sayFile: 12, .wantFile: 10, .dropFile: 3, .limitFiles: 2, .spoilChunk: 3, .checkChunk: 3,
    ]

    private static func weigh(_ parts: [FrozenCommand: Int]...) -> [FrozenCommand: Int] {
        parts.reduce(into: [:]) { sum, part in sum.merge(part) { $1 } }
    }

    /// The hostile devices. Eight seeds have each hostility several times.
    func hostileDevices(seed: UInt64) -> [Int: FrozenHostility] {
        let all = FrozenHostility.allCases
        return (0..<hostile).reduce(into: [:]) { devices, number in
            devices[self.devices - hostile + number] = all[(Int(seed) + 2 * number) % all.count]
        }
    }

    static let all: [FrozenScenario] = [
        FrozenScenario(
            name: "files", devices: 4, steps: 70, policies: [.open], weights: weigh(links, files),
            faults: FrozenFaults(lies: 0.3),
            reaches: [
                "file.want", "file.have", "file.request", "file.chunk", "file.decline", "file.doubt", "file.enough",
                "file.enoughFinal", "effect.transferring", "failed.fileQuota", "fault.lie",
                "fault.swallow",
            ]),
        FrozenScenario(
            name: "files-shared-and-gone", devices: 4, steps: 80, policies: [.open, .private],
            weights: weigh(
                links, files, [.hide: 5, .redact: 4, .retain: 3, .rest: 3, .sayForAWhile: 3, .invite: 2, .say: 4]),
            faults: FrozenFaults(lies: 0.1, damages: 0.1),
            reaches: [
                "file.chunk", "group.onlyTakes", "change.erased", "effect.exchanged", "effect.close",
            ]),
        FrozenScenario(
            name: "retention", devices: 4, steps: 110, policies: [.open, .private, .privateFromJoining],
            weights: weigh(links, [.say: 26, .sayForAWhile: 4, .retain: 10, .rest: 3, .redact: 2, .carry: 1]),
            reaches: [
                "change.erased", "change.restored", "group.horizon", "group.want", "agreed.agreement", "agreed.equal",
            ]),
        FrozenScenario(
            name: "visibility", devices: 4, steps: 110, policies: [.open, .private],
            weights: weigh(links, [.say: 20, .hide: 14, .broadcast: 4, .invite: 4, .setRole: 2, .setState: 1]),
            reaches: [
                "group.onlyTakes", "group.hasSentAll", "effect.exchanged", "close.visibilityChanged",
                "effect.receivedEphemeral", "effect.peerReady",
            ]),
        FrozenScenario(
            name: "mvds-two", devices: 2, steps: 50, policies: [.open],
            weights: weigh(links, mvds, [.postMany: 10, .say: 2]), recordModes: [.byCost, .interactive],
            reaches: [
                "group.reconcile", "agreed.rateless", "agreed.range", "agreed.equal", "payload.messages",
                "payload.acks", "payload.offers", "payload.requests", "group.largePart", "effect.receivedEphemeral",
            ]),
        FrozenScenario(
            name: "mvds-three", devices: 3, steps: 50, policies: [.open],
            weights: weigh(links, mvds, [.connectMVDS: 8, .say: 2]), recordModes: [.byCost, .interactive, .batch],
            reaches: [
                "group.reconcile", "link.mvds", "payload.offers", "payload.requests", "payload.acks",
                "payload.ephemeral", "payload.large", "group.largePart", "effect.receivedEphemeral",
            ]),
        FrozenScenario(
            name: "members", devices: 5, steps: 110, policies: [.private, .open, .privateFromJoining],
            weights: weigh(
                links,
                [
                    .say: 14, .sayForAWhile: 8, .redact: 4, .setRole: 7, .setState: 4, .checkpoint: 2, .linkDevice: 4,
                    .removeDevice: 1, .rest: 4, .carry: 1, .carrySecrets: 3, .backup: 1, .broadcast: 2,
                ]),
            reaches: [
                "group.share", "group.secretsWanted", "change.withdrawn", "effect.removed", "effect.sealedSecrets",
                "restart.crash", "restart.powerCut", "restart.backup",
            ]),
        FrozenScenario(
            name: "checkpoints", devices: 3, steps: 80, policies: [.open, .private],
            weights: weigh(
                links,
                [.say: 6, .sayForAWhile: 24, .checkpoint: 8, .rest: 8, .redact: 3, .linkDevice: 2, .retain: 2]),
            reaches: ["state.floor", "group.certificates", "change.erased", "agreed.agreement"]),
        FrozenScenario(
            name: "mixture", devices: 4, steps: 200, policies: [.private, .open, .privateFromJoining, .feed],
            weights: weigh(
                links, files, mvds,
                [
                    .say: 16, .sayForAWhile: 8, .redact: 3, .setRole: 3, .setState: 2, .checkpoint: 4, .linkDevice: 3,
                    .rest: 3, .hide: 4, .retain: 4, .broadcast: 2, .invite: 2, .carry: 1, .backup: 1, .connectMVDS: 3,
                    .postMany: 1, .carrySecrets: 1,
                ]), recordModes: [.byCost, .interactive], faults: FrozenFaults(lies: 0.1, damages: 0.1),
            reaches: [
                "file.chunk", "group.horizon", "group.onlyTakes", "group.reconcile", "payload.messages", "group.share",
                "change.erased", "change.restored", "effect.transferring", "effect.agreed", "batch.4", "effect.forked",
                "effect.foundOlder", "group.certificates",
            ]),
        FrozenScenario(
            name: "hostile", devices: 6, steps: 160, policies: [.open, .private, .privateFromJoining],
            weights: weigh(
                links, [.connect: 20, .say: 24, .sayForAWhile: 3, .broadcast: 5, .redact: 2, .setRole: 2, .backup: 2]),
            hostile: 3,
            reaches: FrozenHostility.allCases.map { "attack.\($0)" } + [
                "close.invalidEvent", "close.protocolViolation", "group.push", "group.share",
                "effect.forked", "effect.receivedEphemeral",
            ]),
        FrozenScenario(
            name: "hostile-files-and-records", devices: 5, steps: 80, policies: [.open, .private],
            weights: weigh(
                links, files, mvds,
                [.connect: 20, .connectMVDS: 3, .say: 8, .retain: 2, .hide: 2, .checkpoint: 2, .rest: 2]),
            recordModes: [.byCost, .interactive], hostile: 2,
            reaches: FrozenHostility.allCases.map { "attack.\($0)" } + [
                "close.protocolViolation", "file.chunk", "file.decline", "payload.messages", "group.reconcile",
            ]),
    ]
}
