import TomboloCore
import TomboloCrypto

extension Cluster.Device {
    private var group: GroupID { cluster.group }
    /// The store's number of the group.
    var groupReference: Int64 { store.groups().first { $0.id == group }?.reference ?? 0 }

    // MARK: Texts

    /// The texts of all delivered events, in the order of delivery.
    var texts: [String] { texts(in: group) }

    func texts(in group: GroupID) -> [String] { cluster.devices.texts(index, in: group) }

    /// The texts of delivered messages, in the order of delivery, with a dash for each that the device cannot read.
    var said: [String] { said(in: group) }

    func said(in group: GroupID) -> [String] {
        delivered(in: group).filter { $0.header.kind == .message }
            .map { cluster.devices.text(of: $0, on: index, in: group) ?? "-" }
    }

    /// The texts that the device can show, in the order of arrival, with a dash for each missing content.
    var shown: [String] {
        events.filter { $0.event.header.kind == .message && $0.status == .delivered }
            .map { text(of: $0.event) ?? "-" }
    }

    /// The texts that the device can decrypt among all events that it holds, like a client that ignores the rules.
    var readable: [String] { messages.compactMap { text(of: $0) } }

    /// The text of an event as the device can read it; nil if it cannot.
    func text(of event: Event) -> String? { cluster.devices.text(of: event, on: index, in: group) }

    /// The contents of the ephemeral events that have arrived.
    var heard: [String] {
        effects.compactMap {
            guard case .receivedEphemeral(_, _, _, let content) = $0 else { return nil }
            return String(decoding: content, as: UTF8.self)
        }
    }

    // MARK: Events

    /// The delivered events, in the order of delivery.
    var delivered: [Event] { delivered(in: group) }

    func delivered(in group: GroupID) -> [Event] { cluster.devices.delivered(index, in: group) }

    /// The events that the device holds, of all groups, in the order of arrival.
    var events: [StoredEvent] { store.events(ordinals: Array(1...max(1, store.lastOrdinal()))) }

    /// The events of a group that the device holds, in the order of arrival.
    func events(in group: GroupID) -> [StoredEvent] {
        let reference = store.groups().first { $0.id == group }?.reference ?? 0
        let logs = Set(store.logs(inGroup: reference).map(\.reference))
        return events.filter { logs.contains($0.log) }
    }

    /// The messages that the device holds, delivered or not.
    var messages: [Event] { events.map(\.event).filter { $0.header.kind == .message } }

    /// The held event whose content is a text.
    func held(_ text: String) -> StoredEvent? {
        events.first { $0.event.content.map { Array($0) } == Array(text.utf8) }
    }

    func held(_ event: EventReference) -> StoredEvent? { held(event.id) }

    func held(_ id: EventID) -> StoredEvent? { events.first { $0.event.id == id } }

    /// Tells whether the device holds a text.
    func holds(_ text: String) -> Bool { held(text) != nil }

    func status(of event: Event) -> EventStatus? { store.status(of: event, in: group) }

    /// The changes that the device has noted for its application.
    var changes: [(kind: ChangeKind, event: StoredEvent)] { store.changes(in: group) }

    func changes(of event: EventReference) -> [ChangeKind] {
        changes.filter { $0.event.event.id == event.id }.map(\.kind)
    }

    func changes(_ kind: ChangeKind) -> Int { changes.count { $0.kind == kind } }

    // MARK: The group

    func role(of other: some DeviceReference) -> Role? { engine.role(of: cluster[other].member, in: group) }

    /// The roles of all devices' members, as this device knows them.
    var roles: [Role] { cluster.all.map { role(of: $0) ?? .none } }

    /// The group of the member's own devices.
    var ownGroup: GroupID? { engine.ownGroup }

    /// The root of the group's frontier.
    var root: Bytes32? { engine.root(of: group) }

    /// The log to which the device writes.
    var ownLog: LogID? { store.groups().first { $0.id == group }?.ownLog }

    func floor(ofLog log: LogID) -> UInt64 { store.floor(ofLog: log, in: group) }

    // MARK: Effects

    /// The reasons for which the device has closed links.
    var errors: [String] { cluster.devices.errors(index) }

    /// The reasons for which the device's requests were refused.
    var refusals: [EngineError] {
        effects.compactMap { if case .failed(_, let error) = $0 { error } else { nil } }
    }

    /// Tells whether both sides of a session found equal roots.
    var hasAgreed: Bool { !reports.isEmpty }

    /// The reports of sessions in which both sides found equal roots.
    var reports: [ReconciliationReport] {
        effects.compactMap { if case .agreed(_, _, let report) = $0 { report } else { nil } }
    }

    /// The number of forks that the device has found.
    var forks: Int { cluster.devices.forks(index) }

    /// The sessions over which chunks of files are on their way.
    var busySessions: Set<SessionID> {
        var busy: Set<SessionID> = []
        for case .transferring(let session, let isBusy) in effects {
            if isBusy { busy.insert(session) } else { busy.remove(session) }
        }
        return busy
    }

    /// Tells whether chunks of files are on their way.
    var isBusy: Bool { !busySessions.isEmpty }
}

extension Cluster {
    /// The roots of all devices.
    var roots: Set<Bytes32?> { Set(all.map(\.root)) }

    /// The reasons for which any device has closed a link.
    var errors: [String] { all.flatMap(\.errors) }

    /// Empties the effects of devices, so that later ones are seen alone.
    func forgetEffects(_ some: [Device]? = nil) { for device in some ?? all { device.effects = [] } }

    func foreignLog(seed: UInt64, isStateLog: Bool = false) -> ForeignLog {
        ForeignLog(group: group, seed: seed, isStateLog: isStateLog)
    }
}

extension EngineError {
    /// Whether the member had no right to the request.
    var isForbidden: Bool { if case .notAllowed = self { true } else { false } }
}
