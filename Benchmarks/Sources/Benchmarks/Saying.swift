import Tombolo

extension SyncGroup {
    /// Sends `count` texts of `bytes` bytes each, 1,024 at a time.
    func say(_ count: Int, bytes: Int, seed: UInt64, expiring: Duration? = nil) async throws {
        var generator = SplitMix(seed: seed)
        for first in stride(from: 0, to: count, by: 1_024) {
            // The envelope takes six bytes of the content.
            let texts = (first..<min(count, first + 1_024)).map { _ in text(of: bytes - 6, &generator) }
            try await withThrowingTaskGroup { tasks in
                for text in texts { tasks.addTask { _ = try await self.send(PlainText(text), expiring: expiring) } }
                try await tasks.waitForAll()
            }
        }
    }
}
