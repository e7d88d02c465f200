import Foundation
import Testing

@Suite("The demo")
struct DemoTests {
    private func run(in directory: URL) throws -> Tool.Result {
        let result = try Tool.run(["demo"], workingDirectory: directory)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.hasSuffix("all three devices are equal\n"))
        return result
    }

    private func expectAll(_ count: Int, in result: Tool.Result) {
        let state = "\(count) held, \(count) delivered, 0 waiting, verified"
        #expect(result.output.components(separatedBy: state).count == 4, "\(result.output)")
    }

    private func git(_ arguments: String..., input: URL? = nil) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        process.standardInput = try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "git \(arguments)")
    }

    /// A checkout of `count` commits by one author: every tenth one merges the commit before its first parent.
    private func makeCheckout(_ count: Int, in root: URL) throws -> URL {
        let checkout = root.appendingPathComponent("checkout")
        try git("init", "-q", "-b", "main", checkout.path)
        let commits = (1...count).map { number in
            let person = "Ann <ann@example.org> \(1_700_000_000 + number) +0000"
            let parents = number == 1 ? "" : "from :\(number - 1)\n"
            let merge = number > 3 && number.isMultiple(of: 10) ? "merge :\(number - 3)\n" : ""
            let text = "Commit \(number)\n\nSecond paragraph"
            return
                "commit refs/heads/main\nmark :\(number)\nauthor \(person)\ncommitter \(person)\n"
                + "data \(text.utf8.count)\n\(text)\n\(parents)\(merge)\n"
        }
        let stream = root.appendingPathComponent("stream")
        try Data(commits.joined().utf8).write(to: stream)
        try git("-C", checkout.path, "fast-import", "--quiet", input: stream)
        return checkout
    }

    @Test("converges on a conversation that its user names")
    func named() throws {
        try withDirectory { root in
            let file = root.appendingPathComponent("conversation.jsonl")
            let lines = (0..<400).map { number in
                let parents = number > 0 ? "\"\(number - 1)\"" : ""
                return
                    #"{"id":"\#(number)","parents":[\#(parents)],"author":"a\#(number % 11)","time":\#(number),"text":"\#(number)"}"#
            }
            try Data(lines.joined(separator: "\n").utf8).write(to: file)
            let result = try Tool.run(["demo", "--conversation", file.path])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.hasSuffix("all three devices are equal\n"))
            expectAll(400, in: result)
        }
    }

    @Test("the history of the checkout is used, and a single author's commits go to three names")
    func checkout() throws {
        try withDirectory { root in
            let result = try run(in: try makeCheckout(80, in: root))
            #expect(result.output.contains("the git history of this checkout, whose one author's commits"))
            #expect(result.output.contains("80 events, 3 authors"))
            expectAll(80, in: result)
        }
    }

    @Test("takes what a shallow clone has, or makes a conversation up where that is too little")
    func shallow() throws {
        try withDirectory { root in
            let checkout = try makeCheckout(80, in: root)
            let clones = [70, 1].map { root.appendingPathComponent("clone-\($0)") }
            try git("clone", "-q", "--depth", "70", "file://\(checkout.path)", clones[0].path)
            try git("clone", "-q", "--depth", "1", "file://\(checkout.path)", clones[1].path)
            let result = try run(in: clones[0])
            #expect(result.output.contains("conversation: the git history of this checkout"))
            #expect(try run(in: clones[1]).output.contains("made up, since the git history here has only 1 of the 60"))
        }
    }

    @Test("makes a conversation up outside of a checkout, and says so")
    func elsewhere() throws {
        try withDirectory { root in
            let result = try run(in: root)
            #expect(result.output.contains("conversation: made up, since there is no git history here"))
            expectAll(600, in: result)
        }
    }
}
