import Foundation
import Synchronization

/// The user's input: byte by byte on a terminal, line by line elsewhere.
enum TerminalInput {
    enum Event: Sendable {
        /// A key was pressed, for the first time in three seconds.
        case typing
        case line(String)
    }

    private struct State {
        var original: termios?
        var text: [UInt8] = []
    }

    private static let state = Mutex(State())

    /// The text of the line that is being typed.
    static var text: String { state.withLock { String(decoding: $0.text, as: UTF8.self) } }

    /// The events until the input ends, or until Ctrl-C or Ctrl-D.
    static func events() -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(256))
        let isTerminal = isatty(STDIN_FILENO) == 1
        if isTerminal { begin() }
        Thread.detachNewThread {
            if isTerminal {
                readKeys(continuation)
            } else {
                while let line = readLine() { continuation.yield(.line(line)) }
            }
            continuation.finish()
        }
        return stream
    }

    /// Asks for a text that is not shown while it is typed; nil if there is no terminal.
    static func secret(_ prompt: String) -> String? {
        guard isatty(STDIN_FILENO) == 1 else { return nil }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else { return nil }
        FileHandle.standardError.write(Data(prompt.utf8))
        var line: [UInt8] = []
        var byte: UInt8 = 0
        typing: while read(STDIN_FILENO, &byte, 1) == 1 {
            switch byte {
            case 10, 13, 4: break typing
            case 3, 26, 28:
                // An interrupt restores the terminal.
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
                FileHandle.standardError.write(Data("\n".utf8))
                exit(130)
            case 8, 127:
                while let last = line.popLast(), last & 0xc0 == 0x80 {}
            default: line.append(byte)
            }
        }
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        FileHandle.standardError.write(Data("\n".utf8))
        return String(decoding: line, as: UTF8.self)
    }

    private static func begin() {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        state.withLock { $0.original = settings }
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Restores the terminal.
    static func restore() {
        guard var settings = state.withLock({ $0.original }) else { return }
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    private static func readKeys(_ continuation: AsyncStream<Event>.Continuation) {
        var lastNotice = Date.distantPast
        while true {
            var byte: UInt8 = 0
            guard read(STDIN_FILENO, &byte, 1) == 1, byte != 3, byte != 4 else { return }
            switch byte {
            case 10, 13:
                let line = text
                state.withLock { $0.text = [] }
                continuation.yield(.line(line))
            case 8, 127:
                // One character may be several bytes.
                state.withLock { state in
                    while let last = state.text.popLast(), last & 0xc0 == 0x80 {}
                }
            case 0..<32: continue
            default: state.withLock { $0.text.append(byte) }
            }
            ChatScreen.redraw()
            if byte >= 32, Date().timeIntervalSince(lastNotice) > 3 {
                lastNotice = Date()
                continuation.yield(.typing)
            }
        }
    }
}

/// Prints lines above the line that is being typed.
actor ChatScreen {
    private static let isTerminal = isatty(STDOUT_FILENO) == 1
    private static let clearLine = "\r\u{1b}[K"

    func print(_ line: String) {
        guard Self.isTerminal else { return Swift.print(line) }
        Self.write(Self.clearLine + line + "\n> " + TerminalInput.text)
    }

    /// Shows a note beside the line that is being typed, until the line is drawn again.
    func note(_ text: String) {
        guard Self.isTerminal else { return }
        Self.write(Self.clearLine + "> " + TerminalInput.text + "   (" + text + ")\u{1b}[\(text.count + 5)D")
    }

    static func redraw() {
        guard isTerminal else { return }
        write(clearLine + "> " + TerminalInput.text)
    }

    private static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
