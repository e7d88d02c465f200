extension RekeySecret {
    /// Joins the parts of a share, up to this part.
    ///
    /// - Parameter begun: the secret that the earlier parts make; nil for the first part.
    /// - Throws: `WireError` if the parts do not fit together.
    init(
        _ part: SecretShare, after begun: RekeySecret?, using cryptography: some Cryptography
    ) throws(WireError) {
        var contents = begun?.contents ?? []
        if !part.nodes.isEmpty {
            if contents.isEmpty {
                contents = [try PuncturableKey(decoding: part.nodes)]
            } else {
                try contents[0].append(decoding: part.nodes)
            }
        }
        if let root = contents.first?.root {
            self.init(root: root, using: cryptography)
        } else if let values = part.values ?? begun?.values {
            self.init(contents.isEmpty ? .values : .unproven, values: values, contents: contents)
        } else {
            throw .invalid("a share without its values key", offset: 0)
        }
    }
}
