/// The peers of a store in memory.
///
/// A simulation has thousands of devices with hundreds of peers each. So a peer takes about sixty bytes, and stores
/// share its record.
struct PeerTable {
    /// The record of a peer, which all stores with an equal record share.
    final class Shared: Sendable {
        let record: PeerRecord
        init(_ record: PeerRecord) { self.record = record }
    }

    private struct Peer {
        var shared: Shared
        var agreements = Agreements()
    }

    /// The peers in ascending order of their keys.
    private var peers: [Peer] = []

    var records: [PeerRecord] { peers.map(\.shared.record) }

    subscript(device: DeviceKey) -> PeerRecord? { place(of: device).map { peers[$0].shared.record } }

    mutating func put(_ shared: Shared) {
        let device = shared.record.device
        if let place = place(of: device) {
            peers[place].shared = shared
        } else {
            peers.insert(Peer(shared: shared), at: peers.partitionPoint { $0.shared.record.device > device })
        }
    }

    mutating func remove(_ device: DeviceKey) {
        if let place = place(of: device) { peers.remove(at: place) }
    }

    func agreements(with device: DeviceKey, inGroup group: Int64) -> [Agreement] {
        place(of: device).map { peers[$0].agreements[group] } ?? []
    }

    mutating func put(_ agreement: Agreement, with device: DeviceKey, inGroup group: Int64) {
        guard let place = place(of: device) else { return }
        let kept = peers[place].agreements[group].prefix(Limits.agreements - 1)
        peers[place].agreements[group] = [agreement] + kept
    }

    mutating func forgetAgreements(with device: DeviceKey) {
        if let place = place(of: device) { peers[place].agreements = Agreements() }
    }

    mutating func forgetAgreements(inGroup group: Int64) {
        for place in peers.indices { peers[place].agreements[group] = [] }
    }

    private func place(of device: DeviceKey) -> Int? {
        let place = peers.partitionPoint { $0.shared.record.device >= device }
        return place < peers.count && peers[place].shared.record.device == device ? place : nil
    }
}

/// The agreements with one peer, newest first: those of one group in place, those of other groups in a dictionary.
private struct Agreements {
    private struct Slot {
        let token: UInt64
        let ordinal: Int32
        let lastLog: Int32

        init(_ agreement: Agreement) {
            (token, ordinal, lastLog) = (agreement.token, Int32(agreement.ordinal), Int32(agreement.lastLog))
        }

        var agreement: Agreement { Agreement(token: token, ordinal: Int64(ordinal), lastLog: Int64(lastLog)) }
    }

    /// The group of ``newest`` and ``earlier``; 0 for none.
    private var group: Int32 = 0
    private var newest: Slot?
    private var earlier: Slot?
    private var others: [Int64: [Agreement]] = [:]

    subscript(group: Int64) -> [Agreement] {
        get {
            if group == Int64(self.group) { return [newest, earlier].compactMap { $0?.agreement } }
            return others.isEmpty ? [] : others[group] ?? []
        }
        set {
            if self.group == 0 { self.group = Int32(group) }
            if group == Int64(self.group) {
                (newest, earlier) = (newValue.first.map(Slot.init), newValue.dropFirst().first.map(Slot.init))
            } else {
                others[group] = newValue.isEmpty ? nil : newValue
            }
        }
    }
}
