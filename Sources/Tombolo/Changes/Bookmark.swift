/// A place in a group's change log on this device.
///
/// An application stores it in the transaction in which it applies a change, and continues from there after a restart.
/// A bookmark means nothing on another device, and nothing in another group.
public struct Bookmark: Hashable, Sendable, Codable {
    let number: Int64
    /// The place before the first change.
    public static let start = Bookmark(number: 0)
}
