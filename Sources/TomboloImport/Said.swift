public import Foundation
public import Tombolo

/// A line of a conversation, with its author's name if no earlier entry of the log has it.
///
/// An imported log names its author once, in its first event.
public struct Said: EventContent, Hashable {
    public static let type = "said"
    public static let version = 1
    /// The author's name: at most 255 bytes of UTF-8, of a longer one the letters that fit; empty if an earlier entry of the log has it.
    public var author: String
    public var text: String

    public init(author: String = "", text: String) {
        self.author = author
        self.text = text
    }

    public func encodeContent() -> Data {
        var author = author.prefix(255)
        // Whole letters only.
        while author.utf8.count > 255 { author.removeLast() }
        let name = Array(author.utf8)
        return Data([UInt8(name.count)] + name + Array(text.utf8))
    }

    public init(decodingContent data: Data, version: Int) throws {
        guard let count = data.first, data.count > Int(count) else {
            throw TomboloError(.undecodableContent, "the line is damaged")
        }
        author = String(decoding: data.dropFirst().prefix(Int(count)), as: UTF8.self)
        text = String(decoding: data.dropFirst(1 + Int(count)), as: UTF8.self)
    }
}
