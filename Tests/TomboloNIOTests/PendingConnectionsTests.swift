import NIOCore
import NIOEmbedded
import Testing

@testable import TomboloNIO

@Suite("Connections that have proved no key yet")
struct PendingConnectionsTests {
    @Test("beyond the room of a host, the oldest of that host goes")
    func perHost() {
        var pending = PendingConnections(most: 10, mostPerHost: 2)
        let channels = (0..<4).map { _ in EmbeddedChannel() }
        #expect(pending.insert(channels[0], from: [1]) == nil)
        #expect(pending.insert(channels[1], from: [2]) == nil)
        #expect(pending.insert(channels[2], from: [2]) == nil)
        #expect(pending.insert(channels[3], from: [2]) === channels[1])
        #expect(pending.count == 3)
    }

    @Test("beyond the room in all, the oldest of all goes")
    func inAll() {
        var pending = PendingConnections(most: 3, mostPerHost: 2)
        let channels = (0..<4).map { _ in EmbeddedChannel() }
        for index in 0..<3 { #expect(pending.insert(channels[index], from: [UInt8(index)]) == nil) }
        #expect(pending.insert(channels[3], from: [9]) === channels[0])
    }

    @Test("a connection that has proved a key makes room")
    func proved() {
        var pending = PendingConnections(most: 1, mostPerHost: 1)
        let channels = (0..<2).map { _ in EmbeddedChannel() }
        #expect(pending.insert(channels[0], from: [1]) == nil)
        pending.remove(channels[0])
        #expect(pending.insert(channels[1], from: [1]) == nil)
    }

    @Test("hosts are IPv4 addresses, and networks of 64 bits of IPv6")
    func hosts() throws {
        func host(_ text: String) throws -> [UInt8] {
            PendingConnections.host(of: try SocketAddress(ipAddress: text, port: 1))
        }
        #expect(try host("127.0.0.1") == [127, 0, 0, 1])
        #expect(try host("2001:db8::1") == host("2001:db8::ffff:1"))
        #expect(try host("2001:db8::1") != host("2001:db8:0:1::1"))
    }
}
