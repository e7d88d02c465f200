/// The values that a machine keeps for the open sessions, in ascending order of the sessions' ids.
///
/// Positions stay valid until the next insertion or removal. Values are used in place, by their positions: a copy of one
/// costs more than most calls.
struct SessionTable<Value: Sendable>: Sendable {
    private(set) var ids: [SessionID] = []
    var values: [Value] = []

    var indices: Range<Int> { values.indices }

    func index(of id: SessionID) -> Int? {
        let place = ids.partitionPoint { $0 >= id }
        return place < ids.count && ids[place] == id ? place : nil
    }

    mutating func insert(_ value: Value, for id: SessionID) {
        let place = ids.partitionPoint { $0 > id }
        ids.insert(id, at: place)
        values.insert(value, at: place)
    }

    mutating func remove(_ id: SessionID) {
        guard let place = index(of: id) else { return }
        ids.remove(at: place)
        values.remove(at: place)
    }
}
