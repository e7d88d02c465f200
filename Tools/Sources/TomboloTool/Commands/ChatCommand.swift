import ArgumentParser
import Foundation
import Tombolo
import TomboloImport
import TomboloCore

/// A notice that a person is typing. No device stores it.
struct Typing: EventContent, Codable {
    static let type = "typing"
    static let version = 1
    var name: String
}

struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send and show messages live, and stay connected to peers.",
        discussion: """
            Type a line and press return; Ctrl-D or Ctrl-C ends. On a terminal, others see when you type. Messages \
            that you send while no peer is connected reach the others later.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: "Your name.") var name = ProcessInfo.processInfo.environment["USER"] ?? "somebody"
    @OptionGroup var listening: ListenOptions

    func run() async throws {
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            let port = try await listening.listen(node)
            let screen = ChatScreen()
            await screen.print("\(group.name.printable): listening on \(listening.host):\(port). Ctrl-D ends.")
            for entry in try await group.timeline(limit: 10) { await screen.print(await line(entry, group)) }
            let mark = try await group.readMark
            let last = try await group.changes(after: mark, limit: .max).last?.bookmark ?? mark
            let tasks = [
                Task { try await node.run() },
                Task { try await follow(group, after: last, screen) },
                Task { try await watchPeers(node, screen) },
                Task { try await watchTyping(group, screen) },
            ]
            for await input in TerminalInput.events() {
                do {
                    try await send(input, to: group)
                } catch let error as TomboloError where error.code == .contentTooLarge {
                    // The line is lost, and not the ones after it.
                    FileHandle.standardError.write(Data("error: \(error)\n".utf8))
                }
            }
            for task in tasks { task.cancel() }
            TerminalInput.restore()
        }
    }

    private func send(_ input: TerminalInput.Event, to group: SyncGroup) async throws {
        switch input {
        // Other MVDS implementations know no types: they would show such a notice as text.
        case .typing where group.dialect == .mvds: break
        case .typing: try await group.broadcast(Typing(name: name))
        case .line(let text) where text.isEmpty: break
        case .line(let text) where group.dialect == .mvds: _ = try await group.send(bytes: Data(text.utf8))
        case .line(let text): _ = try await group.send(Said(author: name, text: text))
        }
    }

    private func line(_ entry: Entry, _ group: SyncGroup) async -> String {
        var authors = Authors()
        return (try? await authors.export(entry, group)).map { "\($0.author.printable): \($0.text.printable)" } ?? ""
    }

    private func follow(_ group: SyncGroup, after bookmark: Bookmark, _ screen: ChatScreen) async throws {
        for try await change in group.changes(after: bookmark) {
            switch change {
            case .delivered(let entry, _): await screen.print(await line(entry, group))
            case .restored(let entry, _): await screen.print("* restored: \(await line(entry, group))")
            case .withdrawn(let id, _): await screen.print("* \("\(id)".prefix(8)) was withdrawn")
            case .erased(let id, let reason, _): await screen.print("* \("\(id)".prefix(8)) is gone \(reason.inWords)")
            case .forgotten: break
            }
            try await group.markRead(through: change.bookmark)
        }
    }

    private func watchPeers(_ node: Node, _ screen: ChatScreen) async throws {
        var known: Set<PeerID> = []
        for try await states in node.peerUpdates() {
            let connected = Set(states.filter(\.isConnected).map(\.id))
            for device in connected.subtracting(known) { await screen.print("* \("\(device)".prefix(8)) is connected") }
            for device in known.subtracting(connected) {
                await screen.print("* \("\(device)".prefix(8)) is disconnected")
            }
            known = connected
        }
    }

    private func watchTyping(_ group: SyncGroup, _ screen: ChatScreen) async throws {
        for await message in group.ephemeralMessages() {
            if let typing = message.content(as: Typing.self) {
                await screen.note("\(typing.name.printable) is typing…")
            }
        }
    }
}
