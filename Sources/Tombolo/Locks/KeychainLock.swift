#if canImport(Security)
    import Foundation
    import Security
    public import TomboloCore

    /// A lock that keeps a store's key in the Keychain of this device alone. The key is readable once the device was
    /// unlocked after a start. The store keeps the name of the Keychain's item.
    ///
    /// Not verified: no build for an Apple platform has run yet.
    public struct KeychainLock: StoreLock {
        private let service: String
        private let accessGroup: String?

        /// - Parameters:
        ///   - service: the service name of the items.
        ///   - accessGroup: the access group of the application and its extensions, if these read the store too.
        public init(service: String = "tombolo", accessGroup: String? = nil) {
            (self.service, self.accessGroup) = (service, accessGroup)
        }

        private func query(_ account: String) -> [CFString: Any] {
            var query: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword, kSecAttrService: service, kSecAttrAccount: account,
                kSecUseDataProtectionKeychain: true,
            ]
            if let accessGroup { query[kSecAttrAccessGroup] = accessGroup }
            return query
        }

        public func close(over key: Bytes32) throws(StoreError) -> [UInt8] {
            let account = UUID().uuidString
            var item = query(account)
            item[kSecValueData] = Data(key.bytes)
            item[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            let status = SecItemAdd(item as CFDictionary, nil)
            guard status == errSecSuccess else {
                throw StoreError(.unavailable, "the Keychain does not store the store's key (error \(status))")
            }
            return Array(account.utf8)
        }

        public func open(_ kept: [UInt8]) throws(StoreError) -> Bytes32 {
            var item = query(String(decoding: kept, as: UTF8.self))
            item[kSecReturnData] = true
            var found: CFTypeRef?
            let status = SecItemCopyMatching(item as CFDictionary, &found)
            guard status == errSecSuccess, let data = found as? Data, let key = Bytes32(data) else {
                // The Keychain refuses before the first unlock after a start.
                throw StoreError(
                    status == errSecItemNotFound ? .locked : .unavailable,
                    "the Keychain does not return the store's key (error \(status))")
            }
            return key
        }
    }
#endif
