package import Foundation

extension CocoaError {
    /// The file and the fault, as one clause. The description of such an error is a dump of its properties.
    package var clause: String {
        let path = filePath ?? url?.path
        let reason =
            switch (underlying as? POSIXError)?.code ?? posixCode {
            case let code?: String(cString: strerror(code.rawValue)).lowercased()
            case nil: localizedDescription
            }
        return path.map { "\($0): \(reason)" } ?? reason
    }

    /// The error of the system behind the commonest codes, where Foundation does not name it.
    private var posixCode: POSIXErrorCode? {
        switch code {
        case .fileNoSuchFile, .fileReadNoSuchFile: .ENOENT
        case .fileReadNoPermission, .fileWriteNoPermission: .EACCES
        case .fileWriteFileExists: .EEXIST
        case .fileWriteOutOfSpace: .ENOSPC
        case .fileWriteVolumeReadOnly: .EROFS
        default: nil
        }
    }
}
