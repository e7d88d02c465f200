extension Duration {
    /// The milliseconds of the duration, rounded up, and at most a hundred years.
    package var roundedMilliseconds: UInt64 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return UInt64(min(seconds, 3_155_760_000)) * 1_000 + UInt64(fraction)
    }
}
