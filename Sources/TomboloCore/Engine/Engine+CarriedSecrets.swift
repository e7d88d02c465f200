// Secrets that travel in what is carried by hand (protocol §6).
extension Engine {
    /// Seals the secrets that are here to the devices that may have them, the latest first, at most ``Limits/carriedSecrets``.
    ///
    /// - Parameter device: the one to seal them to; nil for all.
    mutating func sealSecrets(
        _ request: RequestID, _ group: GroupID, for device: DeviceKey?, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        var carried: [CarriedSecret] = []
        defer { effects.append(.sealedSecrets(request, carried)) }
        guard let sealing = groups[index].sealing else { return }
        let recipients = sealing.recipients.sorted { $0.key < $1.key }.filter { other, recipient in
            other != identity.device && other == device ?? other && mayRead(recipient, group: index)
        }
        for rekey in groups[index].state.rekeyEvents.reversed() {
            guard carried.count + recipients.count <= Limits.carriedSecrets else { return }
            guard let secret = try secret(of: rekey, group: index, store) else { continue }
            for (device, recipient) in recipients {
                let parts = seal(secret, of: rekey, to: recipient, group: index)
                if !parts.isEmpty { carried.append(CarriedSecret(device: device, rekey: rekey, parts: parts)) }
            }
        }
    }

    /// Takes those of them that are sealed to this device and that it lacks. What is not what its rekey event commits to is left.
    mutating func takeSecrets(
        _ request: RequestID, _ group: GroupID, _ carried: [CarriedSecret], _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        for carried in carried where carried.device == identity.device {
            guard groups[index].sealing?.held.contains(carried.rekey) == false,
                let secret = opened(carried, group: index), begins(carried.rekey, secret, group: index)
            else { continue }
            // Of what was punctured nothing else shows that it is the event's: somebody who was removed may have made it up.
            if secret.extent == .unproven, !(try opensWhatWaits(secret, carried.rekey, group: index, store)) {
                continue
            }
            try take(secret, of: carried.rekey, group: index, store)
        }
        effects.append(.done(request))
    }

    private func opened(_ carried: CarriedSecret, group: Int) -> RekeySecret? {
        var secret: RekeySecret?
        for (place, part) in carried.parts.enumerated() {
            guard let share = try? openShare(part[...], of: carried.rekey, group: group),
                share.isLast == (place == carried.parts.count - 1),
                let next = try? RekeySecret(share, after: secret, using: cryptography)
            else { return nil }
            secret = next
        }
        return secret
    }
}
