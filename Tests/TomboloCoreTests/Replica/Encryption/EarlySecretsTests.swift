import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("Secrets that came early")
struct EarlySecretsTests {
    private func secret(_ number: UInt8) -> RekeySecret {
        RekeySecret(root: SwiftCryptography().sha256([number]), using: SwiftCryptography())
    }

    @Test("each session has a share of its own, of 256")
    func shares() {
        var early = EarlySecrets()
        let (greedy, modest) = (SessionID(rawValue: 1), SessionID(rawValue: 2))
        for number in 0..<300 { early.insert(secret(1), of: Workbench.eventID(number), from: greedy) }
        early.insert(secret(2), of: Workbench.eventID(299), from: modest)
        #expect(early.remove(Workbench.eventID(255)).count == 1)
        #expect(early.remove(Workbench.eventID(256)).isEmpty)
        #expect(early.remove(Workbench.eventID(299)).map(\.values) == [secret(2).values])
        // There is room again for what was taken out.
        early.insert(secret(1), of: Workbench.eventID(256), from: greedy)
        #expect(early.remove(Workbench.eventID(256)).count == 1)
    }

    @Test("candidates of all sessions come in the order of the sessions, and go with them")
    func candidates() {
        var early = EarlySecrets()
        let id = Workbench.eventID(1)
        for session in [3, 1, 2] as [UInt64] {
            early.insert(secret(UInt8(session)), of: id, from: SessionID(rawValue: session))
        }
        early.remove(from: SessionID(rawValue: 2))
        #expect(early.remove(id).map(\.values) == [secret(1).values, secret(3).values])
        #expect(early.remove(id).isEmpty)
    }
}
