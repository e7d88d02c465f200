import Dispatch

/// Runs the replica's jobs one after the other beside Swift's own threads, which are as few as processors: whoever waits for the
/// disk must not hold them up.
final class ReplicaExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "tombolo.replica", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
