import Foundation
import NIOCore
import NIOPosix
import TomboloCore

/// The reason why a socket could not be opened, in the words of the system.
func reason(for error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return reason(for: first.error) }
        return "the host name is not known"
    case let error as IOError: return String(cString: strerror(error.errnoCode))
    case is SocketAddressError, is SocketAddressError.UnknownHost: return "the host name is not known"
    case ChannelError.connectTimeout: return "it does not answer"
    case let error as TransportError: return error.description
    default: return "\(error)"
    }
}
