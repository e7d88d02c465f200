import Testing

@testable import TomboloCore

@Suite("Tables of sessions")
struct SessionTableTests {
    @Test("a table of sessions agrees with a dictionary", arguments: 1...4 as ClosedRange<UInt64>)
    func table(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (table, model) = (SessionTable<Int>(), [SessionID: Int]())
        for number in 0..<300 {
            let id = SessionID(rawValue: .random(in: 0..<40, using: &generator))
            if model[id] == nil {
                table.insert(number, for: id)
                model[id] = number
            } else if Bool.random(using: &generator) {
                table.remove(id)
                model[id] = nil
            }
            #expect(table.ids == model.keys.sorted() && table.values == model.keys.sorted().compactMap { model[$0] })
            #expect(table.index(of: id).map { table.values[$0] } == model[id])
        }
        table.remove(SessionID(rawValue: 99))
        #expect(table.indices.count == model.count)
    }
}
