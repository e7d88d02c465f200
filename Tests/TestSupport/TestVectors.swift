package import Foundation

/// Test vectors that reference implementations have made.
package enum TestVectors {
    /// The folder that `TOMBOLO_VECTORS` names, else `Tests/Vectors` of the checkout that this file was built from.
    package static var folder: URL {
        if let named = ProcessInfo.processInfo.environment["TOMBOLO_VECTORS"] {
            return URL(fileURLWithPath: named, isDirectory: true)
        }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors", isDirectory: true)
    }

    /// Decodes a file of vectors.
    package static func load<Content: Decodable>(_ name: String, as: Content.Type) throws -> Content {
        try JSONDecoder().decode(Content.self, from: Data(contentsOf: folder.appendingPathComponent(name)))
    }
}
