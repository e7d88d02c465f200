import Foundation
import Testing

@Suite("Bundles, on the command line") struct BundleStoryTests {
    @Test("two people who have met once talk by memory stick; who joined reads nothing from before")
    func byHand() throws {
        try withDirectory { root in
            let (ann, ben) = (
                Tool(directory: root.appendingPathComponent("ann")), Tool(directory: root.appendingPathComponent("ben"))
            )
            for tool in [ann, ben] { try tool.succeed("init") }
            try ann.succeed("group", "create", "crew", "--policy", "private-from-joining")
            try ann.succeed("send", "from before")
            var running = try ann.start("run")
            running.stop()
            let link = try ann.succeed("group", "invite", "--address", "127.0.0.1:\(running.port)").lines[0]
            running = try ann.start("run", "--port", "\(running.port)")
            try ben.succeed("group", "join", String(link))
            running.stop()
            try ann.succeed("send", "the tide is out")
            let (one, two) = (
                root.appendingPathComponent("1.bundle").path, root.appendingPathComponent("2.bundle").path
            )
            let written = try ann.succeed("bundle", "write", one).output
            #expect(written.contains(" events, ") && written.contains("kB"))
            let read = try ben.succeed("bundle", "read", one).output
            #expect(read.hasPrefix("crew: ") && read.contains("new events"))
            try ben.succeed("send", "and comes in")
            try ben.succeed("bundle", "write", two, "--for", one, "--json")
            #expect(try ann.succeed("bundle", "read", two, "--json").output.contains(#""isComplete":true"#))
            #expect(try ann.succeed("log").output.contains("and comes in"))
            // What was said before it was known whose device reads it comes with the answer.
            let three = root.appendingPathComponent("3.bundle").path
            #expect(try ann.succeed("bundle", "write", three, "--for", two).output.contains(" secrets, "))
            try ben.succeed("bundle", "read", one, three)
            let log = try ben.succeed("log").output
            #expect(log.contains("the tide is out") && !log.contains("from before"))
            // What is not a bundle, of another group, in the way, cut off, or changed.
            #expect(try ann("bundle", "write", one).status == 2)
            let whole = try Data(contentsOf: URL(fileURLWithPath: one))
            let bad = root.appendingPathComponent("bad.bundle")
            try whole.dropLast(3).write(to: bad)
            let cut = try ben("bundle", "read", bad.path)
            #expect(cut.status == 2 && cut.errors.contains("ends before its first part"))
            var changed = whole
            changed[whole.count - 5] ^= 1
            try changed.write(to: bad)
            let damaged = try ben("bundle", "read", bad.path)
            #expect(damaged.status == 2 && damaged.errors.contains("is damaged at byte 64"))
            try Data("hello".utf8).write(to: bad)
            #expect(try ben("bundle", "read", bad.path).errors.contains("is not a bundle"))
            let cat = Tool(directory: root.appendingPathComponent("cat"))
            try cat.succeed("init")
            let stranger = try cat("bundle", "read", one)
            #expect(stranger.status == 2 && stranger.errors.contains("none of the groups on this device"))
        }
    }
}
