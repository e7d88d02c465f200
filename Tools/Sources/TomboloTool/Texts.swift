import ArgumentParser

/// Texts on the command line that begin with a dash, as messages do ("-5 degrees at the pier").
enum Texts {
    /// Puts arguments that can only be texts behind `--`, so that they are not read as options. An argument behind an
    /// option may be its value, and stays.
    ///
    /// - Throws: `ValidationError` for an argument such as `-hello`, which may be either.
    static func separated(from arguments: [String]) throws -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        var (kept, texts): ([String], [String]) = ([], [])
        for argument in arguments[..<end] {
            let isValue = kept.last?.hasPrefix("--") ?? false
            if isValue || !argument.hasPrefix("-") {
                kept.append(argument)
            } else if argument.contains(where: \.isWhitespace) {
                texts.append(argument)
            } else if !argument.hasPrefix("--"), argument.count > 2, argument.dropFirst().first?.isLetter ?? false {
                throw ValidationError("\(argument) is no option: before a text that begins with a dash, write -- ")
            } else {
                kept.append(argument)
            }
        }
        texts += arguments[end...].dropFirst()
        return texts.isEmpty ? kept : kept + ["--"] + texts
    }
}
