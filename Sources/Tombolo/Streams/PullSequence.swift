import Synchronization

/// A sequence whose elements are read on demand. Each iteration has a cursor of its own.
///
/// All streams of this module are of this type or an `AsyncStream`; callers see `some AsyncSequence<…> & Sendable`.
struct PullSequence<Element: Sendable, Failure: Error>: AsyncSequence, Sendable {
    typealias Pull = @Sendable () async throws(Failure) -> Element?

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let pull: Pull
        mutating func next() async throws(Failure) -> Element? { try await pull() }
        mutating func next(isolation: isolated (any Actor)?) async throws(Failure) -> Element? { try await pull() }
    }

    private let begin: @Sendable () -> Pull

    /// - Parameter begin: makes the cursor of one iteration.
    init(_ begin: @escaping @Sendable () -> Pull) { self.begin = begin }

    func makeAsyncIterator() -> Iterator { Iterator(pull: begin()) }
}

extension PullSequence where Failure == TomboloError {
    /// Creates a sequence with a value now and after each signal. A slow reader misses values, never the latest.
    ///
    /// - Parameters:
    ///   - signals: subscribes to the signals; the sequence throws the error of a failed subscription.
    ///   - readsFirst: true to read a value before the first signal.
    ///   - isSame: tells whether a value equals the one before, and is skipped.
    ///   - read: reads the value after a signal.
    init<Signal: Sendable>(
        signals: @escaping @Sendable () throws -> AsyncStream<Signal>, readsFirst first: Signal? = nil,
        skipping isSame: @escaping @Sendable (Element, Element) -> Bool = { _, _ in false },
        read: @escaping @Sendable (Signal) async throws -> Element
    ) {
        self.init {
            let cursor = SignalCursor<Signal, Element>(signals: signals, first: first, isSame: isSame, read: read)
            return { () async throws(TomboloError) in try await cursor.next() }
        }
    }
}

/// A cursor that reads a value for each signal.
private actor SignalCursor<Signal: Sendable, Element: Sendable> {
    private let subscribe: @Sendable () throws -> AsyncStream<Signal>
    private let isSame: @Sendable (Element, Element) -> Bool
    private let read: @Sendable (Signal) async throws -> Element
    private var first: Signal?
    private var latest: Element?
    private var signals: AsyncStream<Signal>.AsyncIterator?

    init(
        signals: @escaping @Sendable () throws -> AsyncStream<Signal>, first: Signal?,
        isSame: @escaping @Sendable (Element, Element) -> Bool,
        read: @escaping @Sendable (Signal) async throws -> Element
    ) {
        self.isSame = isSame
        subscribe = signals
        self.first = first
        self.read = read
    }

    func next() async throws(TomboloError) -> Element? {
        do {
            // Listening begins before reading, so that nothing falls in between.
            if signals == nil { signals = try subscribe().makeAsyncIterator() }
            while let signal = await nextSignal() {
                let element = try await read(signal)
                if let latest, isSame(latest, element) { continue }
                latest = element
                return element
            }
            return nil
        } catch is CancellationError {
            return nil
        } catch {
            throw TomboloError(error)
        }
    }

    private func nextSignal() async -> Signal? {
        if let signal = first.take() { return signal }
        var iterator = signals
        let signal = await iterator?.next(isolation: self)
        signals = iterator
        return signal
    }
}
