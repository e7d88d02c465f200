import Foundation
import Testing

@Suite("Bad input on the command line")
struct BadInputTests {
    /// One clear sentence on standard error, exit code 2, nothing on standard output.
    private func expect(
        _ result: Tool.Result, says phrase: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(result.status == 2, sourceLocation: sourceLocation)
        #expect(result.output.isEmpty, sourceLocation: sourceLocation)
        #expect(result.errors.hasPrefix("error: "), "\(result.errors)", sourceLocation: sourceLocation)
        #expect(result.errors.contains(phrase), "\(result.errors)", sourceLocation: sourceLocation)
        #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)", sourceLocation: sourceLocation)
    }

    @Test("what names nothing that is there gets one sentence, and nothing is done")
    func names() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            expect(try tool("status"), says: "make one with `tombolo init`")
            try tool.succeed("init")
            expect(try tool("init"), says: "already")
            expect(try tool("send", "hello"), says: "there is no group yet")
            try tool.succeed("group", "create", "one")
            try tool.succeed("group", "create", "two")
            expect(try tool("send", "hello"), says: "choose one with --group")
            expect(try tool("send", "--group", "three", "hello"), says: "there is no group three")
            expect(try tool("group", "join", "tombolo:join?AQID"), says: "invitation")
            expect(try tool("group", "join", "https://example.org"), says: "invitation")
            expect(try tool("group", "create", "x", "--id", "12"), says: "add --mvds")
            expect(try tool("group", "create", "x", "--mvds", "--id", "12"), says: "64 hexadecimal digits")
            expect(try tool("peer", "add", "12", "localhost:1"), says: "12")
            expect(try tool("peer", "add", String(repeating: "ab", count: 32), "localhost"), says: "host:port")
            expect(try tool("sync"), says: "no peer's address is known")
            expect(try tool("why", "--group", "one", "zz"), says: "hexadecimal digits")
            expect(try tool("log", "--group", "one", "-n", "0"), says: "--count")
            expect(try tool("get", "--group", "one", "0000"), says: "see `tombolo file list`")
            let event = try tool.succeed("send", "--group", "one", "hello").lines[0]
            expect(try tool("get", "--group", "one", String(event)), says: "has no file")
            expect(try tool("send", "--group", "one", "--file", root.path), says: "is not a file: pack a folder")
            expect(try tool("send", "--group", "one", "--file", root.path + "/none"), says: "none")
            let size = try tool("file", "limit", "--quota", "much")
            #expect(size.status == 2 && size.errors.contains("such as 65536, 500K, 20M or 8G"))
            #expect(try tool.succeed("group", "list").lines.count == 2)
        }
    }

    @Test("a text that begins with a dash is sent, or the way to send it is shown")
    func dashes() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            try tool.succeed("group", "create", "talk")
            try tool.succeed("send", "-5 degrees at the pier")
            try tool.succeed("send", "- item", "--name", "Ann")
            try tool.succeed("send", "--", "-hello")
            let result = try tool("send", "-hello")
            #expect(result.status == 2 && result.output.isEmpty && result.errors.contains("write -- "))
            let log = try tool.succeed("log").output
            for text in ["-5 degrees at the pier", "- item", "-hello"] { #expect(log.contains(text), "\(log)") }
        }
    }

    @Test("a file that is wrong is named with its line and what is wrong there, and none of it is imported")
    func files() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            try tool.succeed("group", "create", "talk")
            let good = #"{"id":"1","parents":[],"author":"a","time":1,"text":"one"}"#
            let file = root.appendingPathComponent("lines.jsonl")
            // Lines of white space are skipped.
            try Data("\(good)\r\n\r\n  \n\t\n".utf8).write(to: file)
            let other = Tool(directory: root.appendingPathComponent("b"))
            try other.succeed("init")
            try other.succeed("group", "create", "talk")
            try other.succeed("import", file.path)
            #expect(try other.succeed("log").lines.count == 1)
            func importing(_ second: String) throws -> Tool.Result {
                try Data("\(good)\n\(second)\n".utf8).write(to: file)
                return try tool("import", file.path)
            }
            expect(try importing("nonsense"), says: "line 2")
            expect(try importing(#"{"id":"2","parents":[],"author":"a","time":1}"#), says: "text is missing")
            expect(try importing(#"{"id":"2","parents":[],"author":"a","time":"1","text":""}"#), says: "time")
            let fraction = #"{"id":"2","parents":[],"author":"a","time":1.5,"text":""}"#
            expect(try importing(fraction), says: "time is not a whole")
            expect(try importing(#"{"id":"2","parents":["9"],"author":"a","time":1,"text":""}"#), says: "its parent 9")
            expect(try importing(good), says: "twice")
            expect(try tool("import", root.appendingPathComponent("none").path), says: "is not a readable file")
            expect(try tool("import", "--git", root.path), says: "is not a git repository")
            expect(try tool("import"), says: "--git")
            #expect(try tool.succeed("status").output.contains("0 events held"))
        }
    }

    @Test("a port that is taken, a directory that cannot be made, a peer that is not there")
    func surroundings() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            let other = Tool(directory: root.appendingPathComponent("b"))
            try other.succeed("init")
            let running = try other.start("run")
            defer { running.stop() }
            expect(try tool("run", "--port", "\(running.port)"), says: "choose another address or port")
            let key = String(repeating: "ab", count: 32)
            let unreachable = try tool("sync", "--peer", key, "--at", "127.0.0.1:1")
            #expect(unreachable.status == 2 && unreachable.errors.contains("cannot reach 127.0.0.1:1"))
            let file = root.appendingPathComponent("file")
            try Data().write(to: file)
            expect(try Tool(directory: file.appendingPathComponent("x"))("init"), says: "file")
            let usage = try tool("sned", "hello")
            #expect(usage.status == 2 && usage.errors.contains("Usage:"))
        }
    }

    @Test("help and completions are there")
    func help() throws {
        let help = try Tool.run(["--help"])
        #expect(help.status == 0 && help.output.contains("tombolo init"))
        let completions = try Tool.run(["--generate-completion-script", "zsh"])
        #expect(completions.status == 0 && completions.output.contains("compdef"))
    }
}
