/// A cell of a coded map: sums over the entries that belong to it.
///
/// If a cell differs between two maps by a single key's value, the difference of the cells yields that key. This is
/// one-sparse recovery in the cells of a rateless table. Sources: Ganguly, "Counting distinct items over update
/// streams", 2007; Cormode and Firmani, "A unifying framework for ℓ₀-sampling algorithms", 2014, §3.
public struct CodedEntries: Hashable, Sendable {
    /// The sum of the values, modulo 2⁶¹ − 1.
    public var sum: UInt64
    /// The sum of each value times its key, modulo 2⁶¹ − 1.
    public var moment: UInt64
    /// The sum of the keyed hashes of the entries, modulo 2³².
    public var checksum: UInt32

    @inlinable public init(sum: UInt64 = 0, moment: UInt64 = 0, checksum: UInt32 = 0) {
        (self.sum, self.moment, self.checksum) = (sum, moment, checksum)
    }

    @inlinable mutating func add(_ other: CodedEntries) {
        sum = PrimeField.add(sum, other.sum)
        moment = PrimeField.add(moment, other.moment)
        checksum &+= other.checksum
    }

    @inlinable mutating func subtract(_ other: CodedEntries) {
        sum = PrimeField.subtract(sum, other.sum)
        moment = PrimeField.subtract(moment, other.moment)
        checksum &-= other.checksum
    }

    @usableFromInline var isZero: Bool { sum == 0 && moment == 0 && checksum == 0 }

    // MARK: On the wire: sum ‖ moment ‖ checksum, little endian

    public static let byteCount = 20

    public func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: sum)
        bytes.append(littleEndian: moment)
        withUnsafeBytes(of: checksum.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// - Throws: ``ReconciliationError/malformed(offset:)``, also for numbers outside the field.
    public init(_ bytes: ArraySlice<UInt8>) throws(ReconciliationError) {
        let start = bytes.startIndex
        guard bytes.count == Self.byteCount else { throw .malformed(offset: start) }
        sum = UInt64(bytes: bytes[start..<start + 8])
        moment = UInt64(bytes: bytes[start + 8..<start + 16])
        checksum = bytes[(start + 16)...].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        guard sum < PrimeField.order, moment < PrimeField.order else { throw .malformed(offset: start) }
    }
}

/// Coded cells of a map, for two maps that share most keys and differ in some values.
///
/// They take a third fewer bytes than coded symbols of the entries, since a changed value is one difference, not two.
/// Keys and values are numbers from 1 to 2⁶¹ − 2.
public struct MapSketch: Sendable {
    let hashKey: SipHashKey
    /// The cells. The first one contains every entry.
    public private(set) var cells: [CodedEntries]

    /// - Parameters:
    ///   - count: the number of cells, at least 1.
    ///   - hashKey: the same key on both sides. Keep it secret from anyone that can choose keys of the map.
    public init(count: Int, hashKey: SipHashKey) {
        precondition(count >= 1, "a sketch has at least one cell, not \(count)")
        self.hashKey = hashKey
        cells = Array(repeating: CodedEntries(), count: count)
    }

    /// Creates the sketch of a whole map.
    public init(of map: [UInt64: UInt64], count: Int, hashKey: SipHashKey) {
        self.init(count: count, hashKey: hashKey)
        for (key, value) in map { insert(value, forKey: key) }
    }

    /// Adds an entry. The map must not have an entry for this key yet.
    public mutating func insert(_ value: UInt64, forKey key: UInt64) {
        let part = CodedEntries(of: value, forKey: key, hashKey: hashKey)
        change(forKey: key) { $0.add(part) }
    }

    /// Removes an entry. The map must have it.
    public mutating func remove(_ value: UInt64, forKey key: UInt64) {
        let part = CodedEntries(of: value, forKey: key, hashKey: hashKey)
        change(forKey: key) { $0.subtract(part) }
    }

    private mutating func change(forKey key: UInt64, _ body: (inout CodedEntries) -> Void) {
        var indices = CellIndices(key: key, hashKey: hashKey)
        while indices.next < cells.count {
            body(&cells[indices.next])
            indices.advance()
        }
    }

    /// The number that represents an id as a key.
    public static func key(of id: ItemID, hashKey: SipHashKey) -> UInt64 { PrimeField.nonzero(id.hash(key: hashKey)) }
    /// The number that represents 64 arbitrary bits as a value.
    public static func value(_ bits: UInt64) -> UInt64 { PrimeField.nonzero(bits) }
    /// The upper bound of keys and values, not included.
    public static let bound = PrimeField.order

    // MARK: Hints

    /// The low byte of the checksums of some cells, sparser towards the end. The other side estimates from it how many
    /// values differ.
    public func hint() -> [UInt8] {
        MapHint.indices(below: cells.count).map { UInt8(truncatingIfNeeded: cells[$0].checksum) }
    }

    /// Estimates how many values differ from the map that gave a hint. This sketch must have at least as many cells as
    /// the other side's sketch.
    ///
    /// - Throws: ``ReconciliationError/malformed(offset:)`` if the hint is longer than one of this sketch would be.
    public func estimatedDifference(fromHint hint: [UInt8]) throws(ReconciliationError) -> Int {
        let indices = MapHint.indices(below: cells.count)
        guard hint.count <= indices.count else { throw .malformed(offset: indices.count) }
        let differs = zip(hint, indices).map { ($1, UInt8(truncatingIfNeeded: cells[$1].checksum) != $0) }
        return MapHint.estimate(differs)
    }
}

extension CodedEntries {
    init(of value: UInt64, forKey key: UInt64, hashKey: SipHashKey) {
        var hasher = SipHasher(hashKey)
        hasher.combine(key)
        hasher.combine(value)
        self.init(
            sum: value, moment: PrimeField.multiply(value, key), checksum: UInt32(truncatingIfNeeded: hasher.finish()))
    }
}

extension CellIndices {
    init(key: UInt64, hashKey: SipHashKey) { self.init(hash: key.hash(key: hashKey)) }
}

/// Estimates the number of differing values from the cells that differ: linear counting (Whang, Vander-Zanden, Taylor,
/// 1990) with unequal cells.
enum MapHint {
    /// The indices of the sampled cells: the first eight, and eight at every power of two from 8 on.
    static func indices(below count: Int) -> [Int] {
        var indices = Array(0..<min(8, count))
        var base = 8
        while base + 8 <= count {
            indices += base..<base + 8
            base *= 2
        }
        return indices
    }

    /// The number of differing values for which the expected number of differing cells is the observed one.
    static func estimate(_ cells: [(index: Int, differs: Bool)]) -> Int {
        let count = cells.count { $0.differs }
        guard count > 0 else { return 0 }
        // If all cells differ, any larger number fits as well. Half a cell fewer gives the largest estimate that the
        // cells support.
        let target = count == cells.count ? Double(count) - 0.5 : Double(count)
        var (low, high) = (1, 1 << 20)
        while low < high {
            let middle = (low + high) / 2
            let expected = cells.reduce(0.0) { $0 + 1 - power(ofAbsenceFrom: $1.index, middle) }
            if expected < target { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The probability that none of `exponent` keys belongs to a cell. It multiplies only, so that every platform gives
    /// the same result.
    private static func power(ofAbsenceFrom index: Int, _ exponent: Int) -> Double {
        guard index > 0 else { return 0 }
        let ratio = (Double(index) + 0.5) / (Double(index) + 1.5)
        var (base, result, left) = (ratio * ratio, 1.0, exponent)
        while left > 0 {
            if left & 1 == 1 { result *= base }
            base *= base
            left >>= 1
        }
        return result
    }
}
