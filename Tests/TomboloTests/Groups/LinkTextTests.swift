import Foundation
import Testing
import Tombolo

@Suite("Links in whatever surrounds them")
struct LinkTextTests {
    private let invitation = Invitation(
        group: GroupID(.zero), inviter: DeviceKey(.zero), secret: [UInt8](repeating: 7, count: 16),
        expiry: 1_800_000_000_000, addresses: ["127.0.0.1:52345", "[2001:db8::1]:4711"])
    private var link: String { InvitationLink(invitation).description }

    private func broken(at places: Int..., by separator: String) -> String {
        var text = link
        for place in places.sorted(by: >) {
            text.insert(contentsOf: separator, at: text.index(text.startIndex, offsetBy: place))
        }
        return text
    }

    private var readable: [(String, String)] {
        let encoded = link.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return [
            ("spaces", "  \(link) \n"), ("a sentence", "Join us: \(link). See you there!"), ("brackets", "<\(link)>"),
            ("quotes", "“\(link)”"), ("Markdown", "[join](\(link))"), ("a trailing comma", "\(link),"),
            ("a wrapped line", broken(at: 60, 120, by: "\n")), ("a quoted mail", broken(at: 76, by: "\r\n> ")),
            ("quoted-printable", broken(at: 70, by: "=\r\n")), ("a space", broken(at: 60, by: " ")),
            ("a soft hyphen", broken(at: 60, by: "\u{ad}")), ("a zero width space", "\(link)\u{200b}"),
            ("an encoded question mark", link.replacingOccurrences(of: "?", with: "%3F")), ("encoding", encoded),
            ("encoding, twice", encoded.replacingOccurrences(of: "%", with: "%25")),
            ("a capital", "T" + link.dropFirst()),
            ("a scheme in capitals", link.replacingOccurrences(of: "tombolo:join?", with: "TOMBOLO:JOIN?")),
            ("slashes", link.replacingOccurrences(of: "tombolo:", with: "tombolo://")),
            ("a parameter", "\(link)&utm_source=mail"), ("padding", "\(link)=="),
            ("a web address", link.replacingOccurrences(of: "tombolo:", with: "https://example.org/app#")),
            ("a second link", "\(link) or \(link)"),
            ("a damaged one before it", "tombolo:join?AAAA\u{2014}, no: \(link)"),
        ]
    }

    @Test("are found")
    func found() throws {
        for (name, text) in readable {
            #expect((try? InvitationLink(text))?.invitation == invitation, "\(name): \(text)")
        }
    }

    @Test("are refused with a way out if they are cut off, in capitals, of another kind, or not there")
    func refused() {
        let other = link.replacingOccurrences(of: "join", with: "device")
        for text in [String(link.prefix(100)), link.uppercased(), other, "tombolo:removal?AAAA", "", "hello", "#join?"]
        {
            do {
                _ = try InvitationLink(text)
                Issue.record("\(text) was accepted")
            } catch {
                let error = error as? TomboloError
                #expect(error?.code == .invalidLink && error?.recovery == "copy the whole link")
            }
        }
    }

    @Test("are searched for in a bounded time, whatever the text")
    func bounded() {
        let many = String(repeating: "tombolo:join?A ", count: 100_000)
        #expect(throws: TomboloError.self) { try InvitationLink(many) }
        #expect(throws: TomboloError.self) {
            try InvitationLink("tombolo:join?" + String(repeating: "A ", count: 1 << 20))
        }
        #expect(throws: TomboloError.self) { try InvitationLink(String(repeating: "%25", count: 1 << 20)) }
    }
}
