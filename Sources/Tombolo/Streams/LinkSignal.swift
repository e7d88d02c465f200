import Synchronization

/// Wakes one waiter when links or peers may have changed, or when a time has come.
final class LinkSignal: Sendable {
    private struct State {
        var hasNews = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func tell() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            state.hasNews = state.waiter == nil
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at the next signal, after `patience`, or when the task is cancelled.
    func next(within patience: Duration, by clock: any NodeClock) async {
        let timer = Task {
            // A cancelled timer wakes nobody: the waiter sets the next one.
            if (try? await clock.sleep(for: patience)) != nil { tell() }
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.hasNews || Task.isCancelled {
                        state.hasNews = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            tell()
        }
    }
}
