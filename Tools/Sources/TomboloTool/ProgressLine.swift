import Foundation
import Tombolo

/// A progress line on standard error. It is shown on a terminal only, and cleared at the end.
final class ProgressLine {
    private let isShown = isatty(2) == 1
    private var last = ContinuousClock.now
    private var isDirty = false

    /// Shows `text`, at most ten times a second.
    func show(_ text: @autoclosure () -> String) {
        let now = ContinuousClock.now
        guard isShown, now - last > .milliseconds(100) else { return }
        last = now
        isDirty = true
        FileHandle.standardError.write(Data("\r\u{1b}[K\(text())".utf8))
    }

    func clear() {
        guard isDirty else { return }
        isDirty = false
        FileHandle.standardError.write(Data("\r\u{1b}[K".utf8))
    }
}

/// Runs `body` while a line shows the bytes that the node sends and receives.
func withTraffic<Result>(of node: Node, _ body: () async throws -> Result) async throws -> Result {
    let progress = node.progress()
    let showing = Task {
        let line = ProgressLine()
        for await state in progress where !Task.isCancelled {
            line.show("\(megabytes(state.bytesReceived)) received, \(megabytes(state.bytesSent)) sent, uncompressed…")
        }
        line.clear()
    }
    defer { showing.cancel() }
    let result = try await body()
    showing.cancel()
    await showing.value
    return result
}

private func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1_000_000) }
