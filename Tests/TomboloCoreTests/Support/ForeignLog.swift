import TomboloCore
import TomboloCrypto

/// A log whose keys the test holds. The test can fork it, leave gaps, and sign anything.
struct ForeignLog {
    let group: GroupID
    let id: LogID
    var member: MemberKey { certificate.member }
    private let cryptography = SwiftCryptography()
    private let key: SwiftCryptography.SigningKey
    private let certificate: Certificate
    private var hashing: EventHashing

    init(group: GroupID, seed: UInt64, isStateLog: Bool = false) {
        self.group = group
        var generator = SeededGenerator(seed: seed)
        func make() -> SwiftCryptography.SigningKey {
            let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
            return SwiftCryptography().signingKey(seed: Bytes32(bytes) ?? .zero)
        }
        let (member, device) = (make(), make())
        key = make()
        let memberKey = MemberKey(cryptography.publicKey(of: member))
        let deviceKey = DeviceKey(cryptography.publicKey(of: device))
        let signature = cryptography.sign(
            DeviceAdmission.statement(member: memberKey, device: deviceKey), with: member)
        certificate = Certificate(
            ofLogWithKey: key, isStateLog: isStateLog, in: group, member: memberKey,
            admission: DeviceAdmission(of: deviceKey, signature: signature), signedBy: device, using: cryptography)
        id = certificate.logID(in: group, using: cryptography)
        hashing = EventHashing(group: group)
    }

    /// Creates the event after `previous` in the log, signed unless `signed` is false.
    mutating func event(
        after previous: Event?, parents: [Event] = [], _ text: String, signed: Bool = true,
        change: (inout EventHeader) -> Void = { _ in }
    ) -> Event {
        let content = Array(text.utf8)
        var header = EventHeader(
            kind: .message, isSalted: false, log: id, sequence: (previous?.header.sequence ?? 0) + 1,
            previous: previous.map { Backlink(id: $0.id, lamport: $0.header.lamport) },
            parents: parents.map(\.reference).sorted(), contentLength: content.count,
            commitment: hashing.commitment(salt: [], content: content[...], using: cryptography),
            extensions: previous == nil ? certificate.headerExtension[...] : [])
        change(&header)
        let bytes = header.encoded[...]
        return Event(
            id: hashing.id(timestamp: 1, header: bytes, using: cryptography), timestamp: 1, header: header,
            headerBytes: bytes,
            content: content[...], salt: nil,
            signature: signed ? hashing.sign(timestamp: 1, header: bytes, with: key, using: cryptography)[...] : nil)
    }

    /// Creates the log's first event, of a kind of state event, without references.
    mutating func event(_ kind: EventKind, _ content: [UInt8]) -> Event {
        let header = EventHeader(
            kind: kind, isSalted: false, log: id, sequence: 1, previous: nil, contentLength: content.count,
            commitment: hashing.commitment(salt: [], content: content[...], using: cryptography),
            extensions: certificate.headerExtension[...])
        let bytes = header.encoded[...]
        return Event(
            id: hashing.id(timestamp: 1, header: bytes, using: cryptography), timestamp: 1, header: header,
            headerBytes: bytes, content: content[...], salt: nil,
            signature: hashing.sign(timestamp: 1, header: bytes, with: key, using: cryptography)[...])
    }

    /// Creates the log's first event, with a content that was sealed elsewhere.
    mutating func event(sealed content: [UInt8], salt: [UInt8], under rekey: EventReference) -> Event {
        let header = EventHeader(
            kind: .message, isSalted: true, log: id, sequence: 1, previous: nil, rekeys: [rekey],
            contentLength: content.count,
            commitment: hashing.commitment(salt: salt[...], content: content[...], using: cryptography),
            extensions: certificate.headerExtension[...])
        let bytes = header.encoded[...]
        return Event(
            id: hashing.id(timestamp: 1, header: bytes, using: cryptography), timestamp: 1, header: header,
            headerBytes: bytes, content: content[...], salt: salt[...],
            signature: hashing.sign(timestamp: 1, header: bytes, with: key, using: cryptography)[...])
    }

    /// Creates a chain of events after `previous`.
    mutating func chain(_ count: Int, after previous: Event? = nil, _ text: String) -> [Event] {
        var events: [Event] = []
        for number in 0..<count { events.append(event(after: events.last ?? previous, "\(text) \(number)")) }
        return events
    }
}

extension Devices {
    @discardableResult
    func ingest(_ events: [Event], into device: Int, group: GroupID) throws -> [EngineEffect] {
        let before = devices[device].effects.count
        try step(device, [.ingest(99, group: group, events.map { $0.message(in: group) })])
        return Array(devices[device].effects[before...])
    }

    /// Connects two devices until no more payloads are sent, and disconnects them.
    func meet(_ a: Int, _ b: Int) throws {
        let session = try connect(a, b)
        try settle()
        try disconnect(session)
    }

    func haveAgreed(_ device: Int) -> Bool {
        devices[device].effects.contains {
            if case .agreed = $0 { return true }
            return false
        }
    }

    func forks(_ device: Int) -> Int {
        devices[device].effects.count {
            if case .forked = $0 { return true }
            return false
        }
    }
}
