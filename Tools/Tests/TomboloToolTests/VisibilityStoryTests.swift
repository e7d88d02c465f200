import Foundation
import Testing

@Suite("Hiding a group, on the command line") struct VisibilityStoryTests {
    @Test("who only takes sends nothing, who is hidden is not there, and what is shared again comes")
    func hidden() throws {
        try withInviter { ann, ben, link, port in
            var running = try ann.start("run", "--port", port)
            try ben.succeed("group", "join", link)
            try ben.succeed("send", "hello")
            try ben.succeed("sync")
            running.stop()
            let members = try ann.succeed("member", "list").output.split(separator: "\n")
            let member = try #require(members.first { $0.hasSuffix(" member") }?.split(separator: " ").first)
            #expect(try ann.succeed("group", "visibility").output == "")
            let key = String(member.prefix(12))
            #expect(
                try ann.succeed("group", "visibility", key, "visible").output == "member \(member)  visible\n")
            try ann.succeed("send", "not for you")
            running = try ann.start("run", "--port", port)
            try ben.succeed("send", "for you")
            let sync = try ben.succeed("sync").output
            #expect(sync.contains("0 groups in sync, 1 in which one side only receives, "))
            running.stop()
            #expect(try ann.succeed("log").output.contains("for you"))
            #expect(try !ben.succeed("log").output.contains("not for you"))
            try ann.succeed("group", "visibility", key, "invisible")
            #expect(try ann.succeed("group", "visibility", key).output == "member \(member)  invisible\n")
            #expect(
                try ann.succeed("group", "visibility", "--json").output
                    == "{\"key\":\"\(member)\",\"kind\":\"member\",\"visibility\":\"invisible\"}\n")
            running = try ann.start("run", "--port", port)
            try ben.succeed("sync")
            running.stop()
            #expect(try !ben.succeed("log").output.contains("not for you"))
            try ann.succeed("group", "visibility", key, "shared")
            running = try ann.start("run", "--port", port)
            try ben.succeed("sync")
            running.stop()
            #expect(try ben.succeed("log").output.contains("not for you"))
            let own = try #require(members.first { $0.hasSuffix(" (you)") }?.prefix(12))
            let refused = try ann("group", "visibility", String(own), "invisible")
            #expect(refused.status != 0 && refused.errors.contains("your own devices"))
            #expect(try ann("group", "visibility", "zz", "visible").errors.contains("no contact's key begins with zz"))
            #expect(try ann("group", "visibility", key, "hidden").status != 0)
        }
    }
}
