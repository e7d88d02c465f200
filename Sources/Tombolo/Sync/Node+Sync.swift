public import TomboloCore

extension Node {
    /// Joins the group of an invitation: reaches the inviter, proves the secret, and syncs.
    ///
    /// - Throws: ``TomboloError`` `invalidLink` if the link is for linking a device or has no address;
    ///   `invitationRefused`, `unreachable`, `timedOut`, `linkClosed`.
    public func join(_ link: InvitationLink, timeout: Duration = .seconds(30)) async throws -> SyncGroup {
        guard !link.invitation.isForDevice else {
            throw TomboloError(
                .invalidLink, "this link links a device to a member, and does not invite to a group",
                recovery: "use it on a device that has no groups")
        }
        return try await reachInviter(link.invitation, timeout: timeout)
    }

    func reachInviter(_ invitation: Invitation, timeout: Duration) async throws -> SyncGroup {
        guard !invitation.addresses.isEmpty else {
            throw TomboloError(
                .invalidLink, "the invitation has no address of the inviter",
                recovery: "ask for one that is made while the inviter listens")
        }
        var lastError: any Error = TomboloError(.unreachable, "the inviter cannot be reached")
        for address in invitation.addresses.compactMap({ PeerAddress($0) }) {
            do {
                let report = try await sync(
                    with: invitation.inviter, at: address, joining: invitation, within: .budget(time: timeout))
                guard report.isComplete else {
                    throw TomboloError(.timedOut, "the inviter did not answer in time", recovery: "try again")
                }
                try await drain()
                if let group = try allGroups.first(where: { $0.id == invitation.group }) { return group }
            } catch {
                lastError = error
            }
        }
        if lastError is CancellationError { throw lastError }
        throw TomboloError(lastError)
    }

    /// Connects to a peer and stays connected until either side closes the link. New events arrive at once.
    ///
    /// - Throws: ``TomboloError`` `unreachable`.
    public func connect(to peer: DeviceKey, at address: String) async throws {
        let transports = try transports
        guard let address = PeerAddress(address) else { throw TomboloError.noAddress(address) }
        try await convertingErrors { try await transports.dial(address, expecting: peer) }
    }

    /// Syncs once with every peer whose address is known, one after the other, and closes the links.
    ///
    /// It ends when everything is in sync, when the budget is spent, or when the task is cancelled. Events that have
    /// arrived by then are kept. Peers that cannot be reached are reported, not thrown.
    /// - Throws: ``TomboloError`` `readOnly`, or of the store.
    public func sync(within budget: SyncBudget = .unlimited) async throws -> SyncReport {
        _ = try runtime
        let start = clock.uptime
        var report = SyncReport()
        for peer in try peerRecords where !peer.addresses.isEmpty {
            var left = budget
            if let bytes = budget.bytes { left.bytes = bytes - report.bytes }
            if let time = budget.time { left.time = time - (clock.uptime - start) }
            let id = PeerID(peer)
            guard left.bytes ?? 1 > 0, left.time ?? .seconds(1) > .zero, !Task.isCancelled else {
                report.failures[id] = TomboloError(
                    .budgetSpent, "the budget was spent before the peer's turn", recovery: "sync again")
                continue
            }
            for address in peer.dialAddresses {
                do {
                    let before = try readGroups().count
                    report.peers.append(try await sync(with: peer, at: address, within: left))
                    // The peer may be another device of this member, and have named groups that it is in.
                    if try readGroups().count > before {
                        report.peers.append(try await sync(with: peer, at: address, within: left))
                    }
                    report.failures[id] = nil
                    try confirm(address, of: peer)
                    break
                } catch {
                    report.failures[id] = TomboloError(error)
                }
            }
        }
        report.duration = clock.uptime - start
        return report
    }

