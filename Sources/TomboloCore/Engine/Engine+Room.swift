// Room for links: strangers take none from peers, and no peer takes any from this device's own dials (protocol 4-7).
extension Engine {
    /// Makes room for a new link.
    ///
    /// - Parameter isKnown: whether the peer was known before the link opened.
    /// - Returns: false if there is none.
    mutating func makeRoom(for link: PeerLink, isKnown: Bool, in batch: inout Batch<Crypto>) -> Bool {
        if link.isDialler {
            return openSessions { sessions[$0].link.isDialler }.count < Limits.dialledSessions
        }
        // A peer that opens a further link may have found a former one broken before this device did.
        let ofPeer = openSessions { !sessions[$0].link.isDialler && sessions[$0].link.peer == link.peer }
        if ofPeer.count >= Limits.sessionsPerPeer, let oldest = ofPeer.min(by: { isOlder($0, $1) }) {
            close(oldest, .linkReplaced, in: &batch)
        }
        let others = openSessions { !sessions[$0].link.isDialler && sessions[$0].wasKnown == isKnown }
        if isKnown { return others.count < Limits.peerSessions }
        guard others.count >= Limits.strangerSessions else { return true }
        // A stranger needs a moment to prove itself. So the newest has it, however many come.
        guard let weakest = others.min(by: { isWeaker($0, $1) }) else { return false }
        close(weakest, .linkReplaced, in: &batch)
        return true
    }

    private func openSessions(where isIncluded: (Int) -> Bool) -> [Int] {
        sessions.indices.filter { !sessions[$0].isClosed && isIncluded($0) }
    }

    private func isOlder(_ one: Int, _ other: Int) -> Bool { sessions[one].link.session < sessions[other].link.session }

    /// Whether a session has less claim to its place: by trust, then by the time of the last payload, then by age.
    private func isWeaker(_ one: Int, _ other: Int) -> Bool {
        let (a, b) = (sessions[one].trust.rawValue, sessions[other].trust.rawValue)
        if a != b { return a < b }
        let (first, second) = (sessions[one].lastReceived, sessions[other].lastReceived)
        return first == second ? isOlder(one, other) : first < second
    }
}
