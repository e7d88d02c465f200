extension Scenario {
    /// The seven simulations of the research that Tombolo comes from.
    ///
    /// People's devices are online for a tenth of the time, in windows of 30 s to 5 min. Each person sends five
    /// messages of 256 bytes within six hours. A run has a day to deliver them.
    ///
    /// 1 and 2 have two people, without and with a helper that is up nine tenths of the time. 3 has a hundred people. 4
    /// adds a topic, and 5 a topic and the helper. In 6 and 7 devices meet in random pairs for half a minute; 7 has the
    /// helper.
    ///
    /// - Parameter people: the number of people in 3 to 7.
    public static func seven(people: Int = 100) -> [Scenario] {
        let suffix = people == 100 ? "" : "-\(people)"
        func one(_ name: String, _ summary: String, _ devices: Int, _ change: (inout Scenario) -> Void) -> Scenario {
            // In very large groups only two hundred people send: 1,000 messages in all.
            let speakers = devices > 1_000 ? 200 : devices
            var scenario = Scenario(name: name, devices: devices, messages: 5 * speakers)
            scenario.summary = summary
            scenario.speakers = speakers
            scenario.bodyBytes = 256
            scenario.talk = 6 * 3_600_000
            scenario.duration = 24 * 3_600_000
            scenario.patience = 12 * 3_600_000
            scenario.presence = Presence(online: 30_000...300_000, offline: 270_000...2_700_000)
            scenario.conditions.latency = 20...200
            scenario.cryptography = people > 100 ? .standIn : .real
            change(&scenario)
            return scenario
        }
        func withHelper(_ scenario: inout Scenario) {
            scenario.helpers = 1
            scenario.helperPresence = Presence(online: 5_400_000...12_600_000, offline: 600_000...1_400_000)
        }
        func inPairs(_ scenario: inout Scenario) {
            scenario.conditions.links = 1
            scenario.conditions.linkDuration = 30_000
        }
        return [
            one("two", "two people, each online a tenth of the time", 2) { _ in },
            one("two-helper", "the same, and a helper that is up nine tenths of the time", 2, withHelper),
            one("many" + suffix, "\(people) people, each online a tenth of the time", people) { _ in },
            one("topic" + suffix, "the same, where what is sent to a topic reaches all who are online", people) {
                $0.conditions.multicast = true
            },
            one("topic-helper" + suffix, "the same, with the helper", people) {
                $0.conditions.multicast = true
                withHelper(&$0)
            },
            one(
                "pairs" + suffix, "\(people) people whose devices meet two at a time, by chance, for 30 s", people,
                inPairs),
            one("pairs-helper" + suffix, "the same, with the helper, which meets everyone", people) {
                inPairs(&$0)
                withHelper(&$0)
            },
        ]
    }
}
