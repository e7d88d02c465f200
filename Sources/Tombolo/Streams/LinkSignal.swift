import Synchronization

/// A signal that wakes one waiter when links or peers may have changed, or after a time.
final class LinkSignal: Sendable {
    private struct State {
        var isSignalled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func notify() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            state.isSignalled = state.waiter == nil
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at the next signal, after `patience`, or when the task is cancelled.
    func next(within patience: Duration, by clock: any NodeClock) async {
        let timer = Task {
            // A cancelled timer wakes no waiter, since the waiter sets the next one.
            if (try? await clock.sleep(for: patience)) != nil { notify() }
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isSignalled || Task.isCancelled {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            notify()
        }
    }
}
