// A scenario in a file: what is left out is as in a new scenario. Ranges are written as [lowest, highest].
extension Scenario {
    enum CodingKeys: String, CodingKey {
        case name, summary, devices, messages, bodyBytes, duration, patience, conditions, presence, clockSkew
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decode(String.self, forKey: .name), devices: try values.decode(Int.self, forKey: .devices),
            messages: try values.decode(Int.self, forKey: .messages))
        try values.read(&summary, .summary)
        try values.read(&bodyBytes, .bodyBytes)
        try values.read(&duration, .duration)
        try values.read(&patience, .patience)
        try values.read(&conditions, .conditions)
        try values.read(&clockSkew, .clockSkew)
        presence = try values.decodeIfPresent(Presence.self, forKey: .presence)
    }
}

extension Scenario.Conditions {
    enum CodingKeys: String, CodingKey {
        case latency, bytesPerSecond, batching, dialling, links, linkBreaks, crashes, powerCuts, partitions
    }

    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(&latency, .latency)
        try values.read(&bytesPerSecond, .bytesPerSecond)
        try values.read(&batching, .batching)
        try values.read(&dialling, .dialling)
        try values.read(&links, .links)
        try values.read(&linkBreaks, .linkBreaks)
        try values.read(&crashes, .crashes)
        try values.read(&powerCuts, .powerCuts)
        try values.read(&partitions, .partitions)
    }
}

extension KeyedDecodingContainer {
    fileprivate func read<Value: Decodable>(_ value: inout Value, _ key: Key) throws {
        if let found = try decodeIfPresent(Value.self, forKey: key) { value = found }
    }
}
