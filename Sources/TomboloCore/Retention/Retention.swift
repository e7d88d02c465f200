/// How much of what others say in a group a device keeps. What it keeps no more it still knows of: it stays in sync, and asks nobody for it. What
/// it has said itself it keeps.
public struct Retention: Hashable, Sendable {
    /// For how long a content is kept after it has come here, or after an age was first set, whichever is later; nil for ever. More than nothing; what is
    /// less than a minute is a minute.
    public var age: Duration?
    /// How many contents of others are kept, the latest to come; nil for all. From 1.
    public var count: Int?
    /// Bytes of contents of others that are kept, of the latest to come; nil for all. From 1.
    public var bytes: Int?

    public init(age: Duration? = nil, count: Int? = nil, bytes: Int? = nil) {
        (self.age, self.count, self.bytes) = (age, count, bytes)
    }

    /// All of it, which is what a device keeps where nothing else was set.
    public static let everything = Retention()
}
