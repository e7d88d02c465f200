import Dispatch
import Synchronization

/// An executor of an application's jobs. It counts the jobs that run or wait for a processor.
final class CountingExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "tombolo.simulation", attributes: .concurrent)
    private let jobs = Atomic<Int>(0)

    /// The number of jobs that run or wait for a processor.
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
