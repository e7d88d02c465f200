import Foundation
import Testing

@Suite("The command line, as a new user goes through it")
struct StoryTests {
    @Test("two devices: make, invite, join, say, sync, look, verify")
    func twoDevices() throws {
        try withDirectory { root in
            let (a, b) = (
                Tool(directory: root.appendingPathComponent("a")), Tool(directory: root.appendingPathComponent("b"))
            )
            try a.succeed("init")
            try a.succeed("group", "create", "crew")
            try a.succeed("send", "--name", "ann", "the tide is out")
            let port = try freePort(a)
            let link = try a.succeed("group", "invite", "--address", "127.0.0.1:\(port)").lines[0]
            try b.succeed("init")
            let running = try a.start("run", "--port", "\(port)")
            defer { running.stop() }
            #expect(try b.succeed("group", "join", String(link)).output.contains("joined crew, 1 entries"))
            let id = try b.succeed("send", "--name", "bob", "coming").lines[0]
            let sync = try b.succeed("sync", "--explain").output
            #expect(sync.contains("1 groups in sync") && sync.contains("crew: agreement, 1 logs, "))
            #expect(sync.contains("since both devices remember when they last held the same"))
            struct Explained: Decodable {
                struct Row: Decodable {
                    let strategy: String
                    let roundTrips: Int
                }
                let reconciliations: [Row]
            }
            let again = try b.succeed("sync", "--explain", "--json").output
            let row = try JSONDecoder().decode(Explained.self, from: Data(again.utf8)).reconciliations[0]
            #expect(row.strategy == "comparison of roots" && row.roundTrips == 1)
            // Beside the running process.
            let log = try a.succeed("log").lines
            #expect(log.count == 2)
            #expect(log[0].hasSuffix("ann: the tide is out") && log[1].hasSuffix("bob: coming"))
            #expect(try a.succeed("log", "--graph").output.contains("bob: coming"))
            #expect(try a.succeed("why", String(id.prefix(8))).output.contains("held and delivered"))
            #expect(try a("why", "0000").status == 1)
            for device in [a, b] { #expect(try device.succeed("verify").output == "crew: 2 events verified\n") }
            #expect(try a.succeed("status", "--json").output == b.succeed("status", "--json").output)
            #expect(try b.succeed("peer", "list").output.contains("127.0.0.1:\(port)"))
            // The directory is the running process's: whoever would write is told so.
            let busy = try a("send", "me too")
            #expect(busy.status == 2 && busy.errors.contains("another process uses"))
        }
    }

    @Test("a second device: linked, in step, named, lost, removed")
    func devices() throws {
        try withDirectory { root in
            let (phone, laptop, friend) = (
                Tool(directory: root.appendingPathComponent("phone")),
                Tool(directory: root.appendingPathComponent("laptop")),
                Tool(directory: root.appendingPathComponent("friend"))
            )
            for device in [phone, friend] { try device.succeed("init") }
            try phone.succeed("group", "create", "crew", "--policy", "private")
            try phone.succeed("send", "--name", "ann", "the tide is out")
            #expect(try phone.succeed("device", "list").output.contains("this one, the first"))
            let port = try freePort(phone)
            let address = "127.0.0.1:\(port)"
            let link = try phone.succeed("device", "link", "--address", address, "--name", "phone").lines[0]
            let invitation = try phone.succeed("group", "invite", "--address", address).lines[0]
            var running = try phone.start("run", "--port", "\(port)")
            try friend.succeed("group", "join", String(invitation))
            let wrong = try friend("device", "join", String(link))
            #expect(wrong.status == 2 && wrong.errors.contains("groups of its own"))
            let linked = try laptop.succeed("device", "join", String(link), "--name", "laptop").output
            #expect(linked == "linked: 2 devices, 1 groups\ncrew, 0 unread\n")
            try laptop.succeed("send", "--name", "ann", "from the laptop")
            try laptop.succeed("sync")
            #expect(try laptop.succeed("device", "list").lines.count == 2)
            running.stop()
            #expect(try phone.succeed("log").lines.last?.hasSuffix("ann: from the laptop") == true)
            #expect(try phone.succeed("device", "list").output.contains(" laptop  last heard of "))
            let removal = try phone.succeed("device", "remove", "laptop").lines[0]
            #expect(removal.hasPrefix("tombolo:removal?"))
            #expect(try phone.succeed("device", "list").output.contains(", removed"))
            let again = try phone("device", "remove", "laptop")
            #expect(again.status == 2 && again.errors.contains("no such device of yours, or it was removed"))
            #expect(try phone("device", "remove", "tablet").status == 2)
            running = try phone.start("run", "--port", "\(port)")
            defer { running.stop() }
            try laptop.succeed("send", "--name", "thief", "hello from your friend")
            for device in [laptop, friend, laptop] { try device.succeed("sync") }
            let refused = try laptop("send", "me again")
            #expect(refused.status == 2 && refused.errors.contains("was removed by another one of yours"))
            #expect(try !friend.succeed("log").output.contains("hello from your friend"))
            try friend.succeed("group", "create", "boats")
            try friend.succeed("device", "post", "--group", "boats", String(removal))
            #expect(try friend("device", "post", "--group", "boats", "tombolo:removal?AAAA").status == 2)
            for device in [phone, friend] { try device.succeed("verify") }
        }
    }

    @Test("a drill, a damaged store, and a backup that is put back")
    func recovery() throws {
        try withDirectory { root in
            let (a, b) = (
                Tool(directory: root.appendingPathComponent("a/data")),
                Tool(directory: root.appendingPathComponent("b/data"))
            )
            try a.succeed("init")
            try a.succeed("group", "create", "crew")
            // Long ones, so that most pages of the database are theirs.
            let filler = String(repeating: "x", count: 8_000)
            for number in 0..<20 { try a.succeed("send", "--name", "ann", "number \(number) \(filler)") }
            let port = try freePort(a)
            let link = try a.succeed("group", "invite", "--address", "127.0.0.1:\(port)").lines[0]
            try b.succeed("init")
            let running = try a.start("run", "--port", "\(port)")
            defer { running.stop() }
            try b.succeed("group", "join", String(link))
            #expect(try b.succeed("recover").output.contains("nothing to recover"))
            let backup = root.appendingPathComponent("backup")
            try FileManager.default.copyItem(at: b.directory, to: backup)

            try b.succeed("send", "--name", "bob", "not there yet")
            let drill = try b("drill")
            #expect(drill.status == 1)
            #expect(drill.output.contains("20 of 21 came back") && drill.output.contains("1 would be lost"))
            try b.succeed("sync")
            #expect(try b.succeed("drill").output.contains("21 of 21 came back"))

            // The pages in the middle are gone.
            let database = b.directory.appendingPathComponent("tombolo.sqlite")
            let handle = try FileHandle(forUpdating: database)
            let size = try handle.seekToEnd()
            try handle.seek(toOffset: size * 6 / 10)
            try handle.write(contentsOf: Data(repeating: 0x5a, count: Int(size / 4)))
            try handle.close()
            let recovered = try b.succeed("recover").output
            #expect(
                recovered.contains("damaged: ")
                    && recovered.contains("Recovered: the device's keys, 1 groups, 1 peers"))
            #expect(try b.succeed("log", "--count", "100").lines.count == 21)
            #expect(try b.succeed("verify").output == "crew: 21 events verified\n")

            try FileManager.default.removeItem(at: b.directory)
            try FileManager.default.copyItem(at: backup, to: b.directory)
            let note = try b.succeed("send", "--name", "bob", "back from the backup").errors
            #expect(note.contains("put back or moved"))
            try b.succeed("sync")
            #expect(try b.succeed("log", "--count", "100").lines.count == 22)
            #expect(try b.succeed("status", "--json").output == a.succeed("status", "--json").output)
        }
    }

