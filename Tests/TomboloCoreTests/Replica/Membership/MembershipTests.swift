import Testing
import TomboloCore
import TomboloCrypto

/// Rights in a group, tested between engines. Each test would fail if one of the checks were removed.
struct MembershipTests {
    @Test func onlyMembersWrite() throws {
        let cluster = try Cluster("ann", "bob", "cat", policy: .private, seed: 1, meetings: .toFirst)
        #expect(cluster["bob"].roles == [.owner, .member, .member])
        try cluster["bob"].send("hello")
        try cluster.syncAll(rounds: 2)
        #expect(cluster["cat"].texts.contains("hello"))
        // A stranger has the group's secret and no role. Its client writes all the same.
        var stranger = cluster.foreignLog(seed: 9)
        try cluster["ann"].ingest([stranger.event(after: nil, "I was here")])
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(!device.texts.contains("I was here")) }
        #expect(cluster["bob"].errors.isEmpty && cluster["cat"].errors.isEmpty)
    }

    @Test func readersOfAFeedDoNotWrite() throws {
        let cluster = try Cluster("ann", "bob", policy: .feed, seed: 2, role: .reader, meetings: .toFirst)
        try cluster["bob"].send("me too")
        #expect(cluster["bob"].refusals.contains { $0.isForbidden })
        try cluster["ann"].send("news")
        try cluster.syncAll(rounds: 2)
        #expect(cluster["bob"].texts == ["news"])
        #expect(try cluster["ann"].setRole(of: "bob", to: .member) == nil)
        try cluster.syncAll(rounds: 2)
        try cluster["bob"].send("a guest's column")
        try cluster.syncAll(rounds: 2)
        #expect(cluster["ann"].news == [.delivered("news"), .delivered("a guest's column")])
    }

    @Test func whatARemovedMemberSaysWithoutKnowingIsHeldBackEverywhere() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", policy: .private, seed: 3, meetings: .toFirst)
        try cluster["bob"].send("before")
        try cluster.syncAll(rounds: 2)
        // Bob does not know of its removal, and reaches only one of the others.
        #expect(try cluster["ann"].setRole(of: "bob", to: .none) == nil)
        try cluster["bob"].send("late")
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].news == [.delivered("before"), .delivered("late")])
        try cluster["cat"].send("an answer")
        try cluster.sync("ann", "dan")
        try cluster.sync("cat", "dan")
        #expect(cluster["dan"].news == [.delivered("before"), .delivered("an answer")])
        try cluster.sync("ann", "cat")
        #expect(cluster["cat"].news.last == .withdrawn("late"))
        // A member that learns of its removal writes nothing more.
        try cluster.sync("ann", "bob")
        try cluster["bob"].send("too late")
        #expect(cluster["bob"].refusals.contains { $0.isForbidden })
        try cluster.syncAll(rounds: 2)
        for device in cluster["ann", "cat", "dan"] {
            #expect(device.roles == [.owner, .none, .member, .member])
            let shown = device.news
            #expect(shown.contains(.delivered("before")) && shown.contains(.delivered("an answer")))
            #expect(!shown.contains(.delivered("late")) || shown.contains(.withdrawn("late")))
        }
        // An undo delivers the events that were held back.
        #expect(try cluster["ann"].setRole(of: "bob", to: .member) == nil)
        try cluster.syncAll(rounds: 2)
        #expect(cluster["dan"].news.last == .delivered("late"))
        #expect(cluster["cat"].news.last == .restored("late"))
        #expect(cluster.errors.isEmpty)
    }

    /// A modified client continues to write, and names the state from before its removal.
    @Test func aLateBranchOnOldStateIsNotDelivered() throws {
        let cluster = try Cluster("ann", "bob", "cat", policy: .private, seed: 4, meetings: .toFirst)
        try cluster["bob"].send("mine")
        try cluster.syncAll(rounds: 2)
        let copy = cluster["bob"].backup()
        #expect(try cluster["ann"].setRole(of: "bob", to: .none) == nil)
        try cluster.sync("ann", "cat")
        // Bob's device continues with its old store.
        try cluster["bob"].restart(seed: 77, from: copy)
        try cluster["bob"].send("still here")
        try cluster.sync("bob", "cat")
        try cluster.sync("bob", "ann")
        #expect(!cluster["cat"].texts.contains("still here"))
        #expect(!cluster["ann"].texts.contains("still here"))
        // The events are held all the same, so nobody stalls.
        #expect(cluster["cat"].hasAgreed)
    }

    @Test func whoRemoveEachOtherEndTheSameEverywhere() throws {
        for order in [["ann", "bob", "cat"], ["cat", "bob", "ann"], ["bob", "ann", "cat"]] {
            let cluster = try Cluster(
                "ann", "bob", "cat", "dan", policy: .private, seed: 5, role: .admin, meetings: .toFirst)
            try cluster.syncAll(rounds: 2)
            #expect(cluster["dan"].roles == [.owner, .admin, .admin, .admin])
            // The member that was admitted first has seniority and wins. The other one may not remove it.
            #expect(try cluster["bob"].setRole(of: "cat", to: .none) == nil)
            let why = try cluster["cat"].setRole(of: "bob", to: .none)
            #expect(why?.description.contains("before you") ?? false)
            for other in order { try cluster.sync(other, "dan") }
            try cluster.syncAll(rounds: 2)
            for device in cluster.all { #expect(device.roles == [.owner, .admin, .none, .admin]) }
        }
    }

    @Test func whatARemovedAdminDidWithoutKnowingHasNoEffect() throws {
        let cluster = try Cluster(
            "ann", "bob", "cat", "dan", policy: .private, seed: 6, role: .admin, meetings: .toFirst)
        try cluster.syncAll(rounds: 2)
        #expect(try cluster["ann"].setRole(of: "bob", to: .none) == nil)
        #expect(try cluster["bob"].setRole(of: "dan", to: .none) == nil)
        try cluster["bob"].set("title", to: "mine")
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].roles == [.owner, .admin, .admin, .none])
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(device.roles == [.owner, .none, .admin, .admin]) }
        // For Cat, Dan was removed for a while. Its messages still count.
        try cluster["dan"].send("still in")
        try cluster.syncAll(rounds: 2)
        #expect(cluster["cat"].texts.contains("still in"))
    }

    @Test func anEngineOpenedAgainKnowsWhoMayDoWhat() throws {
        let cluster = try Cluster("ann", "bob", "cat", policy: .private, seed: 7, meetings: .toFirst)
        #expect(try cluster["ann"].setRole(of: "cat", to: .admin) == nil)
        #expect(try cluster["ann"].setRole(of: "bob", to: .none) == nil)
        try cluster.syncAll(rounds: 2)
        let before = cluster["ann"].roles
        try cluster["ann"].restart(seed: 8)
        #expect(cluster["ann"].roles == before)
        #expect(before == [.owner, .none, .admin])
        #expect(try cluster["ann"].setRole(of: "bob", to: .reader) == nil)
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(device.roles == [.owner, .reader, .admin]) }
    }

    @Test func invitingNeedsTheRight() throws {
        let cluster = try Cluster("ann", "bob", policy: .private, seed: 8, meetings: .toFirst)
        try cluster["bob"].step(.invite(3, group: cluster.group, addresses: [], expiry: .max))
        #expect(cluster["bob"].refusals.contains { $0.isForbidden })
    }

    @Test func anInvitationAdmitsAsManyAsItSaysUntilItIsRevoked() throws {
        let cluster = try Cluster(strangers: "ann", "bob", "cat", "dan", "eve", "fay", seed: 9)
        let ann = cluster["ann"]
        cluster.group = try #require(try ann.createGroup(.private))
        for uses in [0, Limits.invitationUses + 1, -1] {
            #expect(try ann.invite(uses: uses)?.isForbidden == true, "an invitation for \(uses) was made")
        }
        #expect(try ann.invite(uses: Limits.invitationUses) == nil)
        #expect(try ann.invite(uses: 3) == nil)
        let invitation = ann.invitation
        func join(_ device: String, with invitation: Invitation) throws -> Bool {
            try cluster.sync(device, "ann", invitation: invitation)
            return cluster[device].store.holdsGroup(cluster.group)
        }
        // The store remembers the devices that have used the invitation.
        #expect(try join("cat", with: invitation))
        try ann.restart(seed: 77)
        #expect(try join("cat", with: invitation) && join("dan", with: invitation))
        let id = Invitation.id(ofSecret: invitation.secret, using: SwiftCryptography())
        #expect(ann.store.invitation(id: id)?.uses.count == 2)
        #expect(try ann.request(.revoke(5, group: cluster.group, invitation: id)) == nil)
        #expect(try !join("eve", with: invitation))
        #expect(cluster["eve"].errors.contains { $0.contains("does not know it") })
        let again = try ann.request(.revoke(6, group: cluster.group, invitation: id))
        #expect(again?.isForbidden == true, "it was revoked twice")
        #expect(try ann.invite() == nil)
        let single = ann.invitation
        #expect(try join("eve", with: single))
        #expect(try !join("fay", with: single))
        #expect(cluster["fay"].errors.contains { $0.contains("as many devices as it admits") })
    }
}

