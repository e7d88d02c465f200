import Foundation

/// The rules of the project's English that a machine can check.
enum Language {
    /// Columns that a line of the documentation has at most. Tables, code, and lines that are one link may be longer.
    static let columns = 120

    private static let verbs =
        "is|are|was|were|be|has|have|had|can|may|must|will|does|did|do|knows?|holds?|says?|said|reads?|writes?|gets?|comes?|came|goes|"
        + "joins?|sends?|makes?|takes?|keeps?|runs?|wants?|needs?|asks?|brings?|stands?|follows?|waits?|begins?|lacks?|sees?"

    /// Sentences whose subject is "Who…", "Whoever…" or "What…": a reader has to decode them.
    static func decodedSubjects(in text: String, isCode: Bool) throws -> [String] {
        let start = isCode ? #"^\s*//[/:]?\s*(?:- (?:\w+(?: \w+)?: )?)?"# : #"^\s*(?:[-*>] |\d+\. )?"#
        let sentence = try Regex(
            "(?:\(start)|[.:!?] )(?:Who|Whom|Whoever|Whose|What|Whatever)(?: \\w+){0,3} (?:\(verbs))\\b")
        var found: [String] = []
        var isFenced = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if !isCode, line.hasPrefix("```") { isFenced.toggle() }
            guard !isFenced, !isCode || line.contains("//") else { continue }
            let comment = isCode ? line[(line.range(of: "//")?.lowerBound ?? line.startIndex)...] : line[...]
            // A question may begin so; a heading asks one.
            guard !comment.hasSuffix("?"), !comment.hasPrefix("#") else { continue }
            if comment.contains(sentence) { found.append("\(number + 1): \(comment.prefix(100))") }
        }
        return found
    }

    /// Lines of a Markdown document that are too wide to read.
    static func wideLines(in text: String) -> [String] {
        var isFenced = false
        var found: [String] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") { isFenced.toggle() }
            guard !isFenced, line.count > columns, !line.hasPrefix("|"), !line.hasPrefix("    "),
                !(line.hasPrefix("[") && !line.contains(". "))
            else { continue }
            found.append("\(number + 1): \(line.count) columns")
        }
        return found
    }
}
