// The coding of a scenario in a file. A missing key has the value of a new scenario. Ranges are written as [lowest,
// highest].
extension Scenario {
    enum CodingKeys: String, CodingKey {
        case name, summary, devices, messages, bodyBytes, duration, talk, patience, workload, lifetime, redacted,
            isPrivate, acts, linked, speakers, conditions, presence
        case helpers, helperPresence, hostile, clockSkew, strategy, cryptography
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decode(String.self, forKey: .name), devices: try values.decode(Int.self, forKey: .devices),
            messages: try values.decode(Int.self, forKey: .messages))
        try values.read(&summary, .summary)
        try values.read(&bodyBytes, .bodyBytes)
        try values.read(&duration, .duration)
        talk = try values.decodeIfPresent(UInt64.self, forKey: .talk)
        try values.read(&patience, .patience)
        try values.read(&workload, .workload)
        lifetime = try values.decodeIfPresent(UInt64.self, forKey: .lifetime)
        try values.read(&redacted, .redacted)
        try values.read(&isPrivate, .isPrivate)
        try values.read(&acts, .acts)
        try values.read(&linked, .linked)
        speakers = try values.decodeIfPresent(Int.self, forKey: .speakers)
        try values.read(&conditions, .conditions)
        presence = try values.decodeIfPresent(Presence.self, forKey: .presence)
        try values.read(&helpers, .helpers)
        helperPresence = try values.decodeIfPresent(Presence.self, forKey: .helperPresence)
        try values.read(&hostile, .hostile)
        try values.read(&clockSkew, .clockSkew)
        try values.read(&strategy, .strategy)
        try values.read(&cryptography, .cryptography)
    }
}

// A workload is coded as its name, or as the conversation to replay.
extension Scenario.Workload {
    private static let names: [(name: String, workload: Self)] = [
        ("scattered", .scattered), ("chat", .chat), ("room", .room), ("machines", .machines),
    ]

    public init(from decoder: any Decoder) throws {
        if let utterances = try? [Scenario.Utterance](from: decoder) {
            self = .replayed(utterances)
            return
        }
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let known = Self.names.first(where: { $0.name == name }) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "a workload is \(Self.names.map(\.name).joined(separator: ", ")) or a conversation")
        }
        self = known.workload
    }

    public func encode(to encoder: any Encoder) throws {
        if case .replayed(let utterances) = self { return try utterances.encode(to: encoder) }
        var container = encoder.singleValueContainer()
        try container.encode(Self.names.first { $0.workload == self }?.name ?? "scattered")
    }
}

extension Scenario.Conditions {
    enum CodingKeys: String, CodingKey {
        case latency, bytesPerSecond, mtu, loss, duplication, reordering, corruption, multicast, natted, punctured,
            batching
        case dialling, links, linkDuration, linkBreaks, crashes, powerCuts, restores, wipes, partitions, oneWay
    }

    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(&latency, .latency)
        try values.read(&bytesPerSecond, .bytesPerSecond)
        try values.read(&mtu, .mtu)
        try values.read(&loss, .loss)
        try values.read(&duplication, .duplication)
        try values.read(&reordering, .reordering)
        try values.read(&corruption, .corruption)
        try values.read(&multicast, .multicast)
        try values.read(&natted, .natted)
        try values.read(&punctured, .punctured)
        try values.read(&batching, .batching)
        try values.read(&dialling, .dialling)
        try values.read(&links, .links)
        linkDuration = try values.decodeIfPresent(UInt64.self, forKey: .linkDuration)
        try values.read(&linkBreaks, .linkBreaks)
        try values.read(&crashes, .crashes)
        try values.read(&powerCuts, .powerCuts)
        try values.read(&restores, .restores)
        try values.read(&wipes, .wipes)
        try values.read(&partitions, .partitions)
        try values.read(&oneWay, .oneWay)
    }
}

extension KeyedDecodingContainer {
    fileprivate func read<Value: Decodable>(_ value: inout Value, _ key: Key) throws {
        if let found = try decodeIfPresent(Value.self, forKey: key) { value = found }
    }
}
