extension Scenario {
    /// The scenarios of the library.
    public static let all: [Scenario] =
        [calm, intermittent, faults, hostile, forgetting, sealed, membership, crowd]
        + [100, 1_000, 10_000].flatMap { people in
            // The first two scenarios do not depend on the number of people.
            people == 100 ? seven() : Array(seven(people: people).dropFirst(2))
        }

    /// A group of five devices that are always online.
    public static var calm: Scenario {
        var scenario = Scenario(name: "calm", devices: 5, messages: 100)
        scenario.summary = "five devices that are always online, and nothing goes wrong"
        return scenario
    }

    /// The first question of the research: short online windows that rarely overlap.
    public static var intermittent: Scenario {
        var scenario = Scenario(name: "intermittent", devices: 6, messages: 60)
        scenario.summary = "six devices that are online a tenth of the time, in windows of 30 s to 5 min"
        scenario.duration = 12 * 3_600_000
        scenario.presence = Presence(online: 30_000...300_000, offline: 270_000...2_700_000)
        return scenario
    }

    /// A group with all kinds of faults at once.
    public static var faults: Scenario {
        var scenario = Scenario(name: "faults", devices: 5, messages: 80)
        scenario.summary = "five devices and a helper, and everything that can go wrong without anybody meaning it"
        scenario.helpers = 1
        scenario.helperPresence = Presence(online: 90_000...180_000, offline: 10_000...20_000)
        scenario.conditions.loss = 0.03
        scenario.conditions.corruption = 0.002
        scenario.conditions.natted = 0.3
        scenario.conditions.linkBreaks = 3
        scenario.conditions.crashes = 0.5
        scenario.conditions.powerCuts = 0.3
        scenario.conditions.restores = 0.05
        scenario.conditions.wipes = 0.03
        scenario.conditions.partitions = 0.5
        scenario.conditions.oneWay = 0.3
        scenario.presence = Presence(online: 20_000...180_000, offline: 5_000...60_000)
        scenario.clockSkew = 90_000
        return scenario
    }

    /// A group with hostile members, one of each kind.
    public static var hostile: Scenario {
        var scenario = Scenario(name: "hostile", devices: 6, messages: 80)
        scenario.summary = "six devices among five members that flood, lie, fork, withhold and replay"
        scenario.hostile = Hostility.allCases
        scenario.conditions.linkBreaks = 1
        scenario.conditions.crashes = 0.2
        return scenario
    }

    /// A group whose contents expire or are redacted, under all faults.
    public static var forgetting: Scenario {
        var scenario = faults
        scenario.name = "forgetting"
        scenario.summary = "the same as faults, where messages go away after a minute, or are taken back"
        scenario.lifetime = 60_000
        scenario.redacted = 0.3
        return scenario
    }

    /// A private group, under all faults.
    public static var sealed: Scenario {
        var scenario = forgetting
        scenario.name = "sealed"
        scenario.summary = "the same as forgetting in a private group: secrets are lost with the devices that have them"
        scenario.isPrivate = true
        return scenario
    }

    /// A private group whose membership changes all the time, under all faults.
    public static var membership: Scenario {
        var scenario = sealed
        scenario.name = "membership"
        scenario.summary = "the same as sealed, while members remove and raise each other, two of them hostile"
        (scenario.devices, scenario.linked) = (5, 1)
        (scenario.messages, scenario.acts) = (30, 30)
        scenario.duration = 300_000
        // Only members exchange secrets, and a member may have only non-members around it. So all devices can meet each
        // other.
        (scenario.conditions.links, scenario.conditions.natted) = (8, 0)
        scenario.hostile = [.forks, .clings]
        return scenario
    }

    /// A group of many devices.
    public static var crowd: Scenario {
        var scenario = Scenario(name: "crowd", devices: 40, messages: 200)
        scenario.summary = "forty devices, each with at most four links, some of which break"
        scenario.conditions.linkBreaks = 0.5
        return scenario
    }
}
