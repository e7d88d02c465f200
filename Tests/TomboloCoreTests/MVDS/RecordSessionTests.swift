import Testing

@testable import TomboloCore

@Suite("Records of a session")
struct RecordSessionTests {
    @Test("ids stay in order, each once, and can come again after they left")
    func uniqueIDs() {
        var ids = UniqueIDs()
        let (a, b) = (Workbench.eventID(1), Workbench.eventID(2))
        for id in [a, b, a] { ids.append(id) }
        #expect(ids.count == 2 && ids.first == a)
        ids.removeFirst()
        ids.append(a)
        #expect(ids.removeAll() == [b, a] && ids.isEmpty && ids.first == nil)
        ids.append(b)
        #expect(ids.count == 1)
    }

    @Test("the window is full at 262,144 bytes, and a message counts once")
    func window() {
        var records = RecordSession()
        let (a, b) = (Workbench.eventID(1), Workbench.eventID(2))
        records.noteSent(a, bytes: 262_143)
        records.noteSent(a, bytes: 262_143)
        #expect(!records.isWindowFull)
        records.noteSent(b, bytes: 1)
        #expect(records.isWindowFull && records.inFlightBytes == 262_144)
        records.noteSent(a, bytes: 5)
        #expect(records.inFlightBytes == 6)
        for _ in 0..<2 { records.noteSettled(a) }
        #expect(records.inFlightBytes == 1)
        records.noteSettled(b)
        #expect(records.inFlightBytes == 0 && records.isIdle)
    }
}
