/// An exact sketch of a set of 64-bit symbols (PinSketch: Dodis, Ostrovsky, Reyzin, Smith, "Fuzzy Extractors", 2008, §6.3; the layout of
/// libminisketch for 64 bits): 8 bytes for each difference that it shall be able to find, and no better is known.
///
/// What a sketch says of a set is its odd power sums over GF(2⁶⁴). Those of two sets, added, are the sums of the difference. Adding
/// an element costs ``capacity`` multiplications, decoding about 200·capacity² of them: for tiny differences.
public struct ExactSketch: Hashable, Sendable {
    /// The sums of x, x³, x⁵, … over the elements x.
    private var sums: [UInt64]

    /// - Parameter capacity: how many differences it can name, at least 1.
    public init(capacity: Int) {
        precondition(capacity >= 1, "a sketch names at least one difference, not \(capacity)")
        sums = Array(repeating: 0, count: capacity)
    }

    public var capacity: Int { sums.count }

    /// Adds an element, or takes it away: twice is not at all. Zero cannot be an element.
    public mutating func toggle(_ symbol: UInt64) {
        precondition(symbol != 0, "the zero symbol cannot be an element")
        let square = BinaryField.square(symbol)
        var power = symbol
        for index in sums.indices {
            sums[index] ^= power
            power = BinaryField.multiply(power, square)
        }
    }

    /// Makes this the sketch of the difference: of what is in one of the two sets.
    public mutating func merge(_ other: ExactSketch) {
        precondition(capacity == other.capacity, "sketches of \(capacity) and \(other.capacity) do not go together")
        for index in sums.indices { sums[index] ^= other.sums[index] }
    }

    /// Eight bytes for each difference, little endian.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * capacity)
        for sum in sums { bytes.append(littleEndian: sum) }
        return bytes
    }

    /// The sketch that `bytes` stand for; nil if they are none, or more than 8·`limit`.
    public init?(bytes: [UInt8], limit: Int) {
        guard !bytes.isEmpty, bytes.count.isMultiple(of: 8), bytes.count <= 8 * limit else { return nil }
        sums = stride(from: 0, to: bytes.count, by: 8).map { UInt64(bytes: bytes[$0..<$0 + 8]) }
    }

    /// The elements, if there are at most ``capacity``; nil if there are surely more.
    ///
    /// Where there are more, it is nil with a probability of about 1 − 1/`capacity`!, else wrong elements: whoever uses them
    /// compares digests, or leaves a margin.
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
