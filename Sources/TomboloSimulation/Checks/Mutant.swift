/// A device or network that is broken on purpose: proves that the checks can fail.
package enum Mutant: Hashable, Sendable, CaseIterable {
    /// Says that it has synced to the disk, and has not.
    case forgetsToSync
    /// Loses a payload in thirty from streams that go on as if nothing had happened.
    case losesPayloads
    /// Hands the application each new event before what it names.
    case deliversBackwards
    /// Hands the application its last event again.
    case deliversTwice
    /// Does not hand the application what it said itself.
    case hidesItsOwn
    /// Loses a delivered event in seven when it starts again.
    case forgetsWhatWasRead
    /// Does not say what it had read when it writes.
    case namesNoCauses
    /// Begins no new log after a backup was put back.
    case goesOnInItsLog
    /// Keeps what is to be erased.
    case keepsWhatIsErased
    /// Hands nobody a secret.
    case keepsItsSecrets
    /// Cannot open what it was handed.
    case readsNothing
    /// Does not tell the application what is withdrawn.
    case hidesWhatIsWithdrawn
    /// Holds back one event in five, on one device alone.
    case misjudges
    /// Brings all sessions forward with each batch, which is no mistake: every run is the same as without.
    case restless
}