    private func sync(
        with peer: PeerRecord, at address: PeerAddress, within budget: SyncBudget
    ) async throws -> PeerReport {
        switch peer.dialect {
        case .mvds: try await syncMVDS(with: PeerID(peer), at: address, within: budget)
        case .native: try await syncNative(with: peer.device, at: address, within: budget)
        }
    }

    /// Connects to a device, syncs every group that both have, and closes the link.
    ///
    /// - Throws: ``TomboloError`` `unreachable`, `timedOut`, `linkClosed`, `protocolViolation`; `CancellationError`.
    public func sync(
        with peer: DeviceKey, at address: String, within budget: SyncBudget = .unlimited
    ) async throws -> PeerReport {
        guard let address = PeerAddress(address) else { throw TomboloError.noAddress(address) }
        return try await syncNative(with: peer, at: address, within: budget)
    }

    private func syncNative(
        with peer: DeviceKey, at address: PeerAddress, within budget: SyncBudget
    ) async throws -> PeerReport {
        try await convertingErrors {
            do {
                return try await sync(with: peer, at: address, joining: nil, within: budget)
            } catch EngineError.visibilityChanged where budget == .unlimited {
                // The device has shown which member it belongs to.
                return try await sync(with: peer, at: address, joining: nil, within: budget)
            }
        }
    }

    private func sync(
        with peer: DeviceKey, at address: PeerAddress, joining invitation: Invitation?, within budget: SyncBudget
    ) async throws -> PeerReport {
        let queue = try queue
        let attempt = SyncAttempt(with: peer, joining: invitation, within: budget, by: clock)
        queue.prepare(attempt)
        defer {
            queue.forget(attempt)
            attempt.hangUp()
        }
        let start = clock.uptime
        try await transports.dial(address, expecting: peer)
        let handshakeDuration = clock.uptime - start
        let deadline = Task {
            guard let time = budget.time else { return }
            try await clock.sleep(for: time)
            attempt.spendBudget()
        }
        let listening = Task { await attempt.watchSilence() }
        defer {
            deadline.cancel()
            listening.cancel()
        }
        var common: Set<GroupID>?
        var (agreed, differing): ([GroupID: ReconciliationReport], Set<GroupID>) = ([:], [])
        var exchanged: Set<GroupID> = []
        var (isComplete, isTransferring) = (false, false)
        events: for await event in attempt.events {
            switch event {
            case .ready(let groups):
                if invitation == nil || !groups.isEmpty { common = (common ?? []).union(groups) }
            case .joined(let group):
                common = (common ?? []).union([group])
                // Stored at once, so that a device that is interrupted from here on can sync.
                if let invitation { queue.post([.addPeer(peer, addresses: invitation.addresses)]) }
            case .agreed(let group, let report):
                // Later agreements of the link concern events that were written meanwhile.
                agreed[group] = agreed[group] ?? report
                differing.remove(group)
            case .differed(let group): differing.insert(group)
            case .exchanged(let group): exchanged.insert(group)
            case .transferring(let isBusy): isTransferring = isBusy
            case .silent: throw TomboloError(.timedOut, "the peer at \(address) has stopped answering")
            case .closed(let error):
                if let error { throw error }
                throw TomboloError(
                    .linkClosed, "the link to \(address) was closed before everything was synced",
                    recovery: "sync again")
            case .budgetSpent: break events
            }
            let settled = differing.union(agreed.keys).union(exchanged)
            guard let common, common.isSubset(of: settled), !isTransferring else { continue }
            if let invitation, !common.contains(invitation.group) { continue }
            isComplete = differing.isDisjoint(with: common)
            break
        }
        let traffic = attempt.traffic
        return PeerReport(
            peer: .device(peer), groups: agreed.keys.sorted(),
            oneSidedGroups: exchanged.subtracting(agreed.keys).sorted(),
            reconciliations: agreed, isComplete: isComplete,
            bytesSent: traffic.sent,
            bytesReceived: traffic.received, handshakeBytes: traffic.handshake,
            duration: clock.uptime - start, handshakeDuration: handshakeDuration)
    }
}
