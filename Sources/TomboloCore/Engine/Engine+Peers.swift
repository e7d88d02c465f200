// Peers that are kept in the store.
extension Engine {
    /// Keeps a device as a peer, and where it is reached: the latest ``Limits/peerAddresses``.
    ///
    /// - Returns: the peer's current record.
    @discardableResult
    mutating func addPeer(
        _ device: DeviceKey, of member: MemberKey? = nil, dialect: Dialect = .native, addresses: [String],
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> PeerRecord {
        let known = try batch.store.peer(device)
        var peer = known ?? PeerRecord(device: device, dialect: dialect)
        if let member { peer.member = member }
        for address in addresses where !peer.addresses.contains(address) { peer.addresses.append(address) }
        // Invitations bring addresses without end.
        peer.addresses.removeFirst(max(0, peer.addresses.count - Limits.peerAddresses))
        if peer != known { try keep(peer, in: batch.store) }
        return peer
    }

    private mutating func keep(_ peer: PeerRecord, in store: any EventStore) throws(StoreError) {
        try store.put(peer)
        for index in sessions.indices where sessions[index].link.peer == peer.device { sessions[index].peer = peer }
    }

    /// Notes the incarnation that a peer has shown. Under a new one it may have lost events that it held. So agreements
    /// with it are forgotten.
    mutating func noteIncarnation(
        _ incarnation: [UInt8], session index: Int, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard var peer = sessions[index].peer, peer.incarnation != incarnation else { return }
        if !peer.incarnation.isEmpty { try batch.store.forgetPeer(peer.device) }
        peer.incarnation = incarnation
        try keep(peer, in: batch.store)
    }
}
