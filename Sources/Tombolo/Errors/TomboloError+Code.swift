extension TomboloError {
    /// The stable name of an error.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// The name, which stays the same between versions.
        public let rawValue: String
        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }
        private init(_ rawValue: String) { self.rawValue = rawValue }
        /// The name.
        public var description: String { rawValue }

        // MARK: The caller

        /// An argument does not have the required form.
        public static let invalidArgument = Code("invalidArgument")
        /// A link is not one of Tombolo's, or damaged.
        public static let invalidLink = Code("invalidLink")
        /// The node was opened for reading only.
        public static let readOnly = Code("readOnly")
        /// The request is for groups of the other dialect.
        public static let wrongDialect = Code("wrongDialect")
        /// The content is larger than an event can carry.
        public static let contentTooLarge = Code("contentTooLarge")
        /// The content refers to files that `send` was not given.
        public static let unnamedFiles = Code("unnamedFiles")
        /// The content cannot be decoded as the type that it names.
        public static let undecodableContent = Code("undecodableContent")

        // MARK: The group

        /// This device has no such group.
        public static let unknownGroup = Code("unknownGroup")
        /// This device already has the group.
        public static let groupExists = Code("groupExists")
        /// The group can hold no more logs.
        public static let groupFull = Code("groupFull")
        /// This device's member has no right to the request, or the request cannot be carried out now.
        public static let notAllowed = Code("notAllowed")
        /// This device's member is the only one that admits and removes members.
        public static let lastAdmin = Code("lastAdmin")
        /// The inviter refused the invitation: it is used up, expired or revoked.
        public static let invitationRefused = Code("invitationRefused")
        /// An event is not valid.
        public static let invalidEvent = Code("invalidEvent")

        // MARK: Files

        /// No entry on this device refers to the file.
        public static let unknownFile = Code("unknownFile")
        /// The file would exceed the device's quota for files.
        public static let fileQuotaExceeded = Code("fileQuotaExceeded")
        /// A file of the file system cannot be read, written or replaced.
        public static let fileUnusable = Code("fileUnusable")
        /// A file is no longer fetched, or cannot be.
        public static let fileUnavailable = Code("fileUnavailable")
        /// A bundle is damaged or forged.
        public static let bundleDamaged = Code("bundleDamaged")

        // MARK: Peers

        /// This device does not listen, so an invitation would have no address.
        public static let notListening = Code("notListening")
        /// The peer cannot be reached.
        public static let unreachable = Code("unreachable")
        /// The link was closed before everything was exchanged.
        public static let linkClosed = Code("linkClosed")
        /// The peer did not answer in time.
        public static let timedOut = Code("timedOut")
        /// The budget of a sync was spent before the peer's turn.
        public static let budgetSpent = Code("budgetSpent")
        /// The peer broke the protocol.
        public static let protocolViolation = Code("protocolViolation")
        /// Too many links are open.
        public static let tooManyLinks = Code("tooManyLinks")
        /// The visibility of a group towards the peer has changed. A new link applies it.
        public static let visibilityChanged = Code("visibilityChanged")

        // MARK: The store

        /// The disk is full. Nothing that was committed is lost.
        public static let storeFull = Code("storeFull")
        /// The store is damaged. ``Node/rebuildStore(at:lock:)`` rebuilds it.
        public static let storeCorrupt = Code("storeCorrupt")
        /// A later version of Tombolo made the store.
        public static let storeNewer = Code("storeNewer")
        /// An earlier version of Tombolo made the store, in a format that is read no more.
        public static let storeOlder = Code("storeOlder")
        /// Another process uses the store.
        public static let storeBusy = Code("storeBusy")
        /// There is no store, or it is closed, suspended or not readable.
        public static let storeUnavailable = Code("storeUnavailable")
        /// The store's keys need another lock.
        public static let storeLocked = Code("storeLocked")

        /// A defect of this library, or an unknown error.
        public static let unexpected = Code("unexpected")
    }
}
