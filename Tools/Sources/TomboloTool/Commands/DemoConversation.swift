import Foundation

/// The conversation that the demo splits over three devices, and where it comes from.
struct DemoConversation {
    /// The fewest entries of a demo. A shallow clone has a single commit.
    private static let fewestEntries = 60
    /// The most entries that are taken from the end of a long history.
    private static let mostEntries = 20_000
    /// The fewest authors: one for each device.
    private static let fewestAuthors = 3

    private(set) var source: ConversationFile
    /// A phrase that names where the conversation comes from.
    private(set) var origin: String

    /// Uses the named file, else the history of the git checkout here, else a conversation that is made up.
    init(named path: String?) throws {
        if let path {
            (source, origin) = (try ConversationFile(path: path), path)
            return
        }
        let history = try? ConversationFile(gitRepository: ".", revisions: ["HEAD"], latest: Self.mostEntries)
        if let history, history.lines.count >= Self.fewestEntries {
            (source, origin) = (history, "the git history of this checkout")
            dealOutToEnoughAuthors()
        } else {
            let reason =
                history.map { "the git history here has only \($0.lines.count) of the \(Self.fewestEntries) commits" }
                ?? "there is no git history here"
            (source, origin) = (ConversationFile(lines: Self.madeUp(600)), "made up, since \(reason)")
        }
    }

    /// Assigns the entries of a history by one or two authors to three names in turn.
    private mutating func dealOutToEnoughAuthors() {
        let authors = Set(source.lines.map(\.author)).count
        guard authors < Self.fewestAuthors else { return }
        for index in source.lines.indices {
            source.lines[index].author += " \(index % Self.fewestAuthors + 1)"
        }
        origin += ", whose \(authors == 1 ? "one author's" : "two authors'") commits go to three names in turn"
    }

    /// A conversation without randomness: seven authors on two threads that sometimes join.
    private static func madeUp(_ count: Int) -> [ExportedEntry] {
        let words = "the tide covers a bar of sand for half of the day and nobody waits for the ferry"
            .split(separator: " ")
        return (0..<count).map { number in
            let parents: [Int] =
                switch number {
                case 0: []
                case 1: [0]
                case _ where number % 10 == 0: [number - 1, number - 2]
                default: [number - 2]
                }
            let text = (0...(number * 7 % 12)).map { words[(number * 5 + $0 * 3) % words.count] }
            return ExportedEntry(
                id: "\(number)", parents: parents.map(String.init),
                author: "author \(number * number % 7 + number % 3)", time: 1_700_000_000_000 + Int64(number) * 60_000,
                text: text.joined(separator: " "))
        }
    }
}