extension MembershipTests {
    /// Twenty members set a key concurrently, but one event names at most sixteen state heads.
    @Test func moreStateHeadsThanOneEventNamesAreJoined() throws {
        let cluster = try Cluster(20, seed: 11)
        for device in cluster.all { try device.set("mood", to: [UInt8(device.index)]) }
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        try cluster["ann"].send("all of it seen")
        try cluster.sync("ann", "bob")
        let said = cluster["bob"].delivered.last
        #expect(said.map { String(decoding: $0.content ?? [], as: UTF8.self) } == "all of it seen")
        #expect((1...16).contains(said?.header.stateHeads.count ?? 0))
        #expect(cluster["ann"].errors.isEmpty && cluster["bob"].errors.isEmpty)
    }
}

/// A change of a message that the application receives.
private enum News: Equatable { case delivered(String), withdrawn(String), restored(String), erased }

extension Cluster.Device {
    /// The changes of messages that the device's application received, in that order.
    fileprivate var news: [News] {
        changes.filter { $0.event.event.header.kind == .message }.map { change in
            let text = text(of: change.event.event) ?? ""
            switch change.kind {
            case .delivered: return .delivered(text)
            case .withdrawn: return .withdrawn(text)
            case .restored: return .restored(text)
            case .erased, .forgotten: return .erased
            }
        }
    }
}
