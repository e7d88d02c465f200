import TomboloCore
import TomboloSQLite

// What the devices of one member tell each other (protocol §5.9).
extension Replica {
    /// Tells the others what they do not know yet, and follows what they have said, where a batch had anything to do with it.
    func tendDevices(after effects: [EngineEffect]) {
        guard let own = engine.ownGroup else { return }
        let mayBeNew = effects.contains { effect in
            switch effect {
            case .created, .joined, .invited: true
            case .changed(let group): group == own
            case .agreed(_, let group, _): group == own && !isFollowing
            default: false
            }
        }
        guard mayBeNew else { return }
        if !isFollowing { noteFollowing(own, after: effects) }
        if isFollowing { tendDevices() }
    }

    private var isFollowing: Bool { engine.admittedBy.count == 1 || hasAgreedOnce }

    /// A linked device does what the others have said once it knows all that one of them knew: a linking that was cut must not show anybody what
    /// it was not told yet to hide.
    private func noteFollowing(_ own: GroupID, after effects: [EngineEffect]) {
        guard effects.contains(where: { if case .agreed(_, own, _) = $0 { true } else { false } }), failure == nil
        else {
            return
        }
        do {
            try storage.write(isDurable: false) { try $0.setValue([1], forKey: IdentityKeys.ownGroupAgreed) }
            hasAgreedOnce = true
        } catch {
            fail(error)
        }
    }

    /// The same, whatever has happened.
    func tendDevices() {
        guard let own = engine.ownGroup, failure == nil, isFollowing else { return }
        do {
            while let news = try news(of: own), !news.isEmpty {
                // Before it is noted that they were looked at: to note it twice does no harm.
                try storage.noteRead(news.read)
                let effects = try storage.write(isDurable: true) { store in
                    for (key, value) in news.prepared { try store.setValue(value, forKey: key) }
                    let effects = try engine.process(news.inputs, now: clock.now, in: store)
                    if !Self.hasFailed(effects) {
                        for (key, value) in news.values { try store.setValue(value, forKey: key) }
                    }
                    return effects
                }
                for effect in effects { carryOut(effect) }
                // What could not be said is said another time.
                if Self.hasFailed(effects) { break }
                for group in news.readGroups { carryOut(.changed(group)) }
            }
        } catch let error as StoreError {
            fail(error)
        } catch {
            fail(StoreError(.corrupt, "\(error)"))
        }
        scheduleWake(now: clock.now)
    }

    /// Whether something was not done that was asked for here: by the id 0, which nobody else uses.
    private static func hasFailed(_ effects: [EngineEffect]) -> Bool {
        effects.contains { if case .failed(0, _) = $0 { true } else { false } }
    }

    private func news(of own: GroupID) throws -> DeviceNews? {
        let device = engine.device
        let tellsOfVisibility = engine.state(of: own)?.keys.contains(where: DeviceVisibility.isKey) ?? false
        return try storage.read { reader in
            guard let record = try reader.groups().first(where: { $0.id == own }) else { return nil }
            return try DeviceNews(of: record, on: device, tellsOfVisibility: tellsOfVisibility, in: reader)
        }
    }
}
