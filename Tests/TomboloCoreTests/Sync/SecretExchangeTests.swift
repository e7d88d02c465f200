import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("An exchange of secrets by itself")
struct SecretExchangeTests {
    private var bench: Workbench

    init() throws {
        bench = try Workbench(seed: 1, .private)
        try bench.run { replica, batch in
            try replica.advance(.stateSharingKey, in: &batch)
            try replica.advance(.saveLogs, in: &batch)
        }
        #expect(bench.replica.hasStatedKey(of: bench.identity.device))
    }

    private mutating func lack(_ numbers: Range<Int>) {
        bench.replica.secrets?.missing = numbers.map(Workbench.eventID)
    }

    /// - Returns: the number of secrets that the batch requests.
    private mutating func request(
        by exchange: inout SecretExchange, over link: PeerLink, requests: Bool = true
    ) throws -> Int {
        var inner = exchange
        let sent = try bench.run { replica, batch in
            inner.request(&replica, requests: requests, number: 0, over: link, in: &batch)
        }.sent
        exchange = inner
        return sent.reduce(0) { $0 + ($1.secretsWanted?.count ?? 0) / 32 }
    }

    private mutating func receive(_ bytes: [UInt8], by exchange: inout SecretExchange, over link: PeerLink) throws {
        var inner = exchange
        try bench.run { replica, batch in try inner.receive(bytes[...], &replica, over: link, in: &batch) }
        exchange = inner
    }

    private mutating func decline(by exchange: inout SecretExchange) throws -> [[UInt8]] {
        var inner = exchange
        let sent = try bench.run { _, batch in inner.decline(number: 0, over: Workbench.link(1), in: &batch) }.sent
        exchange = inner
        return sent.map { Array($0.share ?? []) }
    }

    @Test("a secret is requested once, and again after 32 s and 64 s without an answer")
    mutating func patience() throws {
        lack(0..<1)
        var exchange = SecretExchange()
        let link = Workbench.link(1)
        #expect(try request(by: &exchange, over: link, requests: false) == 0)
        #expect(try request(by: &exchange, over: link) == 1)
        #expect(exchange.isAwaiting && exchange.nextRequest == bench.now + 32_000)
        bench.now += 31_999
        #expect(try request(by: &exchange, over: link) == 0)
        bench.now += 1
        #expect(try request(by: &exchange, over: link) == 1)
        bench.now += 63_999
        #expect(try request(by: &exchange, over: link) == 0)
        bench.now += 1
        #expect(try request(by: &exchange, over: link) == 1)
    }

    @Test("another peer is asked a second later, and not before")
    mutating func second() throws {
        lack(0..<1)
        var (first, second) = (SecretExchange(), SecretExchange())
        #expect(try request(by: &first, over: Workbench.link(1, peer: 1)) == 1)
        #expect(try request(by: &second, over: Workbench.link(2, peer: 2)) == 0)
        #expect(second.nextRequest == bench.now + 1_000)
        bench.now += 999
        #expect(try request(by: &second, over: Workbench.link(2, peer: 2)) == 0)
        bench.now += 1
        #expect(try request(by: &second, over: Workbench.link(2, peer: 2)) == 1)
    }

    @Test("when a peer declines a secret, others are asked at once, and it is not asked again")
    mutating func declined() throws {
        lack(0..<1)
        var (first, second) = (SecretExchange(), SecretExchange())
        let (a, b) = (Workbench.link(1, peer: 1), Workbench.link(2, peer: 2))
        #expect(try request(by: &first, over: a) == 1)
        try receive(Workbench.eventID(0).bytes, by: &first, over: a)
        #expect(!first.isAwaiting)
        #expect(try request(by: &first, over: a) == 0)
        #expect(try request(by: &second, over: b) == 1)
        bench.now += 100_000
        #expect(try request(by: &first, over: a) == 0)
    }

    @Test("when a session closes, others are asked at once for what it had not answered")
    mutating func closing() throws {
        lack(0..<1)
        var (first, second) = (SecretExchange(), SecretExchange())
        #expect(try request(by: &first, over: Workbench.link(1, peer: 1)) == 1)
        first.close(&bench.replica)
        #expect(try request(by: &second, over: Workbench.link(2, peer: 2)) == 1)
    }

    @Test("the latest 256 secrets are requested first")
    mutating func atOnce() throws {
        lack(0..<300)
        var exchange = SecretExchange()
        #expect(try request(by: &exchange, over: Workbench.link(1)) == 256)
        #expect(try request(by: &exchange, over: Workbench.link(1)) == 0)
    }

    @Test("a device that has not stated its key requests nothing")
    mutating func withoutKey() throws {
        bench = try Workbench(seed: 2, .private)
        lack(0..<1)
        var exchange = SecretExchange()
        #expect(try request(by: &exchange, over: Workbench.link(1)) == 0)
    }

    @Test("a peer may wait for 4,096 secrets")
    func wantedBound() throws {
        for count in [4_095, 4_096, 4_097] {
            var exchange = SecretExchange()
            try exchange.receive(wanted: (0..<count).flatMap { Workbench.eventID($0).bytes }[...])
            #expect(exchange.wanted.count == min(count, 4_096))
        }
        var exchange = SecretExchange()
        #expect(throws: WireError.self) { try exchange.receive(wanted: [1, 2, 3]) }
    }

    @Test("a secret that is not here is declined once, and again when the peer asks again")
    mutating func declining() throws {
        var exchange = SecretExchange()
        let id = Workbench.eventID(5)
        try exchange.receive(wanted: id.bytes[...])
        #expect(try decline(by: &exchange) == [id.bytes])
        #expect(try decline(by: &exchange) == [])
        try exchange.receive(wanted: id.bytes[...])
        #expect(try decline(by: &exchange) == [id.bytes])
    }

    @Test("a share that is not sealed to this device is an error")
    mutating func wrongShare() throws {
        lack(0..<1)
        var exchange = SecretExchange()
        let link = Workbench.link(1)
        _ = try request(by: &exchange, over: link)
        let share = Workbench.eventID(0).bytes + [UInt8](repeating: 5, count: 120)
        #expect(throws: EngineError.self) { try receive(share, by: &exchange, over: link) }
    }
}
