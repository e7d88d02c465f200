import Foundation
import Testing

@Suite("What a device keeps, on the command line") struct KeepStoryTests {
    @Test(
        "a phone keeps the latest of what others say, stays in sync, and gets the rest back when it is to keep everything"
    )
    func phone() throws {
        try withDirectory { root in
            let (ann, ben) = (
                Tool(directory: root.appendingPathComponent("ann")), Tool(directory: root.appendingPathComponent("ben"))
            )
            for tool in [ann, ben] { try tool.succeed("init") }
            try ann.succeed("group", "create", "crew")
            for number in 1...6 { try ann.succeed("send", "number \(number)") }
            var running = try ann.start("run")
            running.stop()
            let link = try ann.succeed("group", "invite", "--address", "127.0.0.1:\(running.port)").lines[0]
            running = try ann.start("run", "--port", "\(running.port)")
            try ben.succeed("group", "join", String(link))
            try ben.succeed("sync")
            #expect(try ben.succeed("group", "keep").output == "everything\n")
            #expect(try ben.succeed("group", "keep", "--count", "2").output == "the latest 2 messages of others\n")
            let log = try ben.succeed("log").output
            #expect(log.components(separatedBy: "(not kept here)").count == 5)
            #expect(log.contains("number 5") && log.contains("number 6") && !log.contains("number 4"))
            try ben.succeed("sync")
            #expect(try ben.succeed("log").output == log)
            #expect(try ben.succeed("group", "keep", "--all").output == "everything\n")
            try ben.succeed("sync")
            #expect(try ben.succeed("log").output.components(separatedBy: "number ").count == 7)
            running.stop()
            #expect(try ben("group", "keep", "--all", "--count", "2").status != 0)
            #expect(try ben("group", "keep", "--count", "0").status != 0)
            #expect(try ben.succeed("group", "keep", "--age", "4w", "--size", "20M").output.contains("within 4w"))
        }
    }
}