    @Test("a simulation is listed, run, replayed, read from a file")
    func simulation() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            #expect(try tool.succeed("simulate", "list").output.contains("faults"))
            let run = try tool.succeed("simulate", "calm", "--seed", "5").output
            #expect(run.contains("calm, seed 5: every promise was kept"))
            #expect(try tool.succeed("simulate", "calm", "--seed", "5").output == run)
            let file = root.appendingPathComponent("mine.json")
            try Data(#"{"name": "mine", "devices": 3, "messages": 5, "duration": 5000}"#.utf8).write(to: file)
            #expect(try tool.succeed("simulate", file.path, "--seeds", "3").output.contains("3 runs of mine kept"))
            try Data(#"{"name": "mine", "devices": 1, "messages": 5}"#.utf8).write(to: file)
            let alone = try tool("simulate", file.path)
            #expect(alone.status == 2 && alone.errors.contains("2 to 10,000 devices"))
            #expect(try tool("simulate", "nothing").status == 2)
            let toml = root.appendingPathComponent("mine.toml")
            try Data("name = 'mine'\ndevices = 3\nmessages = 5\n[conditions]\nlatency = [1, 2]\n".utf8).write(to: toml)
            #expect(try tool.succeed("simulate", toml.path, "--strategy", "range").output.contains("by range"))
            #expect(try tool("simulate", toml.path, "--strategy", "nonsense").status == 2)
            let page = root.appendingPathComponent("report.html")
            let compared = try tool.succeed("simulate", "compare", toml.path, "--report", page.path).output
            #expect(compared.contains("tombolo") && compared.contains("bloom"))
            #expect(try String(contentsOf: page, encoding: .utf8).contains("</svg>"))
        }
    }

