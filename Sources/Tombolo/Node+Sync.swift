public import TomboloCore

extension Node {
    /// Joins the group of an invitation: reaches the inviter, proves the secret, and syncs.
    public func join(_ link: InvitationLink, timeout: Duration = .seconds(30)) async throws -> SyncGroup {
        guard !link.invitation.isForDevice else {
            throw TomboloError(
                "this link makes a device another one of its maker's: use it on a device that has no groups")
        }
        return try await reachInviter(link.invitation, timeout: timeout)
    }

    func reachInviter(_ invitation: Invitation, timeout: Duration) async throws -> SyncGroup {
        guard !invitation.addresses.isEmpty else {
            throw TomboloError("the invitation says nowhere to reach the inviter: ask for one made while it listens")
        }
        var lastError: any Error = TomboloError("the inviter cannot be reached")
        for address in invitation.addresses {
            do {
                let report = try await sync(
                    with: invitation.inviter, at: address, joining: invitation, within: .budget(time: timeout))
                guard report.isComplete else { throw TomboloError("the inviter did not answer in time") }
                try await replica.drainAll()
                if let group = try allGroups.first(where: { $0.id == invitation.group }) { return group }
            } catch {
                lastError = error
            }
        }
        throw lastError
    }

    /// Connects to a peer and stays connected until either side closes: live events flow.
    public func connect(to peer: DeviceKey, at address: String) async throws {
        try await transport.dial(address, expecting: peer)
    }

    /// Syncs once with every peer whose address is known, one after the other, and hangs up.
    ///
    /// Ends when everything is in sync, when the budget is spent, or when the task is cancelled; what has come by then is
    /// kept, and reported. Peers that cannot be reached are reported, not thrown.
    public func sync(within budget: SyncBudget = .unlimited) async throws -> SyncReport {
        let start = clock.uptime
        var report = SyncReport()
        for peer in try peers where !peer.addresses.isEmpty {
            var left = budget
            if let bytes = budget.bytes { left.bytes = bytes - report.bytes }
            if let time = budget.time { left.time = time - (clock.uptime - start) }
            guard left.bytes ?? 1 > 0, left.time ?? .seconds(1) > .zero, !Task.isCancelled else {
                report.failures[peer.device] = "the budget was spent before its turn"
                continue
            }
            for address in peer.addresses {
                do {
                    let before = try groups.count
                    report.peers.append(try await sync(with: peer.device, at: address, within: left))
                    // It may have told of groups that another device of this one's member is in.
                    if try groups.count > before {
                        report.peers.append(try await sync(with: peer.device, at: address, within: left))
                    }
                    report.failures[peer.device] = nil
                    break
                } catch {
                    report.failures[peer.device] = "\(error)"
                }
            }
        }
        report.duration = clock.uptime - start
        return report
    }

    /// Connects to a peer, syncs every group that both have, and hangs up.
    ///
    /// - Throws: `TransportError` if it cannot be reached, `EngineError` if it does not follow the protocol.
    public func sync(
        with peer: DeviceKey, at address: String, within budget: SyncBudget = .unlimited
    ) async throws -> PeerReport {
        if try peers.contains(where: { $0.device == peer && $0.dialect == .mvds }) {
            return try await syncMVDS(with: peer, at: address, within: budget)
        }
        do {
            return try await sync(with: peer, at: address, joining: nil, within: budget)
        } catch EngineError.visibilityChanged where budget == .unlimited {
            // It has shown whose device it is.
            return try await sync(with: peer, at: address, joining: nil, within: budget)
        }
    }

    private func sync(
        with peer: DeviceKey, at address: String, joining invitation: Invitation?, within budget: SyncBudget
    ) async throws -> PeerReport {
        let mailbox = try mailbox
        let meeting = Meeting(with: peer, joining: invitation, within: budget, by: clock)
        mailbox.prepare(meeting)
        defer {
            mailbox.forget(meeting)
            meeting.hangUp()
        }
        let start = clock.uptime
        try await transport.dial(address, expecting: peer)
        let handshakeDuration = clock.uptime - start
        let deadline = Task {
            guard let time = budget.time else { return }
            try await clock.sleep(for: time)
            meeting.spendBudget()
        }
        let listening = Task { await meeting.watchSilence() }
        defer {
            deadline.cancel()
            listening.cancel()
        }
        var common: Set<GroupID>?
        var (agreed, differing): ([GroupID: ReconciliationReport], Set<GroupID>) = ([:], [])
        var exchanged: Set<GroupID> = []
        var (isComplete, isTransferring) = (false, false)
        news: for await event in meeting.news {
            switch event {
            case .ready(let groups):
                if invitation == nil || !groups.isEmpty { common = (common ?? []).union(groups) }
            case .joined(let group):
                common = (common ?? []).union([group])
                // At once: whoever is interrupted from here on can sync.
                if let invitation { mailbox.post([.addPeer(peer, addresses: invitation.addresses)]) }
            case .agreed(let group, let report):
                // Later ones of the same meeting are about what was said meanwhile.
                agreed[group] = agreed[group] ?? report
                differing.remove(group)
            case .differed(let group): differing.insert(group)
            case .exchanged(let group): exchanged.insert(group)
            case .transferring(let isBusy): isTransferring = isBusy
            case .silent: throw TomboloError("the peer at \(address) has stopped answering")
            case .closed(let error):
                if let error { throw error }
                throw TomboloError("the link to \(address) was closed before everything was synced")
            case .budgetSpent: break news
            }
            let settled = differing.union(agreed.keys).union(exchanged)
            guard let common, common.isSubset(of: settled), !isTransferring else { continue }
            if let invitation, !common.contains(invitation.group) { continue }
            isComplete = differing.isDisjoint(with: common)
            break
        }
        let traffic = meeting.traffic
        return PeerReport(
            peer: peer, groups: agreed.keys.sorted(), oneSidedGroups: exchanged.subtracting(agreed.keys).sorted(),
            reconciliations: agreed, isComplete: isComplete,
            bytesSent: traffic.sent,
            bytesReceived: traffic.received, handshakeBytes: traffic.handshake,
            duration: clock.uptime - start, handshakeDuration: handshakeDuration)
    }
}
