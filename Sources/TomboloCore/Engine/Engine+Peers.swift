// Peers that are kept in the store.
extension Engine {
    /// Keeps a device as a peer, and its addresses: the ``Limits/peerAddresses`` that were confirmed last, latest first.
    ///
    /// - Parameter addresses: addresses that were just received or dialled, best first. Malformed ones are left out.
    /// - Returns: the peer's current record.
    @discardableResult
    mutating func addPeer(
        _ device: DeviceKey, of member: MemberKey? = nil, dialect: Dialect = .native, addresses: [String],
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> PeerRecord {
        let known = try batch.store.peer(device)
        var peer = known ?? PeerRecord(device: device, dialect: dialect)
        if let member { peer.member = member }
        for address in addresses.reversed() where PeerAddress(address) != nil {
            peer.addresses.removeAll { $0 == address }
            peer.addresses.insert(address, at: 0)
        }
        // Invitations bring addresses without end.
        peer.addresses.removeLast(max(0, peer.addresses.count - Limits.peerAddresses))
        if peer != known { try keep(peer, in: batch.store) }
        return peer
    }

    /// Forgets an address of a peer.
    mutating func removeAddress(
        _ request: RequestID, _ address: String, of device: DeviceKey, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard var peer = try batch.store.peer(device), let place = peer.addresses.firstIndex(of: address) else {
            return batch.fail(request, .notAllowed("the peer has no address \(address)"))
        }
        peer.addresses.remove(at: place)
        try keep(peer, in: batch.store)
        batch.effects.append(.done(request))
    }

    /// Forgets a peer: its addresses, agreements with it, and its share in groups of the mvds dialect. Links to it are
    /// closed.
    mutating func removePeer(
        _ request: RequestID, _ device: DeviceKey, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        for index in sessions.indices where sessions[index].link.peer == device && !sessions[index].isClosed {
            close(index, .peerRemoved, in: &batch)
        }
        mvds.remove(device)
        try batch.store.removePeer(device)
        batch.effects.append(.done(request))
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
