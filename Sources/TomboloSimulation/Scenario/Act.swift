import TomboloCore

/// What somebody does to the group's state, whether or not it may. Devices are named by their numbers.
enum Act: Hashable, Sendable {
    /// Makes the member of a device what it shall be.
    case setsRole(of: Int, Role)
    case setsKey(String, UInt8?)
    /// Proposes to forget what has gone away.
    case proposesCheckpoint
    /// Says that another device of the same person is lost.
    case removesDevice(Int)

    /// One of them by chance.
    ///
    /// - Parameters:
    ///   - count: how many devices there are.
    ///   - otherDevice: the other one of the same person, if it has two.
    static func any(on count: Int, otherDevice: Int?, using generator: inout SeededGenerator) -> Act {
        switch generator.any(0...9) {
        case 0: return .proposesCheckpoint
        case 1..<3:
            let value = UInt8(truncatingIfNeeded: generator.next())
            return .setsKey("key \(generator.any(0...2))", value < 32 ? nil : value)
        case 3:
            if let otherDevice { return .removesDevice(otherDevice) }
            fallthrough
        default:
            // Were as many removed as admitted, there would soon be nobody.
            let roles: [Role] = [.none, .none, .reader, .member, .member, .member, .admin, .admin, .admin, .owner]
            return .setsRole(of: Int(generator.any(0...UInt64(count - 1))), roles[Int(generator.any(0...9))])
        }
    }
}
