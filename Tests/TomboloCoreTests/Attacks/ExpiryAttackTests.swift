import Testing
import TomboloCore

@Suite("Attack: an expiry that no event can state")
struct ExpiryAttackTests {
    private func failure(_ device: Int, _ devices: Devices) -> String? {
        for effect in devices.devices[device].effects.reversed() {
            switch effect {
            case .failed(_, let error): return error.description
            case .appended, .done: return nil
            default: continue
            }
        }
        return nil
    }

    @Test(
        "mutes nobody",
        arguments: ["86400000", "9007199254740991", "9007199254740992", "9223372036854775808", "18446744073709551615"])
    func far(value: String) throws {
        let devices = try Devices(2, seed: 9_131)
        let group = try devices.makeGroup { _ in .admin }
        for _ in 0..<2 { try devices.meet(0, 1) }
        try devices.step(1, [.setState(3, group: group, key: "expiry", value: Array(value.utf8))])
        try devices.meet(0, 1)
        try devices.say(0, "still here", in: group)
        #expect(failure(0, devices) == nil)
        try devices.meet(0, 1)
        #expect(devices.texts(1, in: group).contains("still here"))
    }

    @Test(
        "is decimal digits, and any other value is no limit",
        arguments: [("1", 1), ("0", nil), ("+5", nil), ("-5", nil), ("", nil), ("5 ", nil), ("0x5", nil)]
            as [(String, UInt64?)])
    func digits(value: String, expected: UInt64?) {
        #expect(StateAction.expiry(Array(value.utf8)) == expected)
    }
}
