import Foundation
import Testing

@Suite("Forgetting, on the command line") struct CheckpointStoryTests {
    @Test("what was taken back is forgotten once both members have passed a checkpoint, and what was not is there")
    func forgotten() throws {
        try withInviter { ann, ben, link, port in
            for number in 1...3 {
                try ann.succeed("send", "number \(number)")
                let event = try ann.succeed("log").lines.last?.prefix(8) ?? ""
                try ann.succeed("redact", String(event))
            }
            try ann.succeed("send", "stays")
            var running = try ann.start("run", "--port", port)
            try ben.succeed("group", "join", link)
            try ben.succeed("sync")
            #expect(try ben.succeed("log").output.components(separatedBy: "(redacted)").count == 4)
            let refused = try ben("group", "checkpoint", "--propose")
            #expect(refused.status != 0 && refused.errors.contains("ask an admin"))
            running.stop()
            #expect(try ann.succeed("group", "checkpoint").output == "0 events are forgotten here\n")
            #expect(
                try ann.succeed("group", "checkpoint", "--propose").output.contains(
                    "1 of 2 members have passed it, not yet "))
            running = try ann.start("run", "--port", port)
            try ben.succeed("sync")
            running.stop()
            for tool in [ann, ben] {
                #expect(try tool.succeed("log").lines.count == 1)
                let shown = try tool.succeed("group", "checkpoint").output
                #expect(
                    shown.contains("2 of 2 members have passed it\n") && shown.contains(" events are forgotten here"))
                let forgotten = try #require(shown.split(separator: "\n").last?.split(separator: " ").first)
                #expect(try #require(Int(forgotten)) >= 3)
                #expect(try tool.succeed("group", "checkpoint", "--json").output.contains("\"awaited\":[]"))
                try tool.succeed("verify")
            }
            let again = try ann("group", "checkpoint", "--propose")
            #expect(again.status != 0 && again.errors.contains("nothing to forget"))
        }
    }
}
