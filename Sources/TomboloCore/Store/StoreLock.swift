/// A lock that keeps the key under which a store's secrets are encrypted. So a thief of the store's files alone cannot
/// use them.
///
/// Secrets are the device's key, the keys of its logs, discovery secrets, the secrets of private groups, and
/// invitations. Contents of groups that are not private are stored in clear.
public protocol StoreLock: Sendable {
    /// Locks a store's key.
    ///
    /// - Returns: the bytes that the store keeps, at most 1 KiB. From them, and from a secret of the lock,
    ///   ``open(_:)`` recovers the key.
    /// - Throws: `StoreError` `unavailable` if the lock cannot be used now.
    func close(over key: Bytes32) throws(StoreError) -> [UInt8]
    /// Recovers a store's key.
    ///
    /// - Throws: `StoreError` `locked` if another lock locked the key, `unavailable` if this lock cannot be used now.
    func open(_ kept: [UInt8]) throws(StoreError) -> Bytes32
}
