import Crypto
import SetReconciliation
import TestSupport
import Testing

struct NegentropyFile: Decodable {
    struct Exchange: Decodable {
        let name: String
        let frame_limit: Int
        let a: [[String]]
        let b: [[String]]
        let messages: [String]
        let have: Int
        let need: Int
    }

    let exchanges: [Exchange]

    static func load() throws -> NegentropyFile {
        try TestVectors.load("negentropy-v1.json", as: NegentropyFile.self)
    }
}

func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

@Suite("negentropy version 1, against its C++ implementation")
struct NegentropyVectors {
    private func items(_ pairs: [[String]]) throws -> SortedItems {
        SortedItems(
            try pairs.map { pair in
                RangeItem(
                    timestamp: try #require(UInt64(pair[0])), id: try #require(ItemID(bytes(pair[1]))))
            })
    }

    private func bytes(_ hex: String) -> [UInt8] {
        var characters = Substring(hex)
        var result: [UInt8] = []
        while !characters.isEmpty {
            result.append(UInt8(characters.prefix(2), radix: 16) ?? 0)
            characters = characters.dropFirst(2)
        }
        return result
    }

    @Test("both roles send the same bytes and find the same differences")
    func exchanges() throws {
        let file = try NegentropyFile.load()
        #expect(!file.exchanges.isEmpty)
        for exchange in file.exchanges {
            let messages = exchange.messages.map(bytes)
            var a = RangeReconciler(try items(exchange.a), frameLimit: exchange.frame_limit, sha256: sha256)
            var b = RangeReconciler(try items(exchange.b), frameLimit: exchange.frame_limit, sha256: sha256)
            var (have, need): (Set<ItemID>, Set<ItemID>) = ([], [])
            var next: [UInt8]? = try a.initiate()
            for (number, message) in messages.enumerated() {
                #expect(next == message, "\(exchange.name), message \(number)")
                if number.isMultiple(of: 2) {
                    next = try b.reconcile(message).reply
                } else {
                    let step = try a.reconcile(message)
                    have.formUnion(step.have)
                    need.formUnion(step.need)
                    next = step.reply
                }
            }
            #expect(next == nil, "\(exchange.name) ends")
            #expect(have.count == exchange.have && need.count == exchange.need, "\(exchange.name)")
        }
    }
}
