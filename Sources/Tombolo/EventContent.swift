public import Foundation
import TomboloCore

/// Something an application says. Type and version travel inside the content.
///
/// A `Codable` type needs only a name: it is carried as JSON.
public protocol EventContent: Sendable {
    /// What the application calls this kind of content: at most 255 bytes of UTF-8.
    static var type: String { get }
    /// The version of its form, from 1.
    static var version: Int { get }
    func encodeContent() throws -> Data
    init(decodingContent data: Data, version: Int) throws
}

extension EventContent where Self: Codable {
    public func encodeContent() throws -> Data { try JSONEncoder().encode(self) }
    public init(decodingContent data: Data, version: Int) throws {
        self = try JSONDecoder().decode(Self.self, from: data)
    }
}

/// Plain text, as people write to each other.
public struct Text: EventContent, Hashable {
    public static let type = "text"
    public static let version = 1
    public var string: String

    public init(_ string: String) { self.string = string }
    public func encodeContent() -> Data { Data(string.utf8) }
    public init(decodingContent data: Data, version: Int) { string = String(decoding: data, as: UTF8.self) }
}

/// Content as it stands in an event: length of the type u8 ‖ type ‖ version varint ‖ bytes.
enum ContentEnvelope {
    static func seal(_ content: some EventContent) throws -> [UInt8] { try seal(content, as: type(of: content)) }

    private static func seal<Content: EventContent>(_ content: Content, as: Content.Type) throws -> [UInt8] {
        let name = Array(Content.type.utf8)
        guard name.count <= 255, Content.version >= 1 else {
            throw TomboloError("\(Content.self).type is longer than 255 bytes, or its version below 1")
        }
        var bytes = [UInt8(name.count)] + name
        bytes.append(varint: Content.version)
        return bytes + Array(try content.encodeContent())
    }

    static func open(_ bytes: Bytes) -> (type: String, version: Int, data: Bytes)? {
        var reader = WireReader(bytes)
        guard let length = try? reader.byte(), let name = try? reader.take(Int(length)),
            let version = try? reader.varint(atMost: Int(Int32.max), "a version")
        else { return nil }
        return (String(decoding: name, as: UTF8.self), version, reader.rest())
    }
}
