import Dispatch
import Synchronization

/// Runs what an application does, and knows whether any of it is running or waits for a processor.
final class CountingExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "tombolo.simulation", attributes: .concurrent)
    private let jobs = Atomic<Int>(0)

    /// What runs, and what could.
    var count: Int { jobs.load(ordering: .acquiring) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.add(1, ordering: .acquiringAndReleasing)
        queue.async {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
            self.jobs.subtract(1, ordering: .acquiringAndReleasing)
        }
    }
}
