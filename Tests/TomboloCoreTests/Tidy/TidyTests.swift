import Foundation
import Testing

@Suite("The house is in order")
struct TidyTests {
    private let root = SourceTree.root

    /// The modules that each target may import: of ours, and of others.
    private let allowed: [String: Set<String>] = [
        "SetReconciliation": [],
        "TomboloCore": ["SetReconciliation"],
        "TomboloCrypto": ["TomboloCore", "Crypto", "FoundationEssentials", "Foundation"],
        "TomboloSQLite": [
            "TomboloCore", "CFileBirth", "Crypto", "GRDB", "GRDBSQLite", "Foundation", "Synchronization", "Glibc",
            "Darwin",
        ],
        "TomboloNIO": [
            "TomboloCore", "CLibdeflate", "CZlib", "NIOCore", "NIOPosix", "NIOSSL", "NIOTLS", "Crypto", "X509",
            "SwiftASN1",
            "Foundation",
            "Synchronization",
        ],
        "Tombolo": [
            "TomboloCore", "TomboloCrypto", "TomboloSQLite", "TomboloNIO", "Crypto", "CryptoExtras", "Security",
            "Foundation", "Logging", "Metrics",
            "Synchronization",
            "Darwin", "Dispatch",
        ],
        "TomboloSimulation": ["SetReconciliation", "TomboloCore", "TomboloCrypto"],
        "TomboloObservation": ["Tombolo", "Observation"],
        "TomboloImport": ["Tombolo", "TomboloCore", "TomboloCrypto", "Foundation"],
        "TomboloTesting": ["Tombolo", "TomboloCore", "TomboloSimulation", "Dispatch", "Foundation", "Synchronization"],
    ]

    private func swiftFiles(in folder: String) throws -> [URL] {
        let url = root.appendingPathComponent(folder)
        let enumerator = try #require(FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil))
        return enumerator.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    @Test("no target imports more than its row allows")
    func imports() throws {
        for (target, allowed) in allowed {
            let files = try swiftFiles(in: "Sources/\(target)")
            #expect(!files.isEmpty, "\(target)")
            for file in files {
                for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                    let words = line.split(separator: " ")
                    guard let index = words.firstIndex(of: "import"), index <= 1, index + 1 < words.count else {
                        continue
                    }
                    #expect(allowed.contains(String(words[index + 1])), "\(file.lastPathComponent): \(line)")
                }
            }
        }
    }

    @Test("every target has its row")
    func everyTarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Sources").path)
        #expect(Set(folders).subtracting(["CFileBirth", "CLibdeflate", "CZlib"]) == Set(allowed.keys))
    }

    @Test("files stay short, and nothing is left to be done in them")
    func files() throws {
        for folder in ["Sources", "Tests", "Tools/Sources"] {
            for file in try swiftFiles(in: folder) where file.lastPathComponent != "TidyTests.swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 500, "\(file.path)")
                for word in ["TODO", "FIXME", "XXX"] { #expect(!text.contains(word), "\(file.path): \(word)") }
                guard folder != "Tests" else { continue }
                for word in ["try!", "as!", "@unchecked Sendable", "fatalError("] {
                    #expect(!text.contains(word), "\(file.path): \(word)")
                }
            }
        }
    }

    @Test("no file names a path beside the checkout")
    func standsAlone() throws {
        let folders = [
            ".ci", ".github", "Benchmarks/Sources", "Examples/Sources", "Examples/Tests", "Fuzz/Sources", "Sources",
            "Tests",
            "Tools/Sources", "Tools/Tests", "docs", "scripts",
        ]
        let top = ["CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "Package.swift", "README.md", "SECURITY.md"]
        let found = folders.flatMap { folder -> [URL] in
            let enumerator = FileManager.default.enumerator(
                at: root.appendingPathComponent(folder), includingPropertiesForKeys: [.isRegularFileKey])
            return enumerator?.compactMap { $0 as? URL } ?? []
        }
        // In two parts, so that this file does not name it either.
        let beside = ".." + "/shared"
        for file in found + top.map({ root.appendingPathComponent($0) }) {
            guard let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
            #expect(!text.contains(beside), "\(file.path)")
        }
    }

    @Test("links in the documents lead somewhere")
    func links() throws {
        let names = [
            "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Tests/Vectors/README.md",
            "docs/protocol.md",
            "docs/measurements.md",
        ]
        for name in names {
            let file = root.appendingPathComponent(name)
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /\]\(([^)#]+)\)/) where !match.1.hasPrefix("http") {
                let target = file.deletingLastPathComponent().appendingPathComponent(String(match.1))
                #expect(FileManager.default.fileExists(atPath: target.path), "\(name): \(match.1)")
            }
        }
    }
}
