import Foundation
import Tombolo

/// A chat in a few lines. Messages that are sent while no peer is connected reach the others later.
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

    private static func show(_ line: String) {
        print(line)
        fflush(nil)
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
            } else if let known = try await node.groups.first {
                known
            } else {
                try await node.createGroup(named: "chat")
            }
        print("others join with:\n\(try await group.invite())\n")
        fflush(nil)

        let running = Task { try await node.run() }
        let printing = Task {
            for try await change in group.changes(of: Line.self) {
                switch change {
                case .delivered(let line, _), .restored(let line, _): show("\(line.content.name): \(line.content.text)")
                case .withdrawn(let id, _), .erased(let id, _, _): show("(a line is gone: \("\(id)".prefix(8)))")
                case .undecodable(_, let error, _): show("(\(error))")
                case .forgotten: break
                }
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
