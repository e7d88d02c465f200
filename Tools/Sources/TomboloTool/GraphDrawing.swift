import Tombolo
import TomboloCore

/// Draws a causal graph in lanes, newest first. Entries in lanes side by side are concurrent.
struct GraphDrawing {
    /// The event to which each lane leads.
    private var lanes: [EventID] = []

    /// The rows of the next older entry, with `text` beside its dot.
    mutating func rows(for entry: Entry, _ text: String) -> [String] {
        let lane: Int
        if let known = lanes.firstIndex(of: entry.id) {
            lane = known
        } else {
            lane = lanes.count
            lanes.append(entry.id)
        }
        var rows = [lanes.indices.map { $0 == lane ? "●" : "│" }.joined(separator: " ") + "  " + text]
        var parents = entry.parents
        if let index = parents.firstIndex(where: { !lanes.contains($0) }) {
            // The lane continues to a parent to which no other lane leads.
            lanes[lane] = parents.remove(at: index)
            for parent in parents {
                if let other = lanes.firstIndex(of: parent) {
                    rows.append(connection(from: lane, to: other, endsHere: false, beginsThere: false))
                } else {
                    lanes.append(parent)
                    rows.append(connection(from: lane, to: lanes.count - 1, endsHere: false, beginsThere: true))
                }
            }
        } else {
            for (number, parent) in parents.enumerated() {
                guard let other = lanes.firstIndex(of: parent) else { continue }
                rows.append(
                    connection(from: lane, to: other, endsHere: number == parents.count - 1, beginsThere: false))
            }
            lanes.remove(at: lane)
        }
        return rows
    }

    private func connection(from start: Int, to end: Int, endsHere: Bool, beginsThere: Bool) -> String {
        var row = ""
        let (low, high) = (min(start, end), max(start, end))
        for lane in lanes.indices {
            switch lane {
            case start: row += endsHere ? (end > start ? "╰" : "╯") : (end > start ? "├" : "┤")
            case end: row += beginsThere ? "╮" : (end > start ? "┤" : "├")
            case low...high: row += "┼"
            default: row += "│"
            }
            if lane < lanes.count - 1 { row += lane >= low && lane < high ? "─" : " " }
        }
        return row
    }
}
