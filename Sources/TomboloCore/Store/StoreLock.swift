/// Keeps the key under which a store's secrets are encrypted, so that who has the store's files alone cannot use them.
///
/// Secrets are the device's key, the keys of its logs, what groups recognise each other by, what private groups are sealed under, and
/// invitations. What public and open groups say is none: it lies in the store as it is.
public protocol StoreLock: Sendable {
    /// - Returns: what the store keeps, at most 1 KiB: from it and from what only the lock knows, ``open(_:)`` makes the key again.
    /// - Throws: `StoreError` `unavailable` if the lock cannot be used now.
    func close(over key: Bytes32) throws(StoreError) -> [UInt8]
    /// - Throws: `StoreError` `locked` if it was another lock that closed, `unavailable` if the lock cannot be used now.
    func open(_ kept: [UInt8]) throws(StoreError) -> Bytes32
}
