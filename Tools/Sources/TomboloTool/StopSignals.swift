import Dispatch
import Foundation

/// Requests to stop by SIGINT or SIGTERM. A signal that arrives before ``wait()`` is not lost.
struct StopSignals {
    private let stream: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    /// Returns once both signals are handled.
    init() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGINT, SIGTERM] {
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            await withCheckedContinuation { registered in
                source.setRegistrationHandler {
                    // kqueue reports a signal in addition to its default action, which must be ignored. On Linux the
                    // source handles the signal itself, and ignoring it would take it away.
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

    /// Returns at the first signal, also if it has already arrived.
    func wait() async {
        for await _ in stream { break }
        for source in sources { source.cancel() }
    }
}
