import Dispatch

/// An executor of the runtime's jobs, one after the other, outside of Swift's own threads. There are as many of those
/// as processors, and a job that waits for the disk must not block one.
final class RuntimeExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "tombolo.runtime", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
