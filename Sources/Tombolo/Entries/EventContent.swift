public import Foundation
package import TomboloCore

/// A type of content that an application sends. Type and version travel inside the content.
///
/// A `Codable` type needs only a name: it is carried as JSON.
public protocol EventContent: Sendable {
    /// The application's name for this type of content: at most 255 bytes of UTF-8.
    static var type: String { get }
    /// The version of its form, from 1.
    static var version: Int { get }
    /// The content as bytes. It throws if the value has no such form.
    func encodeContent() throws -> Data
    /// The value of the bytes. It throws if they are not valid, since any member can send anything.
    init(decodingContent data: Data, version: Int) throws
}

extension EventContent where Self: Codable {
    /// The value as JSON.
    public func encodeContent() throws -> Data { try JSONEncoder().encode(self) }
    /// The value of the JSON.
    public init(decodingContent data: Data, version: Int) throws {
        self = try JSONDecoder().decode(Self.self, from: data)
    }
}

/// Plain text.
public struct PlainText: EventContent, Hashable {
    /// The type `text`.
    public static let type = "text"
    /// Version 1: UTF-8 without a frame.
    public static let version = 1
    /// The text.
    public var string: String

    /// A text.
    public init(_ string: String) { self.string = string }
    /// The text in UTF-8.
    public func encodeContent() -> Data { Data(string.utf8) }
    /// The text of the bytes. Invalid UTF-8 becomes U+FFFD.
    public init(decodingContent data: Data, version: Int) { string = String(decoding: data, as: UTF8.self) }
}

/// The form of a content in an event: length of the type u8 ‖ type ‖ version varint ‖ bytes.
package enum ContentEnvelope {
    /// - Parameter files: the files that the caller names; nil if files cannot be named.
    /// - Throws: ``TomboloError`` `unnamedFiles` if the content refers to other files.
    package static func seal(_ content: some EventContent, naming files: [FileID]?) throws -> [UInt8] {
        try seal(content, as: type(of: content), naming: files)
    }

    private static func seal<Content: EventContent>(
        _ content: Content, as: Content.Type, naming files: [FileID]?
    ) throws -> [UInt8] {
        let name = Array(Content.type.utf8)
        guard name.count <= 255, Content.version >= 1 else {
            throw TomboloError(
                .invalidArgument, "\(Content.self).type is longer than 255 bytes, or its version is below 1")
        }
        let (data, referred) = try FileReference.collecting { try encoded(content) }
        let unnamed = referred.subtracting(files ?? [])
        guard unnamed.isEmpty else {
            throw TomboloError(
                .unnamedFiles, "the content refers to \(unnamed.count) files that the call does not name",
                recovery: files == nil ? "send it, since files are not broadcast" : "name them: send(content, files: …)"
            )
        }
        var bytes = [UInt8(name.count)] + name
        bytes.append(varint: Content.version)
        return bytes + Array(data)
    }

    private static func encoded(_ content: some EventContent) throws -> Data {
        do {
            return try content.encodeContent()
        } catch {
            throw TomboloError(.invalidArgument, "the content cannot be encoded (\(error))", underlying: error)
        }
    }

    static func open(_ bytes: Bytes) -> (type: String, version: Int, data: Bytes)? {
        var reader = WireReader(bytes)
        guard let length = try? reader.byte(), let name = try? reader.take(Int(length)),
            let version = try? reader.varint(atMost: Int(Int32.max), "a version")
        else { return nil }
        return (String(decoding: name, as: UTF8.self), version, reader.rest())
    }
}
