import TomboloCore

/// An act on the group's state, by a member that may lack the right. Devices are named by their numbers.
enum Act: Hashable, Sendable {
    /// Sets the role of a device's member.
    case setsRole(of: Int, Role)
    case setsKey(String, UInt8?)
    /// Proposes a checkpoint, which forgets what is gone.
    case proposesCheckpoint
    /// Removes another device of the same person, as if it were lost.
    case removesDevice(Int)

    /// A random act.
    ///
    /// - Parameters:
    ///   - count: the number of devices.
    ///   - otherDevice: the other device of the same person, if there is one.
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
            // Removals are rarer than admissions. Otherwise the group would soon be empty.
            let roles: [Role] = [.none, .none, .reader, .member, .member, .member, .admin, .admin, .admin, .owner]
            return .setsRole(of: Int(generator.any(0...UInt64(count - 1))), roles[Int(generator.any(0...9))])
        }
    }
}
