import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what an event waits for, which devices hold it, and its redactions.",
        discussion: "Exit code 1 if no such event is held.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "The event's id, or at least its first four digits.") var event: String

    func run() async throws {
        let isHeld = try await options.withReader { node in
            let group = try await findGroup(group, node)
            guard group.dialect == .native else {
                throw Failure(
                    "\(group.name.printable) is of the mvds dialect, whose events have no history")
            }
            guard let history = try await group.history(ofID: event) else { return false }
            let redactions = try await group.redactions(of: history)
            if json {
                try printJSON(HistoryRow(history, redactions))
            } else {
                show(history, node)
                for redaction in redactions { show(redaction, node) }
            }
            return true
        }
        guard isHeld else {
            FileHandle.standardError.write(Data("no event that begins with \(event) is held here\n".utf8))
            throw ExitCode(1)
        }
    }

    private func show(_ history: EventHistory, _ node: Node) {
        print("event \(history.id)")
        print("  number \(history.sequence) of log \(history.log), Lamport time \(history.lamport)")
        if let device = history.device, let member = history.member {
            print("  by device \(device)\(device == node.device ? " (this one)" : ""), of member \(member)")
        } else {
            print("  its author is known once the log's first event has arrived")
        }
        print("  written \(history.timestamp.ISO8601Format()), arrived here as number \(history.ordinal)")
        if let expiry = history.expiry { print("  expires \(expiry.ISO8601Format())") }
        let content = history.erasure == .notKept ? ", not kept here" : history.isErased ? ", erased" : ""
        let signature = history.isSigned ? "signed" : "covered by the signature of a later event of its log"
        print("  \(history.contentBytes) bytes\(content), \(signature)")
        let missing = history.causes.filter { $0.status == nil || $0.status == .waiting }
        switch history.status {
        case .delivered: print("  held and delivered")
        case .invalid:
            print("  held, never delivered: a statement in its header is false, or its author had no right to it")
        case .heldBack where history.lacksSecret:
            print("  held back: its author did not know you as a member, so it is not encrypted to you")
        case .heldBack: print("  held back: its author was removed, and wrote it without knowing of that")
        case .withdrawn: print("  withdrawn: it was delivered before this device knew that its author had been removed")
        case .waiting where history.lacksSecret:
            print("  held, waits for the secret that encrypts it: no peer has sent the secret to this device")
        case .waiting where missing.isEmpty: print("  held, waits for its content, which a peer has not sent")
        case .waiting: print("  held, waits for \(missing.count) of its causes:")
        }
        for cause in history.causes {
            let state =
                switch cause.status {
                case nil: "not here"
                case .waiting?: "held, waits for others"
                case .invalid?: "held, invalid"
                case .delivered?: "delivered"
                case .heldBack?, .withdrawn?: "held back"
                }
            print(
                "    \("\(cause.id)".prefix(8))  number \(cause.sequence) of log \("\(cause.log)".prefix(8))  \(state)")
        }
        print(
            history.holders.isEmpty
                ? "  no peer is known to hold it"
                : "  held by \(history.holders.map { "\($0)".prefix(8) }.joined(separator: ", "))")
    }
}

extension Why {
    private func show(_ redaction: Redaction, _ node: Node) {
        let reason = redaction.reason.isEmpty ? "" : ": \(redaction.reason.printable)"
        print(
            "  redacted \(redaction.timestamp.ISO8601Format()) by member \("\(redaction.member)".prefix(8))\(reason)"
                + (redaction.stands
                    ? "" : " (without effect: that member was removed, and wrote it without knowing of that)"))
        for receipt in redaction.receipts {
            let device = "\("\(receipt.device)".prefix(8))\(receipt.device == node.device ? " (this one)" : "")"
            print("    device \(device) has confirmed the erasure: \("\(receipt.event)".prefix(8))")
        }
    }
}

/// An event as `why --json` prints it.
private struct HistoryRow: Encodable {
    struct Cause: Encodable {
        let id: String
        let log: String
        let sequence: UInt64
        let status: String
    }

    let id: String
    let status: String
    let log: String
    let sequence: UInt64
    let lamport: UInt64
    let device: String?
    let member: String?
    let arrival: Int64
    let bytes: Int
    let expires: Date?
    let isErased: Bool
    let lacksSecret: Bool
    let redactions: [RedactionRow]
    let causes: [Cause]
    let holders: [String]

    init(_ history: EventHistory, _ redactions: [Redaction]) {
        self.redactions = redactions.map { RedactionRow($0) }
        expires = history.expiry
        isErased = history.isErased
        lacksSecret = history.lacksSecret
        id = "\(history.id)"
        status = "\(history.status)"
        log = "\(history.log)"
        sequence = history.sequence
        lamport = history.lamport
        device = history.device.map { "\($0)" }
        member = history.member.map { "\($0)" }
        arrival = history.ordinal
        bytes = history.contentBytes
        causes = history.causes.map {
            Cause(
                id: "\($0.id)", log: "\($0.log)", sequence: $0.sequence,
                status: $0.status.map { "\($0)" } ?? "missing")
        }
        holders = history.holders.map { "\($0)" }
    }
}

private struct RedactionRow: Encodable {
    let id: String
    let member: String
    let reason: String
    let stands: Bool
    /// The devices that have confirmed the erasure, each with the event that proves it.
    let receipts: [String: String]

    init(_ redaction: Redaction) {
        id = "\(redaction.id)"
        member = "\(redaction.member)"
        reason = redaction.reason
        stands = redaction.stands
        receipts = Dictionary(
            redaction.receipts.map { ("\($0.device)", "\($0.event)") }, uniquingKeysWith: { first, _ in first })
    }
}
