import Foundation
import Tombolo
import TomboloCore

/// A device in a process of its own, which a test kills: `serve DIRECTORY` prints its port and runs until killed,
/// `fetch DIRECTORY PEER PORT` syncs once.
@main struct CrashTestDevice {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let node = try await Node.open(at: URL(fileURLWithPath: arguments[2], isDirectory: true))
        switch arguments[1] {
        case "serve":
            print(try await node.listen())
            fflush(nil)
            while readLine() != nil {}
        case "fetch":
            guard let peer = DeviceKey(hex: arguments[3]) else { exit(2) }
            _ = try await node.sync(with: peer, at: "127.0.0.1:\(arguments[4])")
        default: exit(2)
        }
        try await node.close()
    }
}
