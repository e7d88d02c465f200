public import Foundation
public import Logging
public import TomboloCore
import TomboloSQLite

/// A device of this one's member.
public struct MemberDevice: Hashable, Sendable, Identifiable {
    public let id: DeviceKey
    /// What it is called by whoever named it.
    public let name: String?
    /// The device that admitted it; nil for the member's first.
    public let admittedBy: DeviceKey?
    /// Whether another one has said that it is lost.
    public let isRemoved: Bool
    /// When it last wrote something to the others that has come here, by its own clock; nil if it never has.
    public let lastHeardOf: Date?
}

// Several devices of one member.
extension Node {
    /// A link that makes one other device, which has no groups yet, another one of this device's member: groups, peers and what has been
    /// read follow, now and later. Whoever gets hold of it before that becomes the member, too.
    ///
    /// - Throws: `EngineError` `notAllowed` if this device was removed, or admitted by way of too many others.
    public func linkDevice(
        expiring: Duration = .seconds(600), addresses: [String] = []
    ) async throws -> InvitationLink {
        let expiry = clock.now + expiring.roundedMilliseconds
        let all = addresses + listeningAddresses
        let effect = try await replica.request { .linkDevice($0, addresses: all, expiry: expiry) }
        guard case .invited(_, let invitation) = effect else { throw TomboloError("the engine gave no answer") }
        return InvitationLink(invitation)
    }

    /// Opens the device in `directory`, made on first use, as another one of the member whose device has made the link.
    ///
    /// Returns as soon as it is that, and knows its groups; what was said in them comes with the next ``sync(within:)``.
    /// - Throws: `EngineError` `invitationRefused`, also if the device has groups of its own; what ``join(_:timeout:)`` throws.
    public static func open(
        at directory: URL, linking link: InvitationLink, timeout: Duration = .seconds(30),
        lock: (any StoreLock)? = nil, logger: Logger = Logger(label: "tombolo")
    ) async throws -> Node {
        guard link.invitation.isForDevice else {
            throw TomboloError("this link invites to a group: join that")
        }
        let node = try await open(at: directory, lock: lock, logger: logger)
        do {
            if try node.ownGroup?.id == link.invitation.group {
                // It was interrupted when it was linked already: what is missing comes with a sync.
                for address in link.invitation.addresses {
                    try await node.addPeer(link.invitation.inviter, address: address)
                }
                return node
            }
            // The engine would say so as well, but the link would be used up.
            guard try node.allGroups.isEmpty else {
                throw EngineError.invitationRefused("this device has groups of its own: link one that has none")
            }
            _ = try await node.reachInviter(link.invitation, timeout: timeout)
            try await node.close()
        } catch {
            try? await node.close()
            throw error
        }
        // It is another member's device now.
        return try await open(at: directory, lock: lock, logger: logger)
    }

    /// The member's devices, as far as they have been heard of, the first one first; this one alone if none was ever linked.
    public var devices: [MemberDevice] {
        get throws {
            guard let own = try ownGroup else {
                return [MemberDevice(id: device, name: nil, admittedBy: nil, isRemoved: false, lastHeardOf: nil)]
            }
            let state = try own.state
            let found = try storage.read { reader in
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

    /// Calls a device something, for all of the member's.
    ///
    /// - Throws: ``TomboloError`` if none was ever linked.
    public func name(_ device: DeviceKey, _ name: String) async throws {
        guard let own = try ownGroup else { throw TomboloError("there is one device alone: link another one first") }
        try await own.setState(Self.nameKey(of: device), to: Data(name.utf8))
    }

    /// Says that a device of the member's is lost, wherever it has written: what it said that is here stays, nothing else of it is wanted by
    /// anybody, and it reads nothing any more that is said in private groups. So for devices that it has admitted and that this one has not heard of;
    /// those that this one has heard of stay (`DeviceRemoval.remaining`), and are to be removed as well if they are nobody's who should have one.
    ///
    /// This device can remove itself. Nothing undoes it: a device that is found again is made anew, and linked.
    /// - Returns: the statement, which holds also in groups that this member's devices are not in (any more) where somebody posts it
    ///   (``SyncGroup/post(_:)``).
    /// - Throws: `EngineError` `notAllowed` if there is no such device.
    @discardableResult
    public func removeDevice(_ device: DeviceKey) async throws -> DeviceRemoval {
        let effect = try await replica.request { .removeDevice($0, device) }
        guard case .removed(_, let removal) = effect else { throw TomboloError("the engine gave no answer") }
        return removal
    }

    /// The group of the member's devices, which applications do not see.
    var ownGroup: SyncGroup? {
        get throws {
            try storage.read { reader -> GroupRecord? in
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
    /// Posts a member's statement that one of its devices is lost, as anybody may who reads here.
    ///
    /// - Throws: `EngineError` `notAllowed` if its signature does not verify.
    public func post(_ removal: DeviceRemoval) async throws {
        _ = try await node.replica.request { .post($0, removal, group: id) }
    }
}
