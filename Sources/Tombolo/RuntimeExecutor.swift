import Dispatch

/// Runs the runtime's jobs one after the other, beside Swift's own threads. These are as few as processors, and a job that
/// waits for the disk must not hold them up.
final class RuntimeExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "tombolo.runtime", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
