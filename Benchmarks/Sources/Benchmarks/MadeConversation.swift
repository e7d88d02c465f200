/// An entry of a conversation, as a line of JSON has it.
struct ConversationLine: Decodable {
    let id: String
    let parents: [String]
    let author: String
    /// Milliseconds since 1970.
    let time: Int64
    let text: String
}

/// A conversation that stands in for a real one: the same seed makes the same conversation.
///
/// Its shape is that of the real conversation in `docs/measurements.md`: 12,540 entries of 157 authors, five roots,
/// and about 23 merges in 100 entries. Its texts are made of words and numbers, 153 bytes on average.
struct MadeConversation {
    private static let authors: UInt64 = 157
    private static let roots = 5

    private var generator: SplitMix
    private var heads: [Int] = []

    static func lines(count: Int, seed: UInt64) -> [ConversationLine] {
        var conversation = MadeConversation(generator: SplitMix(seed: seed))
        let distance = max(1, count / roots)
        return (0..<count).map { number in
            let isRoot = number % distance == 0 && number / distance < roots
            return conversation.line(number, isRoot: isRoot)
        }
    }

    private mutating func line(_ number: Int, isRoot: Bool) -> ConversationLine {
        let parents = isRoot ? [] : nextParents(of: number)
        heads.removeAll { parents.contains($0) }
        heads.append(number)
        // The lower of two draws: a few authors write most.
        let author = min(draw(below: Self.authors), draw(below: Self.authors))
        let length = 20 + Int(draw(below: 267))
        return ConversationLine(
            id: "\(number)", parents: parents.map(String.init), author: "author \(author)",
            time: 1_700_000_000_000 + Int64(number) * 60_000, text: text(of: length, &generator))
    }

    /// Two heads, an older entry (which leaves a head more), or one head.
    private mutating func nextParents(of number: Int) -> [Int] {
        if heads.count > 1, draw(below: 10) < 6 {
            let first = Int(draw(below: UInt64(heads.count)))
            let second = (first + 1 + Int(draw(below: UInt64(heads.count - 1)))) % heads.count
            return [heads[first], heads[second]]
        }
        if draw(below: 100) < 34 { return [number - 1 - Int(draw(below: UInt64(min(number, 50))))] }
        return [heads[Int(draw(below: UInt64(heads.count)))]]
    }

    private mutating func draw(below bound: UInt64) -> UInt64 { generator.next() % bound }
}
