import TomboloCore
@testable import TomboloSimulation

extension FrozenScript {
    func performOnFiles(_ command: FrozenCommand) {
        let device = anyDevice()
        guard let group = any(of: groups), let file = any(of: FrozenFile.all) else { return }
        switch command {
        case .sayFile: say(file, device, group)
        case .wantFile:
            let wanted = any(of: referredFiles(on: device)) ?? file.id
            let offset = chance(0.3) ? generator.any(0...wanted.size) : nil
            device.inbox.append(.wantFile(request(), wanted, from: offset))
        case .dropFile: device.inbox.append(.dropFile(request(), file.id))
        case .limitFiles:
            let quota: UInt64 = any(of: [250_000, 700_000, 2_000_000, 100_000_000]) ?? 0
            let automatic: UInt64 = any(of: [0, 100_000, 300_000, 4 << 20]) ?? 0
            device.inbox.append(.setFileLimits(request(), FileLimits(quota: quota, automatic: automatic)))
        case .spoilChunk:
            guard let (file, position) = heldChunk(on: device), var chunk = device.store.chunk(position, of: file),
                !chunk.isEmpty
            else { return }
            chunk[chunk.count / 2] ^= 1
            device.store.setChunk(chunk[...], at: position, of: file)
            if chance(0.3) { device.inbox.append(.checkChunk(request(), file, position)) }
        default:
            guard let (file, position) = heldChunk(on: device) else { return }
            device.inbox.append(.checkChunk(request(), file, position))
        }
    }

    /// Adds a file, all of it or a part, and an event that refers to it; or the event alone.
    private func say(_ file: FrozenFile, _ device: FrozenDevice, _ group: GroupID) {
        var held = file.all
        let count = FileShape(size: file.id.size).count
        if count > 2, chance(0.3) { held = RangeSet([0..<1, 1 + below(count - 1)..<count]) }
        if chance(0.1) { held = RangeSet() }
        if device.store.file(file.id) == nil || chance(0.5) {
            file.write(held, into: device.store)
            device.inbox.append(.addFile(request(), file.id, held: held))
        }
        var files = [file.id]
        if chance(0.2), let other = any(of: FrozenFile.all), other.id != file.id { files.append(other.id) }
        let expiry = chance(0.2) ? network.now + generator.any(20_000...7_200_000) : nil
        device.inbox.append(
            .append(
                request(), group: group, kind: .message, content: content(40), expiry: expiry, files: files.sorted()))
    }

    private func referredFiles(on device: FrozenDevice) -> [FileID] {
        FrozenFile.all.map(\.id).filter { device.store.isReferred(to: $0) }
    }

    private func heldChunk(on device: FrozenDevice) -> (FileID, Int)? {
        let held = FrozenFile.all.compactMap { device.store.file($0.id) }.filter { !$0.held.isEmpty }
        guard let record = any(of: held), let position = any(of: Array(record.held.ranges.joined())) else { return nil }
        return (record.id, position)
    }

    // MARK: The mvds dialect

    func performInTalk(_ command: FrozenCommand) {
        let device = anyDevice()
        switch command {
        case .post:
            device.inbox.append(.append(request(), group: talk, kind: .message, content: content(1_500), expiry: nil))
        case .postMany:
            let count = any(of: [3, 20, 90, 300]) ?? 0
            // The same numbers are the same messages: others may have them from elsewhere.
            let first = 100 * below(12)
            let spread = any(of: [1, 1, 7_000]) ?? 1
            device.inbox.append(
                .ingest(
                    request(), group: talk,
                    (first..<first + count).map { number in
                        Message(
                            groupID: talk.bytes[...], timestamp: Int64(1_690_000_000 + number * spread),
                            body: Array("message \(number)".utf8)[...])
                    }))
        case .postLarge:
            device.inbox.append(
                .ingest(
                    request(), group: talk,
                    [
                        Message(
                            groupID: talk.bytes[...], timestamp: Int64(network.now / 1_000),
                            body: [UInt8](repeating: UInt8(below(256)), count: 60_000 + below(140_000))[...])
                    ]))
        case .share:
            let other = any(of: active.filter { $0 != device.number }) ?? 0
            let native = network.devices[other].engine.device
            let isMVDS = scenario.weights[.connectMVDS] != nil && chance(0.4)
            device.inbox.append(
                .share(request(), group: talk, with: isMVDS ? FrozenDevice.address(of: other) : native))
        default: device.inbox.append(.broadcast(request(), group: talk, content: content(60)))
        }
    }
}
