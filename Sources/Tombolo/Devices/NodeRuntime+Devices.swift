import TomboloCore
import TomboloSQLite

// The exchange between the devices of one member (protocol §5.9).
extension NodeRuntime {
    /// Tells the others what they do not know yet, and follows what they have said, where a batch had anything to do with it.
    func exchangeWithOwnDevices(after effects: [EngineEffect]) {
        guard let own = engine.ownGroup else { return }
        let mayBeNew = effects.contains { effect in
            switch effect {
            case .created, .joined, .invited: true
            case .changed(let group): group == own
            default: false
            }
        }
        // What one device has said may be only a part of what it has to say: it is done once all of it is here. A group that another one is in
        // must not be shown to anybody from whom that one hides it.
        let follows = effects.contains { if case .agreed(_, own, _) = $0 { true } else { false } }
        if mayBeNew || follows { exchangeWithOwnDevices(follows: follows) }
    }

    /// The same, whatever has happened.
    ///
    /// - Parameter follows: whether all is here that one of the others had to say.
    func exchangeWithOwnDevices(follows: Bool = false) {
        guard let own = engine.ownGroup, failure == nil else { return }
        do {
            while let news = try news(of: own, follows: follows), !news.isEmpty {
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
                for effect in effects { perform(effect) }
                // A note that could not be written is written another time.
                if Self.hasFailed(effects) { break }
                for group in news.readGroups { perform(.changed(group)) }
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

    private func news(of own: GroupID, follows: Bool) throws -> OwnDeviceExchange? {
        let device = engine.device
        let tellsOfVisibility = engine.state(of: own)?.keys.contains(where: DeviceVisibility.isKey) ?? false
        return try storage.read { reader in
            guard let record = try reader.groups().first(where: { $0.id == own }) else { return nil }
            return try OwnDeviceExchange(
                of: record, on: device, follows: follows, tellsOfVisibility: tellsOfVisibility, in: reader)
        }
    }
}
