/// The contents of other devices that a device keeps in a group (protocol 2.10-1).
///
/// A dropped content's event is still held. So the device stays in sync, and asks no peer for the content. It keeps the
/// contents of its own logs.
public struct Retention: Hashable, Sendable {
    /// The time for which a content is kept; nil for ever. It is positive, and counts as a minute if it is shorter.
    ///
    /// It begins when the content arrives or when an age is first set, whichever is later.
    public var age: Duration?
    /// The number of contents that are kept, the latest to arrive; nil for all, else at least 1.
    public var count: Int?
    /// The bytes of contents that are kept, the latest to arrive; nil for all, else at least 1.
    public var bytes: Int?

    public init(age: Duration? = nil, count: Int? = nil, bytes: Int? = nil) {
        (self.age, self.count, self.bytes) = (age, count, bytes)
    }

    /// Keeps all contents. This is the default.
    public static let everything = Retention()
}
