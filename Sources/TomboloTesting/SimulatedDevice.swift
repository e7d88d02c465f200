public import Foundation
import Synchronization
public import Tombolo
import TomboloCore

/// A device of a ``NodeSimulation``: a node with a real store in a directory of its own, and the application on it.
public final class SimulatedDevice: Sendable {
    /// The application, which runs on the device from each start to the next crash. A test can run a part of it. The
    /// directory belongs to the application and outlives crashes.
    public typealias Application = @Sendable (_ node: Node, _ directory: URL) async throws -> Void

    private struct State {
        var node: Node?
        var key: DeviceKey?
        var tasks: [Task<Void, Never>] = []
    }

    public let name: String
    /// The application's directory.
    public let directory: URL
    let storeDirectory: URL
    let clock: DeviceClock
    private let application: Application
    private let state = Mutex(State())

    init(name: String, in root: URL, clock: DeviceClock, application: @escaping Application) throws {
        self.name = name
        self.clock = clock
        self.application = application
        directory = root.appendingPathComponent("\(name)/application", isDirectory: true)
        storeDirectory = root.appendingPathComponent("\(name)/store", isDirectory: true)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    /// The running node.
    ///
    /// - Throws: ``NodeSimulationError`` while the device is down.
    public var node: Node {
        get throws {
            guard let node = running else { throw NodeSimulationError("\(name) has crashed and has not started again") }
            return node
        }
    }

    var running: Node? { state.withLock { $0.node } }
    /// The device's key, which is known from the first start on.
    var key: DeviceKey? { state.withLock { $0.key } }
    var host: String { "\(name.replacingOccurrences(of: " ", with: "-")).simulated" }
    var address: String { "\(host):1" }

    /// Opens the node, listens, stays connected to its peers, and runs the application.
    func start(
        over network: MemoryNetwork, on executor: CountingExecutor, failed: @escaping @Sendable (any Error) -> Void
    ) async throws {
        let node = try await Node.open(
            at: storeDirectory,
            configuration: Node.Configuration(transports: [network.provider], clock: clock))
        try await node.listen(host: host, port: 1)
        state.withLock { state in
            state.node = node
            state.key = node.device
        }
        let works: [@Sendable () async throws -> Void] = [
            { try await node.run() }, { [application, directory] in try await application(node, directory) },
        ]
        let tasks = works.map { work in
            Task(executorPreference: executor) {
                do {
                    try await work()
                } catch {
                    // Errors of a device that is being killed do not count.
                    if !Task.isCancelled { failed(error) }
                }
            }
        }
        state.withLock { $0.tasks = tasks }
    }

    /// Kills the process: nothing is sent, synced or noted. Returns when nothing of it runs any more.
    func crash(on network: MemoryNetwork) async throws {
        try await stop { node in
            network.remove(node.device)
            try await node.abandon()
        }
    }

    /// Stops the device in order.
    func close() async throws { try await stop { try await $0.close() } }

    private func stop(_ how: (Node) async throws -> Void) async throws {
        let (node, tasks) = state.withLock { state in
            defer { (state.node, state.tasks) = (nil, []) }
            return (state.node, state.tasks)
        }
        guard let node else { return }
        for task in tasks { task.cancel() }
        try await how(node)
        for task in tasks { await task.value }
    }
}
