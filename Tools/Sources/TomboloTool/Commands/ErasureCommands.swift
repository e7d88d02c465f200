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
    /// As ``parseDuration(_:)`` reads it.
    fileprivate var inWords: String {
        let seconds = components.seconds
        for (unit, length) in [("w", Int64(7 * 86_400)), ("d", 86_400), ("h", 3_600), ("m", 60)]
        where seconds >= length && seconds.isMultiple(of: length) { return "\(seconds / length)\(unit)" }
        return "\(seconds)s"
    }
}

struct Redact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take back what was said: its content goes away on every device.",
        discussion: """
            Yours always; that of others if you are an admin. It goes from a device's files as soon as the device hears of it; \
            `tombolo why` tells which have said that they have erased it. That something was said stays to be seen, and by whom.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: "Why, for everyone to read.") var reason = ""
    @Argument(help: "The event's id, or the first four digits of it or more.") var event: String

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
            abstract: "Say after what time everything said from now on goes away, or what holds now.",
            discussion: "Admins set it. `tombolo send --expires` makes it shorter for one message.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "A time such as 12h, 7d or 4w, or never. Left out: what holds now is printed.") var time:
            String?

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
            abstract: "Say how much of a group this device keeps, or what holds now.",
            discussion: """
                What is more than that is dropped here, the first to come first, and nowhere else; what you have said yourself is kept. \
                The device stays in sync and fetches nothing of it again. With --all it keeps everything, and gets back what peers have.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Option(
            help: "For how long after it has come, or after this was first set: such as 12h, 7d or 4w.",
            transform: parseDuration) var age: Duration?
        @Option(help: "How many messages of others.") var count: Int?
        @Option(help: "How much, such as 500K or 20M.", transform: parseSize) var size: UInt64?
        @Flag(help: "Everything.") var all = false

        func validate() throws {
            guard !all || age == nil && count == nil && size == nil else {
                throw ValidationError("--all is everything: leave the others out")
            }
            guard count ?? 1 > 0, size ?? 1 > 0 else { throw ValidationError("what is kept is more than nothing") }
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
            age.map { "what has come within \($0.inWords)" },
            count.map { "the latest \($0) messages of others" },
            bytes.map { "the latest \(inBytes(UInt64($0))) of others" },
        ].compactMap(\.self)
        return bounds.isEmpty ? "everything" : bounds.joined(separator: ", of that ")
    }
}
