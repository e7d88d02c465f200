public import Foundation
public import TomboloCore
import TomboloSQLite

/// A device of this one's member.
public struct MemberDevice: Hashable, Sendable, Identifiable {
    /// The device's key.
    public let id: DeviceKey
    /// Its name, which any of the member's devices may set; nil if none has.
    public let name: String?
    /// The device that admitted it; nil for the member's first.
    public let admittedBy: DeviceKey?
    /// Tells whether another device of the member has removed it.
    public let isRemoved: Bool
    /// The time of its latest event in the devices' own group that is held here, by its own clock; nil if there is
    /// none.
    public let lastHeardOf: Date?
}

// Several devices of one member.
extension Node {
    /// A link that makes one other device, which has no groups yet, another device of this one's member. Groups, peers
    /// and read marks follow, now and later.
    ///
    /// Any device that uses the link first becomes the member's, so hand it over in person.
    /// - Parameters:
    ///   - expiring: the time for which it can be used.
    ///   - addresses: addresses of this device, each as `host:port`, before those where it listens.
    /// - Throws: ``TomboloError`` `notAllowed` if this device was removed, or linked through too many others;
    ///   `notListening` if no peer could reach this device; `invalidArgument` if no peer can dial an address.
    public func linkDevice(
        expiring: Duration = .seconds(600), addresses: [String] = []
    ) async throws -> InvitationLink {
        let expiry = clock.now + expiring.roundedMilliseconds
        let all = try invitationAddresses(adding: addresses)
        let effect = try await runtime.request { .linkDevice($0, addresses: all, expiry: expiry) }
        guard case .invited(_, let invitation) = effect else { throw TomboloError.noAnswer }
        return InvitationLink(invitation)
    }

    /// Opens the device in `directory`, made on first use, as another device of the member that made the link.
    ///
    /// It returns as soon as the device is linked and knows the member's groups. Their events arrive with the next
    /// ``sync(within:)``.
    /// - Throws: ``TomboloError`` `invalidLink` if the link invites to a group; `invitationRefused`, also if the device
    ///   has groups of its own; as ``open(at:configuration:)`` and ``join(_:timeout:)``.
    public static func open(
        at directory: URL, linking link: InvitationLink, timeout: Duration = .seconds(30),
        configuration: Configuration = Configuration()
    ) async throws -> Node {
        guard link.invitation.isForDevice else {
            throw TomboloError(.invalidLink, "this link invites to a group", recovery: "join the group with Node.join")
        }
        let node = try await open(at: directory, configuration: configuration)
        do {
            if try node.ownGroup?.id == link.invitation.group {
                // An earlier call was interrupted after the device was linked. A sync completes it.
                for address in link.invitation.addresses.reversed() {
                    try await node.addPeer(link.invitation.inviter, address: address)
                }
                return node
            }
            // The engine would refuse it as well, but only after the link is used up.
            guard try node.allGroups.isEmpty else {
                throw TomboloError(
                    .invitationRefused, "this device has groups of its own", recovery: "link a device that has none")
            }
            _ = try await node.reachInviter(link.invitation, timeout: timeout)
            try await node.close()
        } catch {
            try? await node.close()
            throw error
        }
        // The device belongs to another member now.
        return try await open(at: directory, configuration: configuration)
    }

    /// The member's devices that this device knows of, the first one first; this one alone if none was ever linked.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var devices: [MemberDevice] {
        get async throws {
            guard let own = try ownGroup else {
                return [MemberDevice(id: device, name: nil, admittedBy: nil, isRemoved: false, lastHeardOf: nil)]
            }
            let state = try await own.state
            let found = try read { reader in
                let graph = try own.graph(reader)
                var devices: [[DeviceKey]: UInt64] = [:]
                for admitted in AdmittedDevice.all(in: graph, of: member) { devices[admitted] = 0 }
                for log in try reader.logs(of: own.record) where log.certificate?.member == member {
                    guard let admitted = log.certificate?.admission.devices else { continue }
                    devices[admitted] = max(try reader.lastTimestamp(of: log), devices[admitted] ?? 0)
                }
                return devices.map { admitted, time in
                    (admitted, time, !graph.removals(of: admitted, of: member).isEmpty)
                }
            }
            return found.sorted { ($0.0.count, $0.0.last ?? device) < ($1.0.count, $1.0.last ?? device) }.map {
                let id = $0.last ?? device
                return MemberDevice(
                    id: id, name: state[Self.nameKey(of: id)].map { String(decoding: $0, as: UTF8.self) },
                    admittedBy: $0.dropLast().last, isRemoved: $2,
                    lastHeardOf: $1 == 0 ? nil : Date(milliseconds: $1))
            }
        }
    }

    /// Names a device on all of the member's devices.
    ///
    /// - Throws: ``TomboloError`` `notAllowed` if none was ever linked; `contentTooLarge`.
    public func name(_ device: DeviceKey, _ name: String) async throws {
        guard let own = try ownGroup else {
            throw TomboloError(
                .notAllowed, "this device is the member's only one", recovery: "link another device first")
        }
        try await own.setState(Self.nameKey(of: device), to: Data(name.utf8))
    }

    /// Removes a lost device of the member from all groups in which it has written.
    ///
    /// Its events that this device holds stay. All others are held back on every device, and it cannot read new
    /// contents of private groups. The same holds for devices that it linked and that this device does not know of.
    /// Those that this device knows of stay (`DeviceRemoval.remaining`): remove them as well if they are not the
    /// member's own.
    ///
    /// This device can remove itself. Nothing undoes a removal: a device that is found again needs a new store and a
    /// new link.
    /// - Returns: the signed statement. It also holds in groups that this member's devices are not in, once a member
    ///   posts it there (``SyncGroup/post(_:)``).
    /// - Throws: ``TomboloError`` `notAllowed` if there is no such device.
    @discardableResult
    public func removeDevice(_ device: DeviceKey) async throws -> DeviceRemoval {
        let effect = try await runtime.request { .removeDevice($0, device) }
        guard case .removed(_, let removal) = effect else { throw TomboloError.noAnswer }
        return removal
    }

    /// The group of the member's devices. Applications do not see it.
    var ownGroup: SyncGroup? {
        get throws {
            try read { reader -> GroupRecord? in
                guard let id = try reader.value(forKey: IdentityKeys.ownGroup).flatMap({ GroupID($0) }) else {
                    return nil
                }
                return try reader.groups().first { $0.id == id }
            }.map { SyncGroup($0, self) }
        }
    }

    private static func nameKey(of device: DeviceKey) -> String { "name \(device)" }
}

extension SyncGroup {
    /// Posts a member's statement that one of its devices is lost. Every reader of the group may post it.
    ///
    /// - Throws: ``TomboloError`` `notAllowed` if its signature does not verify.
    public func post(_ removal: DeviceRemoval) async throws {
        _ = try await node.runtime.request { .post($0, removal, group: id) }
    }
}
