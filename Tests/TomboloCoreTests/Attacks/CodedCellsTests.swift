import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("Attack: coded cells that are asked for one by one")
struct CodedCellsTests {
    private func coded(logs count: Int) -> CodedFrontier {
        let cryptography = SwiftCryptography()
        var frontier = Frontier(
            (0..<count).map { number in
                var log = LogState(id: LogID(cryptography.sha256(Array("log \(number)".utf8))))
                let id = EventID(cryptography.sha256(Array("event \(number)".utf8)))
                _ = log.place(sequence: 1, id: id, lamport: 1, previous: nil, isPreviousHeld: false)
                return log
            })
        let key = cryptography.sipHashKey(from: .zero, [1])
        return CodedFrontier(&frontier, ordinal: 0, hashKey: key, decodes: false, using: cryptography)
    }

    @Test("do not cost a visit of all logs each")
    func oneByOne() {
        var stepwise = coded(logs: 500)
        for count in 1...2_000 { #expect(stepwise.cells(count).count >= count) }
        #expect(stepwise.visits <= 12)
        // They are the same cells.
        var whole = coded(logs: 500)
        #expect(Array(stepwise.cells(2_000)[..<2_000]) == Array(whole.cells(2_000)[..<2_000]))
        #expect(whole.visits == 1)
    }
}
