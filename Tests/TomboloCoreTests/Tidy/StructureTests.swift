import Testing

@Suite("The core keeps its walls")
struct StructureTests {
    private let parts = [
        "frontiers": "FrontierExchange", "outbox": "Outbox", "inbox": "Inbox", "secrets": "SecretExchange",
        "contents": "ContentExchange", "roots": "RootExchange",
    ]

    @Test("no folder refers to one above it")
    func upwardReferences() throws {
        let files = try SourceTree.files(in: "Sources/TomboloCore")
        #expect(files.count > 100)
        #expect(CoreStructure.upwardReferences(in: files) == [])
    }

    @Test("no type has more than 25 stored properties")
    func largeTypes() throws {
        let files = try SourceTree.files(in: "Sources")
        #expect(CoreStructure.largeTypes(in: files) == [])
    }

    @Test("machines get their store from the batch")
    func stores() throws {
        let files = try SourceTree.files(in: "Sources/TomboloCore")
        #expect(CoreStructure.bareStoreParameters(in: files) == [])
    }

    @Test("the state of a group session's part is used in the part's own files")
    func intrusions() throws {
        let files = try SourceTree.files(in: "Sources/TomboloCore/Sync")
        #expect(CoreStructure.intrusions(in: files, parts: parts) == [])
    }

    // Each rule finds a planted example: a lint that finds nothing is no lint.

    @Test("a planted reference upward is found")
    func plantedReference() {
        let files = [
            SourceTree.File(path: "Sources/TomboloCore/Sync/Session.swift", text: "struct Session {}"),
            SourceTree.File(path: "Sources/TomboloCore/Replica/Replica.swift", text: "func f(_ session: Session) {}"),
        ]
        #expect(
            CoreStructure.upwardReferences(in: files)
                == ["Sources/TomboloCore/Replica/Replica.swift refers to Session of Sync/"])
        let strange = [SourceTree.File(path: "Sources/TomboloCore/Attic/Box.swift", text: "struct Box {}")]
        #expect(CoreStructure.upwardReferences(in: strange).count == 1)
    }

    @Test("a planted large type is found, and its computed properties are not counted")
    func plantedType() {
        let stored = (0..<26).map { "    private(set) var p\($0) = \($0)" }
        let computed = (0..<30).map { "    var c\($0): Int { \($0) }" }
        func file(_ properties: [String]) -> SourceTree.File {
            SourceTree.File(
                path: "Sources/X/Large.swift",
                text: "struct Large {\n" + (properties + computed).joined(separator: "\n") + "\n}\n")
        }
        #expect(CoreStructure.largeTypes(in: [file(stored)]) == ["Sources/X/Large.swift: Large has 26"])
        #expect(CoreStructure.largeTypes(in: [file(Array(stored.dropLast()))]) == [])
    }

    @Test("a planted bare store is found, but not in the store's own folder")
    func plantedStore() {
        let text = "func f(_ store: any EventStore) {}"
        let files = ["Sync", "Store", "Engine"].map {
            SourceTree.File(path: "Sources/TomboloCore/\($0)/A.swift", text: text)
        }
        #expect(CoreStructure.bareStoreParameters(in: files) == ["Sources/TomboloCore/Sync/A.swift"])
    }

    @Test("a planted intrusion is found")
    func plantedIntrusion() {
        let files = [
            SourceTree.File(
                path: "Sources/TomboloCore/Sync/Outbox.swift", text: "struct Outbox {\n    var plan = 1\n}"),
            SourceTree.File(path: "Sources/TomboloCore/Sync/Inbox.swift", text: "let a = outbox.plan"),
        ]
        #expect(
            CoreStructure.intrusions(in: files, parts: ["outbox": "Outbox"])
                == ["Sources/TomboloCore/Sync/Inbox.swift uses outbox.plan"])
    }
}
