import Foundation

/// The checkout that the tests stand in.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    struct File {
        /// Relative to the checkout.
        let path: String
        let text: String
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    /// The files below a folder with one of some extensions, in the order of their paths.
    static func files(in folder: String, extensions: Set<String> = ["swift"]) throws -> [File] {
        let base = root.appendingPathComponent(folder)
        guard let enumerator = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else {
            return []
        }
        let urls = enumerator.compactMap { $0 as? URL }.filter {
            extensions.contains($0.pathExtension) && !$0.path.contains("/.build")
        }
        return try urls.sorted { $0.path < $1.path }.map {
            File(
                path: String($0.path.dropFirst(root.path.count + 1)), text: try String(contentsOf: $0, encoding: .utf8))
        }
    }

    /// A text without comments and string literals.
    static func code(_ text: String) -> String {
        text.replacing(/"(?:\\.|[^"\\\n])*"/, with: "\"\"").replacing(/\/\/[^\n]*/, with: "")
    }
}
