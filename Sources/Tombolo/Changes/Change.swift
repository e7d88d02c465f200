public import TomboloCore

/// One change of a group. An application receives each change once, in causal order.
///
/// The last value of every case is the bookmark after the change; ``bookmark`` returns it for any case.
public enum Change: Sendable {
    /// An entry was delivered. All entries that it depends on were delivered before it.
    case delivered(Entry, at: Bookmark)
    /// A delivered entry no longer counts: its author was removed from the group and did not know of that.
    case withdrawn(Entry.ID, at: Bookmark)
    /// A withdrawn entry counts again, or the content of an erased one has returned to this device.
    case restored(Entry, at: Bookmark)
    /// The content of an entry is gone. The entry itself stays in the order.
    ///
    /// It may be the first change of the entry: the content was gone before the entry arrived.
    case erased(Entry.ID, ErasureReason, at: Bookmark)
    /// The group has forgotten the beginning of a log, behind a checkpoint that every member has passed.
    ///
    /// An application that keeps copies deletes those of this log up to this sequence. They can include entries whose
    /// erasure was never reported.
    case forgotten(log: LogID, through: UInt64, at: Bookmark)

    /// The bookmark after this change.
    public var bookmark: Bookmark {
        switch self {
        case .delivered(_, let bookmark), .withdrawn(_, let bookmark), .restored(_, let bookmark),
            .erased(_, _, let bookmark), .forgotten(_, _, let bookmark):
            bookmark
        }
    }

    /// The entry that is there after this change; nil if the change takes one away.
    public var entry: Entry? {
        switch self {
        case .delivered(let entry, _), .restored(let entry, _): entry
        case .withdrawn, .erased, .forgotten: nil
        }
    }
}

/// The reason why the content of an entry is not on this device.
public enum ErasureReason: Hashable, Sendable {
    /// A member redacted it on all devices: its author, or an admin. Nil if this device does not hold the redaction.
    case redacted(by: MemberKey?)
    /// It expired, on every device.
    case expired
    /// This device, or the device that the entry came from, keeps less than everything
    /// (``SyncGroup/setRetention(_:)``). Other devices may have it, and it can be restored.
    case notKept
}

/// The entries whose changes a reader receives.
public enum ChangeScope: Hashable, Sendable {
    /// Only messages.
    case messages
    /// All entries: also the group's state events, and the merges that devices write to join concurrent events.
    case everything
}
