import Foundation

/// The rules of the core's house: which folder may refer to which, how large a type may be, and where a store is a
/// parameter.
enum CoreStructure {
    /// The folders that each folder may refer to, itself apart. A machine is in none of the rows of the leaves.
    static let mayUse: [String: Set<String>] = {
        var rows: [String: Set<String>] = ["Identifiers": [], "": ["Identifiers"]]
        rows["Wire"] = ["", "Identifiers"]
        rows["FileTree"] = ["", "Identifiers", "Wire"]
        rows["Events"] = ["", "Identifiers", "Wire", "FileTree"]
        rows["Sealing"] = ["", "Identifiers", "Wire", "Events"]
        rows["Logs"] = ["", "Identifiers", "Wire", "Events"]
        rows["State"] = ["", "Identifiers", "Wire", "Events"]
        rows["Transport"] = ["", "Identifiers", "Wire", "Events"]
        rows["Store"] = ["", "Identifiers", "Wire", "Events", "FileTree", "Logs", "State", "Sealing"]
        rows["Visibility"] = ["", "Identifiers", "Wire", "Store"]
        rows["Transit"] = ["", "Identifiers", "Wire", "Events", "Logs", "Store"]
        rows["Batch"] = [
            "", "Identifiers", "Wire", "Events", "FileTree", "State", "Sealing", "Store", "Transport", "Visibility",
        ]
        let leaves = Set(rows.keys)
        rows["Files"] = leaves
        rows["MVDS"] = leaves
        rows["Replica"] = leaves
        rows["Sync"] = leaves.union(["Replica"])
        rows["Engine"] = leaves.union(["Files", "MVDS", "Replica", "Sync"])
        return rows
    }()

    static func folder(of path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.count > 3 ? String(parts[2]) : ""
    }

    /// References to types of folders that the file's folder may not use.
    static func upwardReferences(in files: [SourceTree.File]) -> [String] {
        let declaration =
            /^(?:(?:public|package|private|fileprivate|indirect|final) )*(?:struct|class|enum|protocol|typealias|actor) (\w+)/
        var folderOfType: [String: String] = [:]
        var ambiguous: Set<String> = []
        for file in files {
            for line in SourceTree.code(file.text).split(separator: "\n") {
                guard let match = line.firstMatch(of: declaration) else { continue }
                let name = String(match.1)
                if folderOfType.updateValue(folder(of: file.path), forKey: name) != nil { ambiguous.insert(name) }
            }
        }
        for name in ambiguous { folderOfType[name] = nil }
        var found: [String] = []
        for file in files {
            let own = folder(of: file.path)
            guard let allowed = mayUse[own] else {
                found.append("\(file.path): folder \(own) has no row in CoreStructure.mayUse")
                continue
            }
            let nested = Set(SourceTree.code(file.text).matches(of: /(?:struct|class|enum) (\w+)/).map { $0.1 })
            for word in Set(SourceTree.code(file.text).split { !($0.isLetter || $0.isNumber || $0 == "_") }) {
                guard let other = folderOfType[String(word)], other != own, !allowed.contains(other),
                    !nested.contains(word)
                else { continue }
                found.append("\(file.path) refers to \(word) of \(other)/")
            }
        }
        return found.sorted()
    }

    /// Types with more stored properties than a reader can keep in mind.
    static func largeTypes(in files: [SourceTree.File], most: Int = 25) -> [String] {
        files.flatMap { file in
            storedProperties(in: file.text).filter { $0.count > most }.map {
                "\(file.path): \($0.type) has \($0.count)"
            }
        }
    }

    /// The number of stored properties of each struct, class and actor.
    static func storedProperties(in text: String) -> [(type: String, count: Int)] {
        let type = /^\s*(?:(?:public|package|private|fileprivate|final) )*(?:struct|class|actor) (\w+)/
        let property =
            /^\s*(?:@\w+ )*(?:(?:public|package|private|fileprivate|internal)(?:\(set\))? )*(?:let|var) \w+/
        var scopes: [(name: String, depth: Int, count: Int)] = []
        var result: [(type: String, count: Int)] = []
        var depth = 0
        for line in SourceTree.code(text).split(separator: "\n") {
            if let scope = scopes.last, scope.depth == depth, line.contains(property), !line.contains("static "),
                !isComputed(line)
            {
                scopes[scopes.count - 1].count += 1
            }
            let (opened, closed) = (line.count { $0 == "{" }, line.count { $0 == "}" })
            if opened > closed, let match = line.firstMatch(of: type) {
                scopes.append((String(match.1), depth + 1, 0))
            }
            depth += opened - closed
            while let scope = scopes.last, depth < scope.depth {
                result.append((scope.name, scope.count))
                scopes.removeLast()
            }
        }
        return result
    }

    /// Whether a property has a body and no value before it.
    private static func isComputed(_ line: Substring) -> Bool {
        guard let brace = line.firstIndex(of: "{") else { return false }
        return !line[..<brace].contains("=")
    }

    /// Parameters `_ store: any EventStore` where a batch, or a label, says more.
    static func bareStoreParameters(in files: [SourceTree.File]) -> [String] {
        files.filter {
            !["Store", "Engine"].contains(folder(of: $0.path)) && $0.text.contains("_ store: any EventStore")
        }
        .map(\.path)
    }

    /// Uses of a part's state from outside its own files, such as `outbox.plan`.
    ///
    /// - Parameter parts: the parts of a group session, by the names of their properties, with the types that own the
    ///   state.
    static func intrusions(in files: [SourceTree.File], parts: [String: String]) -> [String] {
        var found: [String] = []
        for (name, type) in parts {
            let own = files.filter { $0.path.split(separator: "/").last?.hasPrefix(type) == true }
            let declared = own.flatMap {
                $0.text.matches(of: /^    var (\w+)(?:: [^{\n]*| = [^{\n]*)$/.anchorsMatchLineEndings())
            }
            let state = Set(declared.map { String($0.1) })
            for file in files where !own.contains(where: { $0.path == file.path }) {
                for match in SourceTree.code(file.text).matches(of: /\b(\w+)\.(\w+)\b(?!\()/) {
                    guard match.1 == name[...], state.contains(String(match.2)) else { continue }
                    found.append("\(file.path) uses \(name).\(match.2)")
                }
            }
        }
        return Set(found).sorted()
    }
}
