extension Simulation {
    /// A stream between two devices, which keeps the order and loses nothing while it stands.
    struct Link {
        let dialler: Int
        let listener: Int
        /// When the last payload towards the dialler and the listener has left and will have arrived.
        var busyUntil: [UInt64] = [0, 0]
        var lastArrival: [UInt64] = [0, 0]
        /// What is sent towards the dialler, the listener vanishes: the stream is about to break.
        var isDead = [false, false]
        /// Whether bits were flipped in it: whoever hangs up on it does right.
        var isCorrupted = false
        /// Whether it was dialled with an invitation, which whoever gave it may have lost the right to.
        let isForJoining: Bool

        init(dialler: Int, listener: Int, isForJoining: Bool) {
            (self.dialler, self.listener, self.isForJoining) = (dialler, listener, isForJoining)
        }

        func other(than device: Int) -> Int { device == dialler ? listener : dialler }
        func direction(to device: Int) -> Int { device == dialler ? 0 : 1 }
    }
}

/// Devices that are up and online, one of which is drawn in constant time.
final class OnlineDevices {
    private(set) var numbers: [Int] = []
    private var places: [Int: Int] = [:]

    func add(_ number: Int) {
        guard places[number] == nil else { return }
        places[number] = numbers.count
        numbers.append(number)
    }

    func remove(_ number: Int) {
        guard let place = places.removeValue(forKey: number) else { return }
        let last = numbers.removeLast()
        guard last != number else { return }
        numbers[place] = last
        places[last] = place
    }
}
