import Foundation

/// An SVG chart of the bytes per difference over the number of differences, with two logarithmic axes.
struct Chart {
    let rows: [Reconcile.Row]
    let common: Int

    private let width = 760.0
    private let height = 420.0
    private let margin = 60.0
    private let colours = [
        "adaptive, spread": "#7b2d8b", "range, spread": "#b3541e", "range, recent": "#e0a458",
        "rateless, spread": "#1f6f8b",
        "sketch, spread": "#4f772d", "adaptive, recent": "#c77dff", "bloom, recent": "#888888",
    ]

    private var series: [(name: String, points: [(x: Double, y: Double)])] {
        colours.keys.sorted().map { name in
            let points = rows.filter { "\($0.algorithm), \($0.placement.rawValue)" == name }.map {
                (Double($0.difference), Double($0.bytes) / Double($0.difference))
            }
            return (name, points.sorted { $0.0 < $1.0 })
        }
    }

    private func x(_ value: Double) -> Double { margin + (width - 2 * margin) * log10(value) / 5 }
    private func y(_ value: Double) -> Double {
        height - margin - (height - 2 * margin) * (log10(max(1, value)) / 4)
    }

    var svg: String {
        var lines: [String] = [
            ##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \##(Int(width)) \##(Int(height))" font-family="sans-serif" font-size="12">"##,
            ##"<rect width="100%" height="100%" fill="white"/>"##,
            ##"<text x="\##(margin)" y="28" font-size="15">Bytes a difference, both ways, N = \##(common) ids in common</text>"##,
        ]
        for power in 0...5 {
            let at = x(pow(10, Double(power)))
            lines.append(
                ##"<line x1="\##(at)" y1="\##(margin)" x2="\##(at)" y2="\##(height - margin)" stroke="#ddd"/><text x="\##(at)" y="\##(height - margin + 18)" text-anchor="middle">\##(Int(pow(10, Double(power))))</text>"##
            )
        }
        for power in 0...4 {
            let at = y(pow(10, Double(power)))
            lines.append(
                ##"<line x1="\##(margin)" y1="\##(at)" x2="\##(width - margin)" y2="\##(at)" stroke="#ddd"/><text x="\##(margin - 8)" y="\##(at + 4)" text-anchor="end">\##(Int(pow(10, Double(power))))</text>"##
            )
        }
        lines.append(
            ##"<text x="\##(width / 2)" y="\##(height - 18)" text-anchor="middle">differences, split evenly</text>"##)
        for (index, (name, points)) in series.enumerated() {
            guard let colour = colours[name], !points.isEmpty else { continue }
            let path = points.map { "\(x($0.x)),\(y($0.y))" }.joined(separator: " ")
            lines.append(##"<polyline points="\##(path)" fill="none" stroke="\##(colour)" stroke-width="2"/>"##)
            for point in points {
                lines.append(##"<circle cx="\##(x(point.x))" cy="\##(y(point.y))" r="3" fill="\##(colour)"/>"##)
            }
            let top = margin + 10 + 18 * Double(index)
            lines.append(
                ##"<rect x="\##(width - margin - 150)" y="\##(top - 9)" width="12" height="12" fill="\##(colour)"/><text x="\##(width - margin - 132)" y="\##(top + 1)">\##(name)</text>"##
            )
        }
        return (lines + ["</svg>", ""]).joined(separator: "\n")
    }
}
