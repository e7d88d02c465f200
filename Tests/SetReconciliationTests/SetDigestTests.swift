import SetReconciliation
import Testing

@Suite("The digest of a set")
struct SetDigestTests {
    @Test(
        "equal sets have equal digests in any order, other sets have others, and removed ids leave no trace"
    )
    func orders() throws {
        var generator = RangeTests.Generator(state: 1)
        let ids = try (0..<40).map { _ in
            try #require(ItemID((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }))
        }
        var (one, other) = (SetDigest(), SetDigest())
        for id in ids { one.insert(id, sha256: sha256) }
        for id in ids.reversed() { other.insert(id, sha256: sha256) }
        #expect(one == other && one.digest(sha256: sha256) == other.digest(sha256: sha256))
        other.remove(ids[7], sha256: sha256)
        #expect(one.digest(sha256: sha256) != other.digest(sha256: sha256))
        other.insert(ids[7], sha256: sha256)
        #expect(SetDigest(bytes: one.bytes) == other)
        for id in ids { one.remove(id, sha256: sha256) }
        #expect(one == SetDigest() && one.digest(sha256: sha256) == [UInt8](repeating: 0, count: 32))
        #expect(SetDigest(bytes: [1, 2]) == nil)
    }
}
