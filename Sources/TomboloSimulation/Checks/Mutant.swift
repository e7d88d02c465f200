/// A defect that is put into a device or the network on purpose. It proves that a check can fail.
package enum Mutant: Hashable, Sendable, CaseIterable {
    /// The store reports a sync to disk that did not take place.
    case forgetsToSync
    /// A stream loses one payload in thirty and continues as if nothing had happened.
    case losesPayloads
    /// The application receives each new event before the events that it names.
    case deliversBackwards
    /// The application receives its last event a second time.
    case deliversTwice
    /// The application does not receive the device's own events.
    case hidesItsOwn
    /// The device loses one delivered event in seven at a restart.
    case forgetsWhatWasRead
    /// The device names no causes in its events.
    case namesNoCauses
    /// The device continues its old log after a backup was restored.
    case goesOnInItsLog
    /// The device keeps contents that must be erased.
    case keepsWhatIsErased
    /// The device gives its secrets to nobody.
    case keepsItsSecrets
    /// The device cannot decrypt any content.
    case readsNothing
    /// The application is not notified of withdrawn events.
    case hidesWhatIsWithdrawn
    /// One device alone holds back one event in five.
    case misjudges
    /// All sessions advance with each batch. This is no defect: every run must be the same as without it.
    case restless
}
