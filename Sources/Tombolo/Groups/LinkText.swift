import Foundation

/// Links as text: `tombolo:KIND?`, followed by bytes in base64url without padding (RFC 4648, section 5).
///
/// Chats, mails and keyboards change links: they add words, brackets and punctuation, encode characters, break lines and
/// write the scheme in capitals. The bytes of a link state their own length. So a link is found in all that.
enum LinkText {
    static func link(_ kind: String, _ bytes: [UInt8]) -> String {
        "tombolo:\(kind)?"
            + Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    /// The result of a search.
    enum Finding<Value> {
        case found(Value)
        /// A link begins in the text, and its bytes cannot be decoded.
        case damaged
        /// No link of these kinds begins in the text.
        case none
    }

    /// Finds the first link of some kinds in a text.
    ///
    /// - Parameters:
    ///   - kinds: the kinds, in lower case.
    ///   - text: any text; of a longer one the first 65,536 characters count.
    ///   - decode: decodes the bytes of a link; nil if they are not exactly such bytes.
    static func find<Value>(
        _ kinds: [String], in text: String, decode: (_ kind: String, _ bytes: [UInt8]) -> Value?
    ) -> Finding<Value> {
        var isDamaged = false
        for reading in readings(of: String(text.prefix(65_536))) {
            for match in reading.matches(of: /(?i:tombolo:\/{0,2}|\#)([A-Za-z]+)\/?\?/).prefix(8) {
                let kind = match.output.1.lowercased()
                guard kinds.contains(kind) else { continue }
                for bytes in readings(ofBytes: reading[match.range.upperBound...]) {
                    if let value = decode(kind, bytes) { return .found(value) }
                }
                isDamaged = true
            }
        }
        return isDamaged ? .damaged : .none
    }

    /// The text without invisible characters, as it is and with percent-encoding undone once and twice.
    private static func readings(of text: String) -> [String] {
        let invisible: Set<Unicode.Scalar> = ["\u{ad}", "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}"]
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: text.unicodeScalars.lazy.filter { !invisible.contains($0) })
        var readings = [String(scalars)]
        while readings.count < 3, let decoded = readings[readings.count - 1].removingPercentEncoding,
            decoded != readings[readings.count - 1]
        {
            readings.append(decoded)
        }
        return readings
    }

    /// The bytes that a text may begin with: of its first run of base64url, then together with the next one, and so on,
    /// as long as only line breaks and what mails put at them stands between the runs.
    private static func readings(ofBytes text: Substring) -> [[UInt8]] {
        var (readings, base64, rest): ([[UInt8]], String, Substring) = ([], "", text.prefix(16_384))
        while readings.count < 64 {
            let run = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
            guard !run.isEmpty else { break }
            base64 += run.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
            let padding = String(repeating: "=", count: (4 - base64.count % 4) % 4)
            if let data = Data(base64Encoded: base64 + padding) { readings.append(Array(data)) }
            rest = rest[run.endIndex...].drop { $0.isWhitespace || $0 == ">" || $0 == "=" }
        }
        return readings
    }
}
