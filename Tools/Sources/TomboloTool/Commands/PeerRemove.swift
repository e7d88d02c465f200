import ArgumentParser
import Tombolo

extension Peer {
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a peer, or one address of it.",
            usage: "tombolo peer remove PEER [--address HOST:PORT]",
            discussion: """
                The device does not dial the peer any more. The peer stays a member of its groups, and is known again \
                once it connects. With --address, the device forgets that address alone.
                """)
        @OptionGroup var options: DataOptions
        @Argument(help: "The peer as `tombolo peer list` names it, or a beginning of at least 4 characters.")
        var peer: String
        @Option(help: ArgumentHelp("The address to forget.", valueName: "host:port")) var address: String?

        func run() async throws {
            try await options.withNode { node in
                let found = try await node.peers.map(\.id).filter { known in
                    "\(known)" == peer || peer.count >= 4 && "\(known)".hasPrefix(peer.lowercased())
                }
                guard let only = found.first, found.count == 1 else {
                    throw Failure(
                        found.isEmpty
                            ? "no peer is named \(peer): `tombolo peer list` lists all"
                            : "\(found.count) peers begin with \(peer): type more of the key")
                }
                guard let address else { return try await node.removePeer(only) }
                guard let device = only.device else {
                    throw Failure("the address is the name of this peer: leave out --address to forget the peer")
                }
                try await node.removeAddress(address, of: device)
            }
        }
    }
}
