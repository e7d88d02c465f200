import TomboloCore
import TomboloSQLite

// The exchange between the devices of one member (protocol §5.9).
extension NodeRuntime {
    /// Exchanges notes with the member's other devices, if a batch may have caused any.
    func exchangeWithOwnDevices(after effects: [EngineEffect]) {
        guard let own = engine.ownGroup else { return }
        let mayBeNew = effects.contains { effect in
            switch effect {
            case .created, .joined, .invited: true
            case .changed(let group): group == own
            default: false
            }
        }
        // Notes are followed once all notes of a device are here: a group must not be shown to a contact before the
        // note that hides it from the contact has arrived.
        let follows = effects.contains { if case .agreed(_, own, _) = $0 { true } else { false } }
        if mayBeNew || follows { exchangeWithOwnDevices(follows: follows) }
    }

    /// Exchanges notes with the member's other devices.
    ///
    /// - Parameter follows: true if all notes of another device are here.
    func exchangeWithOwnDevices(follows: Bool = false) {
        guard let own = engine.ownGroup, failure == nil else { return }
        do {
            while let exchange = try pendingExchange(of: own, follows: follows), !exchange.isEmpty {
                // Stored before the bookmark of the notes, since storing it twice does no harm.
                try storage.noteRead(exchange.read)
                let effects = try storage.write(isDurable: true) { store in
                    for (key, value) in exchange.prepared { try store.setValue(value, forKey: key) }
                    let effects = try engine.process(exchange.inputs, now: clock.now, in: store)
                    if !Self.hasFailed(effects) {
                        for (key, value) in exchange.values { try store.setValue(value, forKey: key) }
                    }
                    return effects
                }
                for effect in effects { perform(effect) }
                // A note that could not be written is written at the next exchange.
                if Self.hasFailed(effects) { break }
                for group in exchange.readGroups { perform(.changed(group)) }
            }
        } catch let error as StoreError {
            fail(error)
        } catch {
            fail(StoreError(.corrupt, "\(error)"))
        }
        scheduleWake(now: clock.now)
    }

    /// Tells whether a request of the exchange failed. These have the id 0, which no others have.
    private static func hasFailed(_ effects: [EngineEffect]) -> Bool {
        effects.contains { if case .failed(0, _) = $0 { true } else { false } }
    }

    private func pendingExchange(of own: GroupID, follows: Bool) throws -> OwnDeviceExchange? {
        let device = engine.device
        let hasVisibility = engine.state(of: own)?.keys.contains(where: DeviceVisibility.isKey) ?? false
        return try storage.read { reader in
            guard let record = try reader.groups().first(where: { $0.id == own }) else { return nil }
            return try OwnDeviceExchange(
                of: record, on: device, follows: follows, hasVisibility: hasVisibility, in: reader)
        }
    }
}
