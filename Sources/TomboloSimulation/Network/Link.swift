extension Simulation {
    /// A stream between two devices. While it lasts, it keeps the order and loses nothing.
    struct Link {
        let dialler: Int
        let listener: Int
        /// The times at which the last payload towards the dialler and towards the listener has left. `lastArrival` has
        /// the times of its arrival.
        var busyUntil: [UInt64] = [0, 0]
        var lastArrival: [UInt64] = [0, 0]
        /// Tells, per direction, whether payloads vanish: towards the dialler, and towards the listener. The stream is
        /// about to break.
        var isDead = [false, false]
        /// Tells whether bits were flipped in the stream. A device that then closes it behaves correctly.
        var isCorrupted = false
        /// Tells whether the dialler used an invitation. The inviter may have lost the right to invite.
        let isForJoining: Bool

        init(dialler: Int, listener: Int, isForJoining: Bool) {
            (self.dialler, self.listener, self.isForJoining) = (dialler, listener, isForJoining)
        }

        func other(than device: Int) -> Int { device == dialler ? listener : dialler }
        func direction(to device: Int) -> Int { device == dialler ? 0 : 1 }
    }
}

/// The devices that are up and online. A random one is drawn in constant time.
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