    @Test("what is exported is what was imported")
    func exportImport() throws {
        try withDirectory { root in
            let file = root.appendingPathComponent("conversation.jsonl")
            let lines = (0..<300).map { number in
                let parents = [number - 1, number - 7].filter { $0 >= 0 }.map { "\"\($0)\"" }.joined(separator: ",")
                return
                    #"{"id":"\#(number)","parents":[\#(parents)],"author":"a\#(number % 5)","time":\#(number),"text":"says \#(number) “…”"}"#
            }
            try Data(lines.joined(separator: "\n").utf8).write(to: file)
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            try tool.succeed("group", "create", "talk")
            #expect(try tool.succeed("import", file.path).output == "300 entries imported\n")
            struct Line: Decodable {
                let id: String
                let parents: [String]
                let author: String
                let time: Int
                let text: String
            }
            let exported = try tool.succeed("export").lines.map {
                try JSONDecoder().decode(Line.self, from: Data($0.utf8))
            }
            #expect(Set(exported.map(\.text)) == Set((0..<300).map { "says \($0) “…”" }))
            #expect(exported.allSatisfy { $0.author == "a\($0.time % 5)" && $0.text == "says \($0.time) “…”" })
            var seen: Set<String> = []
            for line in exported {
                #expect(line.parents.allSatisfy(seen.contains), "causes first")
                seen.insert(line.id)
            }
            // And in again, on another device: each exported entry names its causes by the exported ids.
            let again = Tool(directory: root.appendingPathComponent("b"))
            try Data(try tool.succeed("export").output.utf8).write(to: file)
            try again.succeed("init")
            try again.succeed("group", "create", "talk")
            #expect(try again.succeed("import", file.path).output == "300 entries imported\n")
            #expect(try again.succeed("verify").output == "talk: 300 events verified\n")
        }
    }

    @Test("a git history becomes a conversation")
    func gitHistory() throws {
        try withDirectory { root in
            let repository = root.appendingPathComponent("repository").path
            func git(_ arguments: String...) throws {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments =
                    ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.org"] + arguments
                process.standardOutput = FileHandle.nullDevice
                process.standardError = FileHandle.nullDevice
                try process.run()
                process.waitUntilExit()
                try #require(process.terminationStatus == 0)
            }
            try git("init", "-q", "-b", "main", repository)
            for text in ["one", "two"] { try git("-C", repository, "commit", "-q", "--allow-empty", "-m", text) }
            try git("-C", repository, "checkout", "-q", "-b", "side", "HEAD~1")
            try git("-C", repository, "commit", "-q", "--allow-empty", "-m", "aside")
            try git("-C", repository, "merge", "-q", "--no-ff", "-m", "joined", "main")
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            try tool.succeed("group", "create", "history")
            #expect(try tool.succeed("import", "--git", repository).output == "4 entries imported\n")
            #expect(try tool.succeed("log").output.contains("ann: joined"))
        }
    }

    @Test("who is told to stop as soon as it has said where it listens stops, and cleanly")
    func stopping() throws {
        try withDirectory { root in
            let tool = Tool(directory: root.appendingPathComponent("a"))
            try tool.succeed("init")
            for _ in 0..<20 { try tool.start("run").stop() }
        }
    }

    /// A port that was free a moment ago.
    private func freePort(_ tool: Tool) throws -> Int {
        let running = try tool.start("run")
        defer { running.stop() }
        return running.port
    }

