import Testing
import TomboloCore
import TomboloCrypto

/// The devices that belong to a contact, if a group is hidden from the contact.
@Suite("Contacts from which a group is hidden")
struct VisibilityContactTests: VisibilityScenario {
    @Test("a contact that shows a hidden group is treated like one that does not, even with an invitation")
    func strangers() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 3)
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        try cluster["ann"].invite()
        let invitation = cluster["ann"].invitation
        try cluster.add("dan", seed: 99)
        let session = try cluster.connect("bob", "ann", invitation: invitation)
        try cluster.settle()
        #expect(cluster["bob"].errors.contains { $0.contains("does not know it") })
        try cluster.disconnect(session)
        // The invitation still works for another device.
        let joining = try cluster.connect("dan", "ann", invitation: invitation)
        try cluster.settle()
        #expect(cluster["dan"].errors == [])
        #expect(cluster["dan"].said.count == 3)
        try cluster.disconnect(joining)
    }

    @Test("a contact's other device is recognized once it shows whose it is, even over an open link")
    func otherDevices() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 4)
        try cluster.add("laptop", seed: 98)
        try cluster.link("laptop", to: "bob")
        try cluster.open(on: "laptop", from: "bob")
        try cluster["laptop"].send("from the laptop")
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        let link = try cluster.connect("laptop", "ann")
        try cluster.settle()
        #expect(cluster["ann"].errors.contains { $0.contains("the visibility of a group") })
        try cluster.disconnect(link)
        try cluster["ann"].send("not for you")
        #expect(try cluster["laptop"].groupsSeen(meeting: "ann").allSatisfy(\.isEmpty))
        #expect(!cluster["laptop"].said.contains("not for you"))
    }

    @Test("a contact's devices include those that admitted a device which has written")
    func silentDevices() throws {
        let cluster = try makeCluster("ann", "bob", seed: 12)
        try cluster.add("phone", seed: 91)
        try cluster.add("laptop", seed: 92)
        // The phone is in the group and silent. It has admitted the laptop, which is not silent.
        try cluster.link("laptop", to: "phone")
        try cluster.open(on: "laptop", from: "ann")
        try cluster["laptop"].send("from the laptop")
        try cluster.sync("laptop", "bob")
        try cluster.sync("bob", "ann")
        try cluster.open(on: "phone", from: "ann")
        #expect(try cluster["ann"].setVisibility(.invisible, to: "laptop") == nil)
        #expect(try cluster["phone"].groupsSeen(meeting: "ann").allSatisfy(\.isEmpty))
        #expect(cluster["phone"].said == [])
    }

    @Test("a device that joins a group sees no other group that is hidden from the member it claims to be")
    func joinsAnother() throws {
        let cluster = try makeCluster("ann", "bob", seed: 13)
        try cluster.add("laptop", seed: 93)
        try cluster.link("laptop", to: "bob")
        try cluster.open(on: "laptop", from: "bob")
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        let chess = try #require(try cluster["ann"].createGroup(name: "chess"))
        try cluster["ann"].invite(in: chess)
        try cluster.sync("laptop", "ann", invitation: cluster["ann"].invitation)
        #expect(cluster["laptop"].store.holdsGroup(chess))
        #expect(cluster["laptop"].said == [])
        // It has written in the other group by now.
        try cluster["laptop"].send("e4", in: chess)
        try cluster.sync("laptop", "ann")
        #expect(cluster["ann"].said(in: chess) == ["e4"] && cluster["laptop"].said == [])
    }

    @Test("a group can be hidden from a removed device, and a device from which it was hidden can be linked")
    func ownDevices() throws {
        let cluster = try makeCluster("ann", "bob", seed: 20)
        try cluster.add("laptop", seed: 97)
        #expect(try cluster["ann"].setVisibility(.invisible, toDevice: "laptop") == nil)
        try cluster.link("laptop", to: "ann")
        try cluster.open(on: "laptop", from: "ann")
        try cluster.sync("laptop", "ann")
        #expect(cluster["laptop"].said.count == 2)
        let refusal = try cluster["ann"].setVisibility(.visible, toDevice: "laptop")
        #expect(refusal?.description.contains("your own") == true)
        #expect(try cluster["ann"].setVisibility(.shared, toDevice: "laptop") == nil)
        try cluster["laptop"].send("mine")
        try cluster.sync("laptop", "ann")
        try cluster["ann"].removeDevice("laptop")
        #expect(try cluster["ann"].setVisibility(.invisible, toDevice: "laptop") == nil)
        #expect(try cluster["laptop"].groupsSeen(meeting: "ann").allSatisfy { !$0.contains(cluster.group) })
    }
}
