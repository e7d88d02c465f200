/// One cell of a coded map: what is added up of the entries that are in it. Where a single key's value differs between two maps, the
/// difference of their cells tells the key: this is one-sparse recovery (Ganguly, "Counting distinct items over update streams",
/// 2007; Cormode and Firmani, "A unifying framework for ℓ₀-sampling algorithms", 2014, §3) in the cells of a rateless table.
public struct CodedEntries: Hashable, Sendable {
    /// The values, modulo 2⁶¹ − 1.
    public var sum: UInt64
    /// Each value times its key, modulo 2⁶¹ − 1.
    public var moment: UInt64
    /// Keyed hashes of the entries, modulo 2³².
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

    /// - Throws: ``ReconciliationError/malformed(offset:)``, also for numbers that are none of the field.
    public init(_ bytes: ArraySlice<UInt8>) throws(ReconciliationError) {
        let start = bytes.startIndex
        guard bytes.count == Self.byteCount else { throw .malformed(offset: start) }
        sum = UInt64(bytes: bytes[start..<start + 8])
        moment = UInt64(bytes: bytes[start + 8..<start + 16])
        checksum = bytes[(start + 16)...].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        guard sum < PrimeField.order, moment < PrimeField.order else { throw .malformed(offset: start) }
    }
}

/// Cells of a map: for two maps that have most keys in common and differ in the values of some, a third fewer bytes than coded
/// symbols of their entries would take, since a changed value is one difference, not two.
///
/// Keys and values are numbers from 1 to 2⁶¹ − 2.
public struct MapSketch: Sendable {
    let hashKey: SipHashKey
    /// The cells; the first one has every entry.
    public private(set) var cells: [CodedEntries]

    /// - Parameters:
    ///   - count: how many cells, at least 1.
    ///   - hashKey: the same on both sides; secret from whoever could choose keys.
    public init(count: Int, hashKey: SipHashKey) {
        precondition(count >= 1, "a sketch has at least one cell, not \(count)")
        self.hashKey = hashKey
        cells = Array(repeating: CodedEntries(), count: count)
    }

    /// The sketch of a whole map.
    public init(of map: [UInt64: UInt64], count: Int, hashKey: SipHashKey) {
        self.init(count: count, hashKey: hashKey)
        for (key, value) in map { insert(value, forKey: key) }
    }

    /// Adds an entry whose key has none yet.
    public mutating func insert(_ value: UInt64, forKey key: UInt64) {
        let part = CodedEntries(of: value, forKey: key, hashKey: hashKey)
        change(forKey: key) { $0.add(part) }
    }

    /// Takes an entry away that is there.
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

    /// The number that stands for a name.
    public static func key(of id: ItemID, hashKey: SipHashKey) -> UInt64 { PrimeField.nonzero(id.hash(key: hashKey)) }
    /// The value that any 64 bits stand for.
    public static func value(_ bits: UInt64) -> UInt64 { PrimeField.nonzero(bits) }
    /// Keys and values are below this.
    public static let bound = PrimeField.order

    // MARK: Hints

    /// One byte of some cells, the further the sparser, from which the other side tells about how many values differ.
    public func hint() -> [UInt8] {
        MapHint.indices(below: cells.count).map { UInt8(truncatingIfNeeded: cells[$0].checksum) }
    }

    /// About how many values differ from those of the map that gave a hint. The sketch must have at least as many cells as that of
    /// the other side had.
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

/// How many values differ, by which cells do (linear counting: Whang, Vander-Zanden, Taylor, 1990, with unequal cells).
enum MapHint {
    /// The first eight cells, and eight at every power of two from 8 on.
    static func indices(below count: Int) -> [Int] {
        var indices = Array(0..<min(8, count))
        var base = 8
        while base + 8 <= count {
            indices += base..<base + 8
            base *= 2
        }
        return indices
    }

    /// The number of which one expects that as many cells differ as do.
    static func estimate(_ cells: [(index: Int, differs: Bool)]) -> Int {
        let count = cells.count { $0.differs }
        guard count > 0 else { return 0 }
        // Where all differ, the truth may be anything above: half a cell fewer is as far as this can tell.
        let target = count == cells.count ? Double(count) - 0.5 : Double(count)
        var (low, high) = (1, 1 << 20)
        while low < high {
            let middle = (low + high) / 2
            let expected = cells.reduce(0.0) { $0 + 1 - power(ofAbsenceFrom: $1.index, middle) }
            if expected < target { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// That none of so many keys is in a cell. By multiplication alone: the same on every platform.
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
