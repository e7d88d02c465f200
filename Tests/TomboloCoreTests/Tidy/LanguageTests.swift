import Testing

@Suite("The project speaks plain English")
struct LanguageTests {
    /// Documents that are printed by programs, whose lines are as long as what was printed.
    private let printed: Set<String> = ["docs/guide.md", "docs/reconciliation.md"]

    private func documents() throws -> [SourceTree.File] {
        let names: Set<String> = [
            "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
        ]
        return try SourceTree.files(in: "", extensions: ["md"]).filter {
            (names.contains($0.path) || $0.path.hasPrefix("docs/")) && !printed.contains($0.path)
        }
    }

    @Test("no sentence of the documents has to be decoded")
    func documentSentences() throws {
        let files = try documents()
        #expect(files.count > 25)
        for file in files { #expect(try Language.decodedSubjects(in: file.text, isCode: false) == [], "\(file.path)") }
    }

    @Test("no sentence of the core's comments has to be decoded")
    func comments() throws {
        for file in try SourceTree.files(in: "Sources/TomboloCore") {
            #expect(try Language.decodedSubjects(in: file.text, isCode: true) == [], "\(file.path)")
        }
    }

    @Test("documents wrap at 120 columns")
    func columns() throws {
        for file in try documents() { #expect(Language.wideLines(in: file.text) == [], "\(file.path)") }
    }

    @Test(
        "a planted sentence is found",
        arguments: [
            "Who has the key can read it.", "The key is here. What is sealed stays so.", "- Whoever joins is told.",
            "What a device keeps is its own business.",
        ])
    func plantedSentence(_ text: String) throws {
        #expect(try Language.decodedSubjects(in: text, isCode: false).count == 1)
        #expect(try Language.decodedSubjects(in: "    /// " + text, isCode: true).count == 1)
    }

    @Test("questions, headings and code are left alone")
    func innocent() throws {
        for text in ["Who is there?", "# What is new", "```\nWhat is this\n```", "Only whoever asks is told."] {
            #expect(try Language.decodedSubjects(in: text, isCode: false) == [])
        }
        #expect(try Language.decodedSubjects(in: "let text = \"Who is it\"", isCode: true) == [])
    }

    @Test("a planted wide line is found, and a table is not")
    func plantedLine() {
        let words = String(repeating: "word ", count: 25)
        #expect(Language.wideLines(in: "short\n" + words).count == 1)
        #expect(Language.wideLines(in: "| " + words + " |\n```\n" + words + "\n```").isEmpty)
    }
}
