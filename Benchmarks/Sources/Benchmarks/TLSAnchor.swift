import ArgumentParser
import Foundation
import Synchronization
import Tombolo
import TomboloCore
import TomboloCrypto
import TomboloNIO

/// A handler that receives payloads and counts their bytes.
private final class Counter: ConnectionHandler {
    private let (stream, continuation) = AsyncStream.makeStream(of: (any Connection).self)
    private let left: Atomic<Int>
    let done: AsyncStream<Void>
    private let ended: AsyncStream<Void>.Continuation

    init(until bytes: Int) {
        left = Atomic(bytes)
        (done, ended) = AsyncStream.makeStream(of: Void.self)
    }

    var connections: AsyncStream<any Connection> { stream }

    func opened(_ connection: any Connection) {
        // The first payload is due within ten seconds, as in a session.
        connection.send([0])
        continuation.yield(connection)
    }

    func received(_ payload: [UInt8], on connection: any Connection) {
        connection.consumed(payload.count)
        if left.subtract(payload.count, ordering: .relaxed).newValue <= 0 { ended.yield() }
    }

    func closed(_ connection: any Connection) {}
}

private func transport(_ handler: Counter) throws -> (TCPTransport, DeviceKey) {
    let cryptography = SwiftCryptography()
    guard let seed = Bytes32((0..<32).map { _ in UInt8.random(in: 0...255) }) else { throw BenchmarkError("no seed") }
    let device = DeviceKey(cryptography.publicKey(of: cryptography.signingKey(seed: seed)))
    return (try TCPTransport(identity: TransportIdentity(device: device, seed: seed), handler: handler), device)
}

/// A process that listens, prints its address, and measures how long `bytes` bytes take from the first payload on.
struct TLSSink: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tls-sink", shouldDisplay: false)
    @Argument var bytes: Int

    func run() async throws {
        let counter = Counter(until: bytes)
        let (transport, device) = try transport(counter)
        let port = try await transport.listen(host: "127.0.0.1", port: 0)
        print("\(device) \(port)")
        fflush(nil)
        for await _ in counter.connections { break }
        let start = ContinuousClock.now
        for await _ in counter.done { break }
        print((ContinuousClock.now - start).inSeconds)
    }
}

/// A process that sends `bytes` incompressible bytes, in payloads as large as those of chunks.
struct TLSSource: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tls-source", shouldDisplay: false)
    @Argument var bytes: Int
    @Argument var peer: String
    @Argument var address: String

    func run() async throws {
        let counter = Counter(until: .max)
        let (transport, _) = try transport(counter)
        guard let key = DeviceKey(hex: peer) else { throw BenchmarkError("not a key: \(peer)") }
        guard let address = PeerAddress(address) else { throw BenchmarkError("not an address: \(address)") }
        try await transport.dial(address, expecting: key)
        var generator = SplitMix(seed: 1)
        let payload = (0..<65_600).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        for await connection in counter.connections {
            var left = bytes
            while left > 0 {
                // The bytes in flight are as many as a fetching device requests.
                guard connection.unsent < 4 << 20 else {
                    try await Task.sleep(for: .microseconds(200))
                    continue
                }
                connection.send(payload)
                left -= payload.count
            }
            while connection.unsent > 0 { try await Task.sleep(for: .milliseconds(1)) }
            break
        }
        print(String(decoding: try JSONEncoder().encode(Usage.own), as: UTF8.self))
        fflush(nil)
        // The last bytes are still in the socket's buffer.
        while readLine() != nil {}
    }
}
