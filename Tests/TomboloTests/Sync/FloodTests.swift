#if os(Linux)
    import Foundation
    import Synchronization
    import TestSupport
    import Testing
    import Tombolo
    import TomboloCore
    import TomboloCrypto
    import TomboloNIO

    /// Hands everything on, and remembers the latest connection.
    private final class Capture: ConnectionHandler {
        private let handler: any ConnectionHandler
        private let latest = Mutex<(any Connection)?>(nil)
        let closings: AsyncStream<Void>
        private let closing: AsyncStream<Void>.Continuation

        init(_ handler: any ConnectionHandler) {
            self.handler = handler
            (closings, closing) = AsyncStream.makeStream(of: Void.self)
        }

        var connection: (any Connection)? { latest.withLock { $0 } }

        func opened(_ connection: any Connection) {
            latest.withLock { $0 = connection }
            handler.opened(connection)
        }
        func received(_ payload: [UInt8], on connection: any Connection) { handler.received(payload, on: connection) }
        func closed(_ connection: any Connection) {
            handler.closed(connection)
            closing.yield()
        }
    }

    /// A member of a group whose engine says hello, and which then sends what the test likes.
    private final class CaptureBox: Sendable {
        let capture = Mutex<Capture?>(nil)
    }

    private struct Flooder {
        let node: Node
        let capture: Capture
        let victim: DeviceKey
        let address: String

        init(_ directory: URL, victim: DeviceKey, port: Int) async throws {
            let box = CaptureBox()
            let provider = TransportProvider { context in
                let capture = Capture(context.handler)
                box.capture.withLock { $0 = capture }
                return try TCPTransport(identity: context.identity, handler: capture)
            }
            node = try await Node.open(at: directory, configuration: .init(transports: [provider]))
            capture = try #require(box.capture.withLock { $0 })
            self.victim = victim
            address = "127.0.0.1:\(port)"
        }

        /// Connects, waits until both are in sync, and sends payloads until there are no more or the victim hangs up.
        func flood(_ payloads: some Sequence<Payload>) async throws {
            try await node.connect(to: victim, at: address)
            for await progress in node.progress() where !progress.groupsInSync.isEmpty { break }
            let connection = try #require(capture.connection)
            let closed = Task { [closings = capture.closings] in
                for await _ in closings { return }
            }
            let isClosed = Mutex(false)
            let watch = Task {
                await closed.value
                isClosed.withLock { $0 = true }
            }
            for payload in payloads {
                if isClosed.withLock({ $0 }) { break }
                connection.send(payload.encoded)
                await Task.yield()
            }
            connection.close()
            await watch.value
        }
    }

    @Suite("Floods from a member over real sockets")
    struct FloodTests {
        private func log(_ number: Int) -> [UInt8] { SwiftCryptography().sha256(Array("log \(number)".utf8)).bytes }

        private func payload(junk: Int = 0, _ change: (inout GroupSync) -> Void) -> Payload {
            var payload = Payload()
            var sync = GroupSync(number: 0)
            change(&sync)
            payload.groups = [sync]
            if junk > 0 {
                payload.unknownFields.append(
                    field: 9_999, bytes: (0..<junk).map { UInt8(truncatingIfNeeded: $0 &* 0x9e37_79b9 >> 7) })
            }
            return payload
        }

        /// Frontiers whose end never comes.
        private var frontiers: some Sequence<Payload> {
            (0..<2_000).lazy.map { part in
                payload {
                    var bytes: [UInt8] = [3]
                    for entry in 0..<50 {
                        let number = part * 50 + entry
                        bytes.append(varint: number)
                        bytes += log(number)
                        bytes += [1, 0, 64]
                        for end in 0..<64 {
                            bytes.append(varint: end + 1)
                            bytes.append(varint: end + 1)
                            bytes += [UInt8](repeating: UInt8(end), count: 8)
                        }
                    }
                    $0.frontier = bytes[...]
                }
            }
        }

        /// A window of tiny events, each in a payload that is mostly something else.
        private var pinned: some Sequence<Payload> {
            (0..<4_000).lazy.map { part in
                payload(junk: 60_000) {
                    var bytes: [UInt8] = [part == 0 ? 1 : 0]
                    bytes += [3]
                    bytes.append(varint: part)
                    bytes += log(part)
                    bytes += [5]
                    bytes += [UInt8](repeating: 1, count: 32)
                    bytes += [9, 0, 0, 0]
                    $0.events = bytes[...]
                }
            }
        }

        /// Logs that do not exist are announced, and everything is wanted in pieces.
        private var announcements: some Sequence<Payload> {
            (0..<1_000).lazy.map { part in
                payload {
                    var have: [UInt8] = []
                    for entry in 0..<60 {
                        have.append(varint: part * 60 + entry)
                        have += log(part * 60 + entry) + [0, 9] + [UInt8](repeating: 3, count: 8)
                    }
                    $0.have = have[...]
                    var want: [UInt8] = [0]
                    for range in 0..<256 {
                        want.append(varint: range % (60 * (part + 1)))
                        want.append(varint: 2 * range + 1)
                        want.append(varint: 2 * range + 1)
                    }
                    $0.want = want[...]
                }
            }
        }

        @Test("memory stays bounded, the store sound, and everyone else's sync goes on", .timeLimit(.minutes(5)))
        func floods() async throws {
            try await withDirectory { root in
                let victim = root.appendingPathComponent("victim")
                let (honest, hostile) = (root.appendingPathComponent("honest"), root.appendingPathComponent("hostile"))
                let a = try await Node.open(at: victim)
                let key = a.device
                let crew = try await a.createGroup(named: "crew")
                try await a.listen()
                for directory in [honest, hostile] {
                    let node = try await Node.open(at: directory)
                    _ = try await node.join(try await crew.invite())
                    try await node.close()
                }
                for number in 0..<100 { try await crew.send(PlainText("\(number)")) }
                try await a.close()
                // In a process of its own, whose memory can be told.
                let (process, output) = try CrashTestProcess.start(["serve", victim.path])
                defer { process.terminate() }
                let port = try #require(Int(try CrashTestProcess.line(output)))
                let flooder = try await Flooder(hostile, victim: key, port: port)
                let friend = try await Node.open(at: honest)
                let joined = try #require(try await friend.groups.first)
                for (round, flood) in [Array(frontiers.prefix(900)), Array(pinned.prefix(2_000)), Array(announcements)]
                    .enumerated()
                {
                    async let flooding: Void = flooder.flood(flood)
                    try await joined.send(PlainText("meanwhile \(round)"))
                    let report = try await friend.sync(with: key, at: "127.0.0.1:\(port)")
                    #expect(report.isComplete)
                    try await flooding
                }
                let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
                let peak = try #require(line.split(separator: " ").compactMap { Int($0) }.first)
                #expect(peak < 200_000, "\(peak) KiB were resident")
                print("floods: at most \(peak / 1_024) MiB resident")
                try await flooder.node.close()
                try await friend.close()
                process.terminate()
                process.waitUntilExit()
                let again = try await Node.open(at: victim)
                #expect(try await again.groups.first?.verify().isEmpty == true)
                #expect(try await again.groups.first?.status.delivered == 103)
                try await again.close()
            }
        }
    }
#endif
