import Dispatch
import Foundation

/// SIGINT and SIGTERM as a request to stop, from when this is made on: one that comes before anybody waits is not lost.
struct StopSignals {
    private let stream: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    /// Returns once both are listened for.
    init() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGINT, SIGTERM] {
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            await withCheckedContinuation { registered in
                source.setRegistrationHandler {
                    // kqueue tells of a signal beside what else becomes of it. On Linux the source takes it for itself: who ignores it before
                    // the source stands loses it, and who does so behind that takes it away.
                    #if canImport(Darwin)
                        signal(number, SIG_IGN)
                    #endif
                    registered.resume()
                }
                source.resume()
            }
            sources.append(source)
        }
        (self.stream, self.sources) = (stream, sources)
    }

    /// Returns when one comes, or came.
    func wait() async {
        for await _ in stream { break }
        for source in sources { source.cancel() }
    }
}
