import Foundation
import Tombolo

/// A chat in a few lines: what is said while nobody is connected reaches everybody later.
///
///     swift run SmallChat DIRECTORY            begins a group and prints how to join it
///     swift run SmallChat DIRECTORY LINK       joins it from another directory or machine
@main struct SmallChat {
    struct Line: EventContent, Codable {
        static let type = "line"
        static let version = 1
        var name: String
        var text: String
    }

    static func main() async {
        do {
            try await chat()
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(2)
        }
    }

    static func chat() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 2 else {
            print("usage: SmallChat DIRECTORY [LINK]")
            exit(2)
        }
        let node = try await Node.open(at: URL(fileURLWithPath: arguments[1], isDirectory: true))
        try await node.listen()
        let group =
            if arguments.count > 2 {
                try await node.join(InvitationLink(arguments[2]))
            } else if let known = try node.groups.first {
                known
            } else {
                try await node.createGroup(named: "chat")
            }
        print("others join with:\n\(try await group.invite())\n")
        fflush(nil)

        let running = Task { try await node.run() }
        let printing = Task {
            for try await change in group.changes() {
                guard let line = try change.entry.content(as: Line.self) else { continue }
                print("\(line.name): \(line.text)")
                fflush(nil)
            }
        }
        let name = ProcessInfo.processInfo.environment["USER"] ?? "somebody"
        let lines = AsyncStream<String> { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
        for await text in lines where !text.isEmpty {
            try await group.send(Line(name: name, text: text))
        }
        running.cancel()
        printing.cancel()
        try await node.close()
    }
}
