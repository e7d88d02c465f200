// The plan of messages, acts and redactions.
extension Simulation {
    /// The planned messages, in the order of their times. There are as many as the scenario states.
    func planned(by generator: SeededGenerator) -> [Scenario.Utterance] {
        var generator = generator
        let talk = scenario.talk ?? scenario.duration
        let speakers = scenario.speakers ?? scenario.devices
        func utterance(_ time: UInt64, _ device: Int) -> Scenario.Utterance {
            Scenario.Utterance(time: min(time, talk), device: device, parents: [])
        }
        var planned: [Scenario.Utterance] = []
        switch scenario.workload {
        case .replayed(let utterances): return utterances
        case .scattered:
            // Every speaker sends about the same number, as in "five messages each".
            for number in 0..<scenario.messages {
                planned.append(utterance(generator.any(0...talk), number % speakers))
            }
        case .chat:
            while planned.count < scenario.messages {
                var time = generator.any(0...talk)
                repeat {
                    planned.append(utterance(time, Int(generator.any(0...UInt64(speakers - 1)))))
                    time += generator.any(1_000...60_000)
                } while planned.count < scenario.messages && generator.any(0...3) != 0
            }
        case .room:
            let loud = max(1, speakers / 10)
            for _ in 0..<scenario.messages {
                let isLoud = generator.any(0...1) == 0
                let device = Int(generator.any(0...UInt64((isLoud ? loud : speakers) - 1)))
                planned.append(utterance(generator.any(0...talk), device))
            }
        case .machines:
            let each = UInt64((scenario.messages + speakers - 1) / speakers)
            let phases = (0..<speakers).map { _ in generator.any(0...(talk / each)) }
            for number in 0..<scenario.messages {
                let round = UInt64(number / speakers)
                planned.append(utterance(round * (talk / each) + phases[number % speakers], number % speakers))
            }
        }
        return planned.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(
            \.element)
    }

    /// The planned acts on the group's state, with their times and devices.
    func plannedActs(by generator: SeededGenerator) -> [(time: UInt64, device: Int, act: Act)] {
        var generator = generator
        return (0..<scenario.acts).map { _ in
            let device = Int(generator.any(0...UInt64(scenario.devices - 1)))
            let act = Act.any(on: devices.count, otherDevice: otherDevice(of: device), using: &generator)
            return (generator.any(0...scenario.duration), device, act)
        }
    }

    /// The other device of the same person, if it has two.
    private func otherDevice(of number: Int) -> Int? {
        let firstLinked = scenario.devices - scenario.linked
        if number < scenario.linked { return firstLinked + number }
        return number >= firstLinked ? number - firstLinked : nil
    }

    /// The planned messages that are redacted, with the delays after they were sent.
    func plannedRedactions(by generator: SeededGenerator) -> [Int: UInt64] {
        guard scenario.redacted > 0 else { return [:] }
        var generator = generator
        var planned: [Int: UInt64] = [:]
        for number in plan.indices where generator.chance(scenario.redacted) {
            planned[number] = generator.any(0...scenario.duration / 4)
        }
        return planned
    }
}