    @Test("members: invite, remove, hold back, undo; state; what one may not do")
    func members() throws {
        try withDirectory { root in
            let names = ["a", "b", "c"]
            let devices = names.map { Tool(directory: root.appendingPathComponent($0)) }
            let (a, b, c) = (devices[0], devices[1], devices[2])
            for device in devices { try device.succeed("init") }
            try a.succeed("group", "create", "crew", "--policy", "private")
            let port = try freePort(a)
            let address = "127.0.0.1:\(port)"
            let links = try ["member", "admin"].map {
                String(try a.succeed("group", "invite", "--role", $0, "--address", address).lines[0])
            }
            try a.succeed("group", "invite", "--uses", "3", "--address", address)
            let open = try a.succeed("group", "invitations").lines
            #expect(open.count == 3)
            let several = try #require(open.first { $0.hasSuffix("used by 0 of 3") })
            try a.succeed("group", "revoke", String(several.prefix(8)))
            #expect(try a("group", "revoke", String(several.prefix(8))).errors.contains("there is no invitation"))
            let running = try a.start("run", "--port", "\(port)")
            defer { running.stop() }
            try b.succeed("group", "join", links[0])
            try c.succeed("group", "join", links[1])
            #expect(try a.succeed("group", "invitations", "--json").lines.isEmpty)
            let bob = String(try b.succeed("id").lines[1].dropFirst(7))
            try b.succeed("send", "hello")
            for device in [b, c] { try device.succeed("sync") }
            #expect(try c.succeed("member", "remove", String(bob.prefix(8))).output == "\(bob.prefix(8)) is removed\n")
            // Said without knowing of it, and shown until the news comes.
            try b.succeed("send", "late")
            #expect(try b.succeed("log").lines.count == 2)
            for device in [b, c, b] { try device.succeed("sync") }
            for device in devices { #expect(try device.succeed("log").lines.count == 1) }
            #expect(try b.succeed("export").lines.count == 1)
            let refused = try b("send", "more")
            #expect(refused.status == 2 && refused.errors.contains("an admin can admit you"))
            #expect(try c.succeed("member", "list").output.contains("\(bob) removed"))
            let among = try c.succeed("send", "among us").lines[0]
            for device in [c, b] { try device.succeed("sync") }
            #expect(try b.succeed("log").lines.count == 1)
            #expect(try b.succeed("why", String(among.prefix(8))).output.contains("waits for the secret"))
            #expect(try a.succeed("log").output.contains("among us"))
            try c.succeed("state", "set", "title", "The crew")
            #expect(try b("state", "set", "title", "Mine").status == 2)
            try c.succeed("member", "set", bob, "member")
            for device in [c, b] { try device.succeed("sync") }
            #expect(try b.succeed("log").lines.count == 3)
            #expect(try b.succeed("state", "list").output == "title: The crew\n")
            try b.succeed("group", "leave")
            #expect(try b("send", "gone").status == 2)
            for device in devices { try device.succeed("verify") }
            #expect(try b("member", "set", "zz", "member").errors.contains("no member's key begins with zz"))
            #expect(try a("member", "set", bob, "boss").status == 2)
        }
    }

    @Test("keys are locked by a passphrase, asked for, changed, and locked no more")
    func passphrase() throws {
        try withDirectory { folder in
            let device = Tool(directory: folder.appendingPathComponent("a"))
            try device.succeed("init")
            try device.succeed("group", "create", "crew", "--policy", "private")
            try device.succeed("send", "--name", "ann", "between us")
            let (old, new, empty) = (
                folder.appendingPathComponent("old").path, folder.appendingPathComponent("new").path,
                folder.appendingPathComponent("empty").path
            )
            try "low tide\nand more\n".write(toFile: old, atomically: true, encoding: .utf8)
            try "high tide".write(toFile: new, atomically: true, encoding: .utf8)
            try "\n".write(toFile: empty, atomically: true, encoding: .utf8)
            #expect(try device.succeed("passphrase").output.contains("not locked"))
            #expect(try device("passphrase", "set").errors.contains("--new-passphrase-file"))
            #expect(try device("passphrase", "set", "--new-passphrase-file", empty).status == 2)
            try device.succeed("passphrase", "set", "--new-passphrase-file", old)
            #expect(try device.succeed("passphrase", "show", "--json").output == "{\"isLocked\":true}\n")
            for command in [["log"], ["send", "x"], ["status"], ["drill"], ["recover", "--force"]] {
                let refused = try Tool.run(command, directory: device.directory)
                #expect(refused.status == 2 && refused.errors.contains("--passphrase-file"), "\(command)")
            }
            let wrong = try device("log", "--passphrase-file", new)
            #expect(wrong.status == 2 && wrong.errors.contains("that is not the passphrase"))
            #expect(try device("log", "--passphrase-file", folder.path).errors.contains("cannot be read"))
            #expect(try device.succeed("log", "--passphrase-file", old).output.contains("ann: between us"))
            try device.succeed("passphrase", "set", "--passphrase-file", old, "--new-passphrase-file", new)
            #expect(try device("log", "--passphrase-file", old).status == 2)
            try device.succeed("send", "--name", "ann", "still", "--passphrase-file", new)
            // Nothing to sync with: but the store was made anew, and is locked.
            #expect(try device("recover", "--force", "--passphrase-file", new).status != 2)
            #expect(try device("log").status == 2)
            #expect(try device.succeed("log", "--passphrase-file", new).lines.count == 2)
            try device.succeed("passphrase", "remove", "--passphrase-file", new)
            #expect(try device.succeed("log").lines.count == 2)
        }
    }

    @Test("what goes away: after a time, or taken back; who has said so; what one may not do")
    func erasure() throws {
        try withDirectory { root in
            let (a, b) = (
                Tool(directory: root.appendingPathComponent("a")), Tool(directory: root.appendingPathComponent("b"))
            )
            try a.succeed("init")
            try a.succeed("group", "create", "crew")
            #expect(try a.succeed("group", "expiry").output == "never\n")
            let port = try freePort(a)
            let link = try a.succeed("group", "invite", "--address", "127.0.0.1:\(port)").lines[0]
            try b.succeed("init")
            let running = try a.start("run", "--port", "\(port)")
            defer { running.stop() }
            try b.succeed("group", "join", String(link))
            try b.succeed("send", "--name", "bob", "hello")
            let address = try b.succeed("send", "--name", "bob", "I live at 7 Pier Road").lines[0]
            let code = try b.succeed("send", "--name", "bob", "--expires", "1s", "the code is 4711").lines[0]
            try b.succeed("sync")
            #expect(try a.succeed("log").lines.count == 3)
            #expect(
                try b.succeed("redact", String(address.prefix(8)), "--reason", "not for everyone").output
                    == "\(address.prefix(8)) is redacted\n")
            try b.succeed("sync")
            for device in [a, b] {
                let log = try device.succeed("log").lines
                #expect(log[0].hasSuffix("bob: hello") && log[1].hasSuffix("bob: (redacted)"))
                let why = try device.succeed("why", String(address)).output
                #expect(why.contains("erased") && why.contains("not for everyone"))
                #expect(why.contains("has confirmed the erasure"))
            }
            // Sooner or later its second is over.
            var log = ""
            while !log.contains("bob: (expired)") { log = try b.succeed("log").output + b.succeed("sync").output }
            #expect(try b.succeed("why", String(code)).output.contains("  expires "))
            struct Row: Decodable {
                let isErased: Bool
                let redactions: [Redaction]
                struct Redaction: Decodable {
                    let reason: String
                    let stands: Bool
                }
            }
            let json = try b.succeed("why", "--json", String(address)).output
            let row = try JSONDecoder().decode(Row.self, from: Data(json.utf8))
            #expect(row.isErased && row.redactions.map(\.reason) == ["not for everyone"] && row.redactions[0].stands)
            #expect(try b.succeed("export").output.contains("(redacted)"))
            let again = try b("redact", String(address))
            #expect(again.status == 2 && again.errors.contains("already"))
            #expect(try b("redact", "0000").errors.contains("no event that begins with 0000"))
            #expect(try b("group", "expiry", "7d").status == 2)
            for time in ["7", "d", "0s", "1.5h", "9999999999999w"] {
                let bad = try b("send", "--expires", time, "x")
                #expect(bad.status == 2 && bad.errors.contains("is not a time such as"), "\(time)")
            }
            for device in [a, b] { try device.succeed("verify") }
            running.stop()
            try a.succeed("group", "expiry", "90m")
            #expect(try a.succeed("group", "expiry").output == "90m\n")
            try a.succeed("group", "expiry", "never")
        }
    }
}
