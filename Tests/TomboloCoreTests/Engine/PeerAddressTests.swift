import Testing
import TomboloCore

@Suite("Addresses of peers")
struct PeerAddressTests {
    private let peer = DeviceKey(.zero)

    private func kept(afterAdding count: Int) throws -> [String] {
        let cluster = try Cluster(strangers: "ann", seed: 7)
        for number in 0..<count {
            // A known address is not kept twice.
            for _ in 0..<2 { try cluster["ann"].step(.addPeer(peer, addresses: ["host:\(number)"])) }
        }
        return try #require(cluster["ann"].store.peer(peer)?.addresses)
    }

    @Test("are all kept up to the bound")
    func upToTheBound() throws {
        #expect(try kept(afterAdding: Limits.peerAddresses) == (0..<Limits.peerAddresses).map { "host:\($0)" })
    }

    @Test("beyond the bound leave the latest")
    func beyondTheBound() throws {
        let count = 3 * Limits.peerAddresses
        #expect(try kept(afterAdding: count) == (count - Limits.peerAddresses..<count).map { "host:\($0)" })
    }
}
