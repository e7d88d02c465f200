import TomboloCore
@testable import TomboloSimulation

extension FrozenDevice {
    /// Adds what the device holds in the end: only what an application or a peer can see, and what the store keeps.
    func add(to digest: inout FrozenDigest, members: [MemberKey]) throws {
        digest.add(synced.value)
        for note in notes.sorted() { digest.add(note) }
        for group in store.groups().sorted(by: { $0.id < $1.id }) {
            digest.add("\(group.id) \(group.dialect)")
            switch group.dialect {
            case .native: addNative(group, members, to: &digest)
            case .mvds: addMVDS(group, to: &digest)
            }
        }
        addFiles(to: &digest)
        for peer in store.peers() {
            digest.add("\(peer.device) \(peer.dialect) \(hexadecimal(peer.incarnation))")
            digest.add("\(store.nextRecord(with: peer.device) ?? 0) \(store.requestCount(with: peer.device))")
        }
    }

    private func addNative(_ group: GroupRecord, _ members: [MemberKey], to digest: inout FrozenDigest) {
        digest.add(root(of: group.id).map { "\($0)" } ?? "-")
        for member in members { digest.add(engine.role(of: member, in: group.id).map { "\($0)" } ?? "-") }
        digest.add(engine.isRemoved(from: group.id) ? "removed" : "member")
        for change in store.changes(in: group.id) {
            digest.add("\(change.kind)")
            digest.add(change.event.event.id.value.prefix64)
        }
        let held = store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
            .filter { store.stored($0.event, in: group.id) != nil }
        for stored in held.sorted(by: { $0.event.id < $1.event.id }) {
            digest.add(stored.event.id.value.prefix64)
            digest.add("\(stored.status) \(stored.event.content == nil)")
        }
        for log in store.logs(inGroup: group.reference).sorted(by: { $0.id < $1.id }) {
            digest.add("\(log.id) \(log.floor)")
            if log.floor > 0 { count("state.floor") }
        }
        for secret in store.secrets(inGroup: group.reference) { digest.add("\(secret.rekey) \(secret.extent)") }
        // The retention, its horizon and its marks; whom the group is hidden from.
        for key in ["contents", "visibility"] {
            digest.add(hexadecimal(store.value(forKey: "\(key)-\(group.id)") ?? []))
        }
        for peer in store.peers() {
            for agreement in store.agreements(with: peer.device, inGroup: group.reference) {
                digest.add(agreement.token)
            }
        }
        for change in store.changes(in: group.id) { count("change.\(change.kind)") }
    }

    private func addMVDS(_ group: GroupRecord, to digest: inout FrozenDigest) {
        for message in store.deliveredMessages(in: group.id) { digest.add(message.id.value.prefix64) }
        digest.add("\(store.peers(sharing: group.reference))")
        digest.add("\(store.messageHeads(inGroup: group.reference, limit: 64))")
        digest.add("\(store.waitingMessages(inGroup: group.reference).map(\.id))")
    }

    private func addFiles(to digest: inout FrozenDigest) {
        digest.add(store.fileBytes())
        for file in FrozenFile.all {
            guard let record = store.file(file.id) else {
                digest.add("-")
                continue
            }
            digest.add("\(record.want) \(record.isComplete) \(Array(record.held.ranges))")
        }
    }
}
