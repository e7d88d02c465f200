import TomboloCore
import TomboloCrypto

/// A member with keys of its own and as many logs as it likes. It signs whatever a test wants.
struct Attacker {
    let member: MemberKey
    let admission: DeviceAdmission
    private let device: SwiftCryptography.SigningKey
    private let seed: UInt64
    private let cryptography = SwiftCryptography()

    init(seed: UInt64) {
        self.seed = seed
        let signer = cryptography.signingKey(seed: Bytes32(word: seed &* 2 &+ 0x5eed_0000))
        device = cryptography.signingKey(seed: Bytes32(word: seed &* 2 &+ 0x5eed_0001))
        member = MemberKey(cryptography.publicKey(of: signer))
        let key = DeviceKey(cryptography.publicKey(of: device))
        let statement = DeviceAdmission.statement(member: member, device: key)
        admission = DeviceAdmission(of: key, signature: cryptography.sign(statement, with: signer))
    }

    /// - Parameter grant: the role change that gives the right to write in the log, if one is needed.
    func log(
        in group: GroupID, number: UInt64 = 0, isStateLog: Bool = false, under grant: EventReference? = nil
    ) -> Log {
        let words = [seed, number, isStateLog ? 1 : 0].flatMap { Bytes32(word: $0).bytes }
        let key = cryptography.signingKey(seed: cryptography.sha256(words))
        let certificate = Certificate(
            ofLogWithKey: key, isStateLog: isStateLog, in: group, member: member, admission: admission,
            grant: grant?.id, signedBy: device, using: cryptography)
        return Log(group: group, certificate: certificate, grant: grant, key: key)
    }

    struct Log {
        let id: LogID
        private let certificate: Certificate
        private let grant: EventReference?
        private let key: SwiftCryptography.SigningKey
        private var hashing: EventHashing
        private let cryptography = SwiftCryptography()

        fileprivate init(
            group: GroupID, certificate: Certificate, grant: EventReference?, key: SwiftCryptography.SigningKey
        ) {
            (self.certificate, self.grant, self.key) = (certificate, grant, key)
            id = certificate.logID(in: group, using: cryptography)
            hashing = EventHashing(group: group)
        }

        /// Signs the event after another one, or a first event. Another time makes another event.
        mutating func event(
            after previous: Event? = nil, _ kind: EventKind = .message, _ content: [UInt8] = [], at time: Int64 = 1,
            naming heads: [EventReference] = []
        ) -> Event {
            let header = header(after: previous, kind, content, naming: heads)
            return sign(header, header.encoded[...], content, at: time)
        }

        mutating func event(after previous: Event? = nil, _ action: StateAction, at time: Int64 = 1) -> Event {
            event(after: previous, action.kind, action.encoded, at: time)
        }

        /// First events of the log, alike but for their times, with ids that begin with a zero byte.
        mutating func ground(_ count: Int, _ kind: EventKind) -> [Event] {
            let header = header(after: nil, kind, [], naming: [])
            let bytes = header.encoded[...]
            var (found, time): ([Event], Int64) = ([], 0)
            while found.count < count {
                time += 1
                guard hashing.id(timestamp: time, header: bytes, using: cryptography).value.bytes[0] == 0 else {
                    continue
                }
                found.append(sign(header, bytes, [], at: time))
            }
            return found
        }

        private mutating func header(
            after previous: Event?, _ kind: EventKind, _ content: [UInt8], naming heads: [EventReference]
        ) -> EventHeader {
            let named = heads + (previous == nil ? grant.map { [$0] } ?? [] : [])
            return EventHeader(
                kind: kind, isSalted: false, log: id, sequence: (previous?.header.sequence ?? 0) + 1,
                previous: previous.map { Backlink(id: $0.id, lamport: $0.header.lamport) }, stateHeads: named.sorted(),
                contentLength: content.count,
                commitment: hashing.commitment(salt: [], content: content[...], using: cryptography),
                extensions: previous == nil ? certificate.headerExtension[...] : [])
        }

        private mutating func sign(_ header: EventHeader, _ bytes: Bytes, _ content: [UInt8], at time: Int64) -> Event {
            Event(
                id: hashing.id(timestamp: time, header: bytes, using: cryptography), timestamp: time, header: header,
                headerBytes: bytes, content: content[...], salt: nil,
                signature: hashing.sign(timestamp: time, header: bytes, with: key, using: cryptography)[...])
        }
    }
}

extension Cluster.Device {
    /// The state events of a member that the device holds.
    func stateEvents(of member: MemberKey) -> [StoredEvent] {
        let logs = store.logs(inGroup: groupReference).filter {
            $0.certificate?.isStateLog == true && $0.certificate?.member == member
        }
        let ids = Set(logs.map(\.id))
        return events.filter { ids.contains($0.event.header.log) }
    }

    /// The role change of a member that the device holds.
    func grant(to member: MemberKey) -> EventReference? {
        events.map(\.event).last { event in
            guard event.header.kind == .membership,
                let action = try? StateAction(decoding: event.content ?? [], kind: .membership),
                case .grant(member, _, _, _) = action
            else { return false }
            return true
        }?.reference
    }
}
