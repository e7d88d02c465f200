import Foundation

#if canImport(Darwin)
    import Darwin
#endif

/// The identity of a start of the operating system.
enum BootIdentity {
    /// The kernel's id of this boot; empty if there is none.
    static var current: [UInt8] {
        #if os(Linux)
            let text = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
            return Array(text.utf8.prefix(36))
        #elseif canImport(Darwin)
            // Unverified until an Apple build has run.
            var size = 0
            guard sysctlbyname("kern.bootsessionuuid", nil, &size, nil, 0) == 0, size > 0 else { return [] }
            var buffer = [UInt8](repeating: 0, count: size)
            guard sysctlbyname("kern.bootsessionuuid", &buffer, &size, nil, 0) == 0 else { return [] }
            return Array(buffer.prefix(36))
        #else
            return []
        #endif
    }
}
