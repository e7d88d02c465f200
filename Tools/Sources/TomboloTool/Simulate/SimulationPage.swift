import Foundation
import TomboloSimulation

/// A web page about runs that loads nothing else: tables, and charts as SVG.
struct SimulationPage {
    private let reports: [SimulationReport]

    init(_ reports: [SimulationReport]) { self.reports = reports }

    func write(to path: String) throws {
        do {
            try Data(html.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure("the report cannot be written to \(path): \(error.localizedDescription)")
        }
    }

    private static let colours = ["#2b6cb0", "#a0aec0", "#38a169", "#d69e2e", "#805ad5", "#718096", "#e53e3e"]

    private static let style = """
        body { font: 15px/1.5 system-ui, sans-serif; color: #1a202c; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 0; } p { margin: .3rem 0 1rem; color: #4a5568; }
        table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums; }
        th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e2e8f0; white-space: nowrap; }
        th { font-weight: 600; color: #4a5568; } th:first-child, td:first-child { text-align: left; }
        tr.own td { background: #ebf8ff; font-weight: 600; } svg { width: 100%; height: auto; } text { font: 12px system-ui, sans-serif; fill: #4a5568; }
        .legend span { display: inline-block; margin-right: 1.2rem; color: #4a5568; font-size: .85rem; }
        .legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; border-radius: 2px; vertical-align: -1px; }
        @media (prefers-color-scheme: dark) { body { background: #1a202c; color: #e2e8f0; } p, th, text, .legend span { color: #a0aec0; fill: #a0aec0; }
        th, td { border-color: #2d3748; } tr.own td { background: #2a4365; } }
        """

    private var html: String {
        var names: [String] = []
        for report in reports where !names.contains(report.scenario.name) { names.append(report.scenario.name) }
        let sections = names.map { name in section(name, reports.filter { $0.scenario.name == name }) }
        let standIn = reports.contains { $0.scenario.cryptography == .standIn && $0.scenario.strategy == .tombolo }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Tombolo: simulated groups</title><style>\(Self.style)</style></head><body>
            <h1>Simulated groups</h1>
            <p>\(reports.count) runs by <code>tombolo simulate</code>. Bytes are those of payloads, before encryption and the headers of packets. The multiplier is
            bytes sent for each byte of a body and receiver; cost is the multiplier times the time of nine deliveries in ten, in seconds.\(standIn ? " Some runs used stand-in cryptography." : "")</p>
            \(sections.joined(separator: "\n"))
            </body></html>
            """
    }

    private func section(_ name: String, _ reports: [SimulationReport]) -> String {
        let lines = ComparedStrategy.all(of: reports)
        guard let scenario = reports.first?.scenario else { return "" }
        let kinds = zip(lines.first?.kinds ?? [], Self.colours).map { kind, colour in
            "<span><i style=\"background:\(colour)\"></i>\(kind.name)</span>"
        }
        return """
            <h2>\(escape(name))</h2>
            <p>\(escape(scenario.summary)). \(scenario.messages) messages of \(scenario.bodyBytes) bytes; seeds \(reports.map { "\($0.seed)" }.uniqued.prefix(8).joined(separator: ", ")).</p>
            \(table(lines))
            <div class="legend">\(kinds.joined())</div>
            \(byteBars(lines, bodies: scenario.messages * scenario.bodyBytes * (scenario.devices - 1)))
            <p>The share of deliveries by their latency.</p>
            \(latencyCurves(reports))
            """
    }

    private func table(_ lines: [ComparedStrategy]) -> String {
        let rows = lines.map { line in
            let mark = line.strategy == .tombolo ? " class=\"own\"" : ""
            return "<tr\(mark)>" + line.cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
        }
        return "<table><tr>" + ComparedStrategy.header.map { "<th>\($0)</th>" }.joined() + "</tr>" + rows.joined()
            + "</table>"
    }

    /// A bar for each strategy, stacked by the purpose of its bytes. Stacks need a linear scale, so long bars are cut.
    private func byteBars(_ lines: [ComparedStrategy], bodies: Int) -> String {
        let multipliers = lines.map(\.multiplier).sorted()
        guard let least = multipliers.first, let most = multipliers.last else { return "" }
        let end = min(most, max(least * 12, 8))
        var svg = ""
        for (row, line) in lines.enumerated() {
            let y = 10 + 26 * row
            svg += "<text x=\"0\" y=\"\(y + 14)\">\(line.strategy.rawValue)</text>"
            var x = 130.0
            for (kind, colour) in zip(line.kinds, Self.colours) {
                let width = Double(kind.bytes) / Double(max(1, bodies)) / end * 680
                let shown = max(0, min(width, 810 - x))
                svg +=
                    "<rect x=\"\(number(x))\" y=\"\(y)\" width=\"\(number(shown))\" height=\"18\" fill=\"\(colour)\"/>"
                x += shown
            }
            svg +=
                "<text x=\"\(number(x + 6))\" y=\"\(y + 14)\">\(line.multiplier > end ? "… " : "")\(String(format: "%.2f", line.multiplier))</text>"
        }
        return
            "<svg viewBox=\"0 0 900 \(20 + 26 * lines.count)\" role=\"img\" aria-label=\"bytes by kind\">\(svg)</svg>"
    }

    private func latencyCurves(_ reports: [SimulationReport]) -> String {
        let firsts = Strategy.allCases.compactMap { strategy in reports.first { $0.scenario.strategy == strategy } }
        let edges = firsts.flatMap { $0.latency.histogram.map(\.milliseconds) }
        guard let least = edges.min(), let most = edges.max(), least < most else { return "" }
        let (low, high) = (log2(Double(max(1, least))) - 1, log2(Double(most)))
        func x(_ milliseconds: UInt64) -> Double {
            40 + (log2(Double(max(1, milliseconds))) - low) / max(1, high - low) * 720
        }
        var svg = ""
        for share in [0, 25, 50, 75, 100] {
            let y = 230 - share * 2
            svg +=
                "<line x1=\"40\" x2=\"760\" y1=\"\(y)\" y2=\"\(y)\" stroke=\"#cbd5e0\" stroke-width=\"0.5\"/><text x=\"0\" y=\"\(y + 4)\">\(share) %</text>"
        }
        for (milliseconds, label) in [
            (100, "0.1 s"), (1_000, "1 s"), (10_000, "10 s"), (60_000, "1 min"), (600_000, "10 min"),
            (3_600_000, "1 h"), (21_600_000, "6 h"),
            (86_400_000, "1 d"),
        ] as [(UInt64, String)] where x(milliseconds) > 40 && x(milliseconds) < 760 {
            svg += "<text x=\"\(number(x(milliseconds)))\" y=\"250\" text-anchor=\"middle\">\(label)</text>"
        }
        for (index, report) in firsts.enumerated() {
            let all = Double(max(1, report.messages * (report.scenario.devices - 1)))
            var below = 0
            var points = ["\(number(x(max(1, (report.latency.histogram.first?.milliseconds ?? 1) / 2)))),230"]
            for bar in report.latency.histogram {
                below += bar.count
                points.append("\(number(x(bar.milliseconds))),\(number(230 - Double(below) / all * 200))")
            }
            let isOwn = report.scenario.strategy == .tombolo
            let colour =
                isOwn
                ? "#2b6cb0"
                : ["#e53e3e", "#d69e2e", "#38a169", "#805ad5", "#319795", "#b83280", "#975a16", "#4a5568"][index % 8]
            svg +=
                "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(isOwn ? 3 : 1.5)\" points=\"\(points.joined(separator: " "))\"/>"
            svg +=
                "<text x=\"775\" y=\"\(34 + 20 * index)\" style=\"fill:\(colour)\">\(report.scenario.strategy.rawValue)</text>"
        }
        return "<svg viewBox=\"0 0 900 260\" role=\"img\" aria-label=\"latency\">\(svg)</svg>"
    }

    private func number(_ value: Double) -> String { String(format: "%.1f", value) }

    private func escape(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }
}

extension Array where Element: Hashable {
    /// The elements in their order, each once.
    var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
