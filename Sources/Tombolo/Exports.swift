// The declarations of the core that an application needs to name, so that `import Tombolo` suffices.
//
// A typealias would not do. The members of a type belong to its module: where MemberImportVisibility is on, a file that
// imports Tombolo alone could name `Role`, and not its cases. A file that imports both modules would find two
// declarations of one name, and the compiler rejects `[Role]()` there. Each declaration is exported by itself: the
// engine is not.
@_exported public import struct TomboloCore.Bytes32
@_exported public import struct TomboloCore.Name
@_exported public import enum TomboloCore.NameSubject
@_exported public import typealias TomboloCore.EventID
@_exported public import typealias TomboloCore.GroupID
@_exported public import typealias TomboloCore.LogID
@_exported public import typealias TomboloCore.DeviceKey
@_exported public import typealias TomboloCore.MemberKey

@_exported public import enum TomboloCore.Dialect
@_exported public import enum TomboloCore.Policy
@_exported public import enum TomboloCore.Role
@_exported public import enum TomboloCore.Contact
@_exported public import enum TomboloCore.VisibilityLevel
@_exported public import enum TomboloCore.EventStatus
@_exported public import struct TomboloCore.FileID
@_exported public import struct TomboloCore.FileLimits
@_exported public import struct TomboloCore.Invitation
@_exported public import struct TomboloCore.DeviceRemoval
@_exported public import struct TomboloCore.Message
@_exported public import struct TomboloCore.Retention
@_exported public import struct TomboloCore.ReconciliationReport

// For applications with a lock or a transport of their own.
@_exported public import protocol TomboloCore.StoreLock
@_exported public import struct TomboloCore.StoreError
@_exported public import protocol TomboloCore.Transport
@_exported public import protocol TomboloCore.Connection
@_exported public import protocol TomboloCore.ConnectionHandler
@_exported public import struct TomboloCore.PayloadDelivery
@_exported public import struct TomboloCore.PeerAddress
@_exported public import struct TomboloCore.PeerRecord
@_exported public import struct TomboloCore.Traffic
@_exported public import struct TomboloCore.TransportError
@_exported public import struct TomboloCore.TransportIdentity
