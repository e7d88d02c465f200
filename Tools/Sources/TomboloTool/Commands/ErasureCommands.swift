import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// A time such as 90s, 10m, 12h, 7d or 4w.
func parseDuration(_ text: String) throws -> Duration {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400]
    guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number > 0,
        number <= mostSeconds / unit
    else { throw ValidationError("\(text) is not a time such as 90s, 10m, 12h, 7d or 4w") }
    return .seconds(number * unit)
}

private let mostSeconds: Int64 = 100 * 365 * 86_400

extension Duration {
    /// The duration in the form that ``parseDuration(_:)`` reads.
    fileprivate var inWords: String {
        let seconds = components.seconds
        for (unit, length) in [("w", Int64(7 * 86_400)), ("d", 86_400), ("h", 3_600), ("m", 60)]
        where seconds >= length && seconds.isMultiple(of: length) { return "\(seconds / length)\(unit)" }
        return "\(seconds)s"
    }
}

struct Redact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Redact a message: erase its content on every device.",
        discussion: """
            Authors redact their own messages, admins any message. A device erases the content from its files as soon \
            as it learns of the redaction. `tombolo why` shows the devices that confirm the erasure. It stays visible \
            that a message was sent, and by whom.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: "The reason, which all members can read.") var reason = ""
    @Argument(help: "The event's id, or at least its first four digits.") var event: String

    func run() async throws {
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            guard let entry = try await group.entry(ofID: event) else {
                throw Failure("no event that begins with \(event) is held here: see `tombolo log`")
            }
            try await group.redact(entry, reason: reason)
            print("\("\(entry.id)".prefix(8)) is redacted")
        }
    }
}

extension Group {
    struct Expiry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the time after which all messages from now on expire, or print it.",
            discussion: "Admins set it. `tombolo send --expires` sets a shorter time for one message.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "A time such as 12h, 7d or 4w, or never. Without it, the setting is printed.") var time: String?

        func run() async throws {
            guard let time else {
                return try await options.withReader { node in
                    print(try await findGroup(group, node).state.expiry?.inWords ?? "never")
                }
            }
            let duration = time == "never" ? nil : try parseDuration(time)
            try await options.withNode { node in try await findGroup(group, node).setExpiry(duration) }
        }
    }

    struct Keep: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how much of a group this device keeps, or print it.",
            discussion: """
                This device alone drops contents beyond a bound, the first to arrive first. It keeps its own. It stays \
                in sync, and does not fetch dropped contents again. With --all it keeps everything, and fetches what \
                peers still have.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Option(
            help: "The time to keep a content after its arrival, or after the first setting: such as 12h, 7d or 4w.",
            transform: parseDuration) var age: Duration?
        @Option(help: "The number of messages of others to keep.") var count: Int?
        @Option(help: "The bytes of others to keep, such as 500K or 20M.", transform: parseSize) var size: UInt64?
        @Flag(help: "Keep everything.") var all = false

        func validate() throws {
            guard !all || age == nil && count == nil && size == nil else {
                throw ValidationError("--all keeps everything: leave out the other options")
            }
            guard count ?? 1 > 0, size ?? 1 > 0 else { throw ValidationError("--count and --size must be above 0") }
        }

        func run() async throws {
            let retention = Retention(
                age: age, count: count,
                bytes: size.map { Int(clamping: $0) })
            guard all || retention != .everything else {
                return try await options.withReader { node in print(try await findGroup(group, node).retention.inWords)
                }
            }
            try await options.withNode { node in
                let group = try await findGroup(group, node)
                try await group.setRetention(retention)
                print(try await group.retention.inWords)
            }
        }
    }
}

extension Retention {
    fileprivate var inWords: String {
        let bounds = [
            age.map { "contents that arrived within \($0.inWords)" },
            count.map { "the latest \($0) messages of others" },
            bytes.map { "the latest \(inBytes(UInt64($0))) of others" },
        ].compactMap(\.self)
        return bounds.isEmpty ? "everything" : bounds.joined(separator: ", of these ")
    }
}
