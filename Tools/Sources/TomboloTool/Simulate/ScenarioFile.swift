import Foundation
import TOMLKit
import TomboloSimulation

/// A scenario by its name, or from a file: TOML if its name ends in .toml, else JSON.
func loadScenario(_ name: String) throws -> Scenario {
    if let known = Scenario.all.first(where: { $0.name == name }) { return known }
    guard let data = FileManager.default.contents(atPath: name) else {
        throw Failure("there is no scenario and no file \(name): see `tombolo simulate list`")
    }
    do {
        if name.lowercased().hasSuffix(".toml") {
            return try TOMLDecoder().decode(Scenario.self, from: String(decoding: data, as: UTF8.self))
        }
        return try JSONDecoder().decode(Scenario.self, from: data)
    } catch let error as DecodingError {
        throw Failure("\(name) is not a scenario: \(explain(error))")
    } catch let error as TOMLParseError {
        throw Failure("\(name) is not TOML: \(error)")
    }
}

private func explain(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, _): return "it has no \(key.stringValue)"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
        return "\(path(context)) has another type"
    case .dataCorrupted(let context):
        return context.codingPath.isEmpty ? "it is not JSON" : "\(path(context)) has an invalid value"
    @unknown default: return "\(error)"
    }
}

extension Scenario {
    /// Replaces the messages by those of a conversation, and the devices by its authors. Messages are sent at their
    /// own times, but no silence is longer than five minutes.
    ///
    /// - Parameter file: JSON lines as for `tombolo import`.
    mutating func replay(_ file: String) throws {
        let lines = try ConversationFile(path: file).lines
        guard var last = lines.first?.time else { throw Failure("\(file) has no message") }
        let longestSilence: Int64 = 300_000
        var devices: [String: Int] = [:]
        var numbers: [String: Int] = [:]
        var utterances: [Utterance] = []
        for line in lines {
            let device = devices[line.author] ?? devices.count
            devices[line.author] = device
            let time = (utterances.last?.time ?? 0) + UInt64(max(0, min(line.time - last, longestSilence)))
            last = max(last, line.time)
            numbers[line.id] = utterances.count
            utterances.append(
                Utterance(time: time, device: device, parents: line.parents.compactMap { numbers[$0] }))
        }
        self.devices = max(2, devices.count)
        messages = utterances.count
        bodyBytes = max(16, lines.reduce(0) { $0 + $1.text.utf8.count } / lines.count)
        workload = .replayed(utterances)
        speakers = nil
        duration = (utterances.last?.time ?? 0) + 60_000
        talk = nil
    }
}
