import Foundation
import Testing
import TomboloCore
import TomboloCrypto

/// A text that stands nowhere else, nor any part of it.
func secret(_ number: Int, bytes: Int) -> String {
    var text = ""
    while text.utf8.count < bytes {
        text += "\(SwiftCryptography().sha256(Array("secret \(number) at \(text.utf8.count)".utf8)))"
    }
    return String(text.prefix(bytes))
}

/// Which of some texts have left something in a file of a directory: eight parts of each are looked for, of twelve bytes.
func traces(of texts: [String], in directory: URL) throws -> [String] {
    struct Part {
        let text: String
        let rest: UInt32
    }
    var parts: [UInt64: [Part]] = [:]
    for text in texts {
        Array(text.utf8).withUnsafeBytes { bytes in
            for part in 0..<8 {
                let start = (bytes.count - 12) * part / 7
                let rest = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self)
                parts[bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self), default: []].append(
                    Part(text: text, rest: rest))
            }
        }
    }
    var found: Set<String> = []
    let files = try #require(FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil))
    for case let file as URL in files {
        guard let data = try? Data(contentsOf: file) else { continue }
        data.withUnsafeBytes { bytes in
            for start in 0..<max(0, bytes.count - 11) {
                guard let known = parts[bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)] else {
                    continue
                }
                let rest = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self)
                for part in known where part.rest == rest {
                    found.insert("\(file.lastPathComponent): \(part.text.prefix(20))")
                }
            }
        }
    }
    return found.sorted()
}
