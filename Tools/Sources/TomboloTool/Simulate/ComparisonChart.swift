import Foundation
import TomboloSimulation

/// The cost of each strategy in each scenario, as one SVG. All bars share one logarithmic scale.
struct ComparisonChart {
    private struct Panel {
        let title: String
        let lines: [ComparedStrategy]
    }

    private let panels: [Panel]

    init(_ reports: [SimulationReport]) {
        panels = reports.map(\.scenario.name).uniqued.map { name in
            Panel(title: name, lines: ComparedStrategy.all(of: reports.filter { $0.scenario.name == name }))
        }
    }

    func write(to path: String) throws {
        do {
            try Data(svg.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure("\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    private static let (row, left, right) = (18, 120, 560)

    private var svg: String {
        let costs = panels.flatMap(\.lines).map { max(1, $0.cost) }
        let low = log10(costs.min() ?? 1).rounded(.down)
        let high = max(low + 1, log10(costs.max() ?? 10).rounded(.up))
        func x(_ cost: Double) -> Double {
            Double(Self.left) + (log10(max(1, cost)) - low) / (high - low) * Double(Self.right - Self.left)
        }
        var body = ""
        var y = 58
        let bottom = y + panels.reduce(0) { $0 + ($1.lines.count + 2) * Self.row }
        for power in Int(low)...Int(high) {
            let place = String(format: "%.1f", x(pow(10, Double(power))))
            body += ##"<line x1="\##(place)" x2="\##(place)" y1="46" y2="\##(bottom)" stroke="#cbd5e0"/>"##
            body +=
                ##"<text x="\##(place)" y="40" text-anchor="middle">10<tspan dy="-5" font-size="9">\##(power)</tspan></text>"##
        }
        for panel in panels {
            y += Self.row
            body += ##"<text x="0" y="\##(y)" font-weight="bold">\##(panel.title)</text>"##
            for line in panel.lines {
                y += Self.row
                let width = String(format: "%.1f", max(1, x(line.cost) - Double(Self.left)))
                let end = String(format: "%.1f", x(line.cost) + 6)
                let colour = line.strategy == .tombolo ? "#2b6cb0" : line.isComplete ? "#a0aec0" : "#edc9c9"
                let label =
                    String(format: "%.0f = %.2f × ", line.cost, line.multiplier) + duration(line.p90)
                    + (line.isComplete ? "" : " (\(percent(line.delivered)) delivered)")
                body += ##"<text x="10" y="\##(y)">\##(line.strategy.rawValue)</text>"##
                body +=
                    ##"<rect x="\##(Self.left)" y="\##(y - 11)" width="\##(width)" height="13" fill="\##(colour)"/><text x="\##(end)" y="\##(y)">\##(label)</text>"##
            }
            y += Self.row
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 \(bottom + 12)" font-family="system-ui, sans-serif" font-size="12" fill="#2d3748">
            <rect width="100%" height="100%" fill="#ffffff"/><text x="0" y="14">cost = multiplier × p90 in seconds; less is better</text>
            \(body)
            </svg>

            """
    }
}
