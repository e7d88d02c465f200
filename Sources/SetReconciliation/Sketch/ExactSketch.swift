/// An exact sketch of a set of 64-bit symbols: PinSketch (Dodis, Ostrovsky, Reyzin, Smith, "Fuzzy Extractors", 2008,
/// §6.3).
///
/// The layout is that of libminisketch for 64 bits. The sketch takes 8 bytes for each difference that it can find; no
/// better size is known. It consists of the set's odd power sums over GF(2⁶⁴). The sums of two sets, added, are those
/// of their difference. Adding an element costs ``capacity`` multiplications, and decoding about 200·capacity². Use it
/// for tiny differences.
public struct ExactSketch: Hashable, Sendable {
    /// The sums of x, x³, x⁵, … over the elements x.
    private var sums: [UInt64]

    /// - Parameter capacity: the most differences that the sketch can find, at least 1.
    public init(capacity: Int) {
        precondition(capacity >= 1, "a sketch names at least one difference, not \(capacity)")
        sums = Array(repeating: 0, count: capacity)
    }

    public var capacity: Int { sums.count }

    /// Adds an element, or removes it if it is present. Zero cannot be an element.
    public mutating func toggle(_ symbol: UInt64) {
        precondition(symbol != 0, "the zero symbol cannot be an element")
        let square = BinaryField.square(symbol)
        var power = symbol
        for index in sums.indices {
            sums[index] ^= power
            power = BinaryField.multiply(power, square)
        }
    }

    /// Turns this into the sketch of the symmetric difference: the elements that are in exactly one of the two sets.
    public mutating func merge(_ other: ExactSketch) {
        precondition(capacity == other.capacity, "sketches of \(capacity) and \(other.capacity) do not go together")
        for index in sums.indices { sums[index] ^= other.sums[index] }
    }

    /// The encoding: eight bytes for each difference, little endian.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * capacity)
        for sum in sums { bytes.append(littleEndian: sum) }
        return bytes
    }

    /// Creates a sketch from `bytes`; nil if these are empty, not a multiple of 8, or more than 8·`limit`.
    public init?(bytes: [UInt8], limit: Int) {
        guard !bytes.isEmpty, bytes.count.isMultiple(of: 8), bytes.count <= 8 * limit else { return nil }
        sums = stride(from: 0, to: bytes.count, by: 8).map { UInt64(bytes: bytes[$0..<$0 + 8]) }
    }

    /// The elements of the set, if there are at most ``capacity``; nil if there are certainly more.
    ///
    /// If there are more, the result is nil with a probability of about 1 − 1/`capacity`!, and otherwise wrong
    /// elements. The caller must compare digests or leave a margin.
    public func decoded() -> [UInt64]? {
        guard sums.contains(where: { $0 != 0 }) else { return [] }
        var syndromes = [UInt64](repeating: 0, count: 2 * capacity)  // of x¹, x², … at 0, 1, …
        for index in sums.indices { syndromes[2 * index] = sums[index] }
        for index in sums.indices { syndromes[2 * index + 1] = BinaryField.square(syndromes[index]) }
        guard let locator = FieldPolynomial.locator(of: syndromes), locator.degree <= capacity,
            let roots = locator.reversed.distinctRoots()
        else { return nil }
        return roots
    }
}
