/// The earlier of two times; the one that there is if the other is nil. It runs for every session of every batch, and
/// allocates nothing.
func earliest(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
    guard let one else { return other }
    guard let other else { return one }
    return min(one, other)
}
