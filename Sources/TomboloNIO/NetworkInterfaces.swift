import NIOCore

/// The addresses of this device.
package enum NetworkInterfaces {
    /// The IP addresses of all interfaces, ascending; without those that are valid on one link only.
    package static func addresses() -> [String] {
        let devices = (try? System.enumerateDevices()) ?? []
        let all = devices.compactMap { $0.address?.ipAddress }
        return Set(all.filter { !$0.lowercased().hasPrefix("fe80:") && !$0.hasPrefix("169.254.") }).sorted()
    }
}
