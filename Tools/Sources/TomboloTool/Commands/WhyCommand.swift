import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is known of an event: is it held, what does it wait for, who has it.",
        discussion: "Exit code 1 if no such event is held.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "The event's id, or the first four digits of it or more.") var event: String

    func run() async throws {
        let isHeld = try await options.withReader { node in
            let group = try findGroup(group, node)
            guard group.dialect == .native else {
                throw Failure(
                    "\(group.name.printable) is of the mvds dialect, where nothing is known of an event but itself")
            }
            guard let history = try group.history(ofID: event) else { return false }
            if json { try printJSON(HistoryRow(history)) } else { show(history, node) }
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
            print("  whose log it is will be known when the log's first event has come")
        }
        print("  said \(history.timestamp.ISO8601Format()), arrived here as number \(history.ordinal)")
        print(
            "  \(history.contentBytes) bytes, \(history.isSigned ? "signed" : "vouched for by a later event of its log")"
        )
        let missing = history.causes.filter { $0.status == nil || $0.status == .waiting }
        switch history.status {
        case .delivered: print("  held and delivered")
        case .invalid:
            print("  held, never delivered: what it says of its causes is not so, or its author had no right to it")
        case .heldBack: print("  held back: its author was removed without knowing of it")
        case .withdrawn: print("  withdrawn: it was delivered before the news that its author had been removed")
        case .waiting: print("  held, waits for \(missing.count) of its causes:")
        }
        for cause in history.causes {
            let state =
                switch cause.status {
                case nil: "not here"
                case .waiting?: "held, waits itself"
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

/// What `why --json` prints.
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
    let causes: [Cause]
    let holders: [String]

    init(_ history: EventHistory) {
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
