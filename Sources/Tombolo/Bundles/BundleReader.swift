import Foundation
import TomboloCore
import TomboloCrypto

/// A reader of a bundle, part by part.
struct BundleReader {
    private let url: URL
    private let handle: FileHandle
    private let key: BundleFile.Key
    private var number: UInt64 = 0
    let group: GroupRecord
    let size: UInt64
    /// The number of bytes read.
    private(set) var position: UInt64
    /// Tells whether the last part was read. Otherwise the file is cut off.
    private(set) var isComplete = false

    /// - Throws: ``TomboloError`` if the file cannot be read, is no bundle, or belongs to none of these groups.
    init(at url: URL, groups: [GroupRecord]) throws {
        self.url = url
        do {
            handle = try FileHandle(forReadingFrom: url)
        } catch {
            throw TomboloError(
                .fileUnusable, "\(url.path) cannot be read", recovery: "check that it exists and is yours",
                underlying: error)
        }
        let header: [UInt8]
        do {
            size = try handle.seekToEnd()
            try handle.seek(toOffset: 0)
            header = [UInt8](try handle.read(upToCount: BundleFile.headerBytes) ?? Data())
        } catch {
            throw TomboloError(
                .fileUnusable, "\(url.path) cannot be read (\(error.localizedDescription))", underlying: error)
        }
        guard header.count == BundleFile.headerBytes, header.starts(with: BundleFile.magic) else {
            throw TomboloError(.bundleDamaged, "\(url.path) is not a bundle, or a later version wrote it")
        }
        let (nonce, tag) = (Array(header[16..<48]), Array(header[48...]))
        for group in groups where group.dialect == .native {
            let key = BundleFile.Key(group.id, discovery: group.discovery, nonce: nonce)
            guard key.tag == tag else { continue }
            (self.key, self.group, position) = (key, group, UInt64(BundleFile.headerBytes))
            return
        }
        throw TomboloError(
            .unknownGroup, "\(url.path) belongs to none of the groups on this device", recovery: "join the group first")
    }

    /// The records of the next part; nil at the end of the file.
    ///
    /// - Throws: ``TomboloError`` if the part is damaged, or cannot be read.
    mutating func next() throws -> [BundleFile.Record]? {
        guard !isComplete else { return nil }
        let length = try read(4)
        guard length.count == 4 else { return nil }
        let count = length.reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= BundleFile.largestPart + 16 else { throw damage("a part is too large") }
        let sealed = [UInt8](try read(count))
        guard sealed.count == count else { return nil }
        var part = key.open(sealed, number: number, isLast: false)
        if part == nil {
            part = key.open(sealed, number: number, isLast: true)
            isComplete = part != nil
        }
        guard let part else { throw damage("a part does not decrypt") }
        var records: [BundleFile.Record] = []
        var reader = WireReader(part[...])
        do throws(WireError) {
            while !reader.isAtEnd {
                if let record = try BundleFile.Record(reading: &reader) { records.append(record) }
            }
        } catch {
            throw damage("\(error)")
        }
        number += 1
        position += UInt64(4 + count)
        return records
    }

    private func read(_ count: Int) throws -> Data {
        do {
            return try handle.read(upToCount: count) ?? Data()
        } catch {
            throw damage(error.localizedDescription)
        }
    }

    func damage(_ what: String) -> TomboloError {
        TomboloError(
            .bundleDamaged, "\(url.path) is damaged at byte \(position) (\(what)); the parts before it were read",
            recovery: "get the file again")
    }
}
