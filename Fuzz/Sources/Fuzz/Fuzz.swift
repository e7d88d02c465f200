import CFuzzer

/// Passes the inputs of libFuzzer to one of the targets: `Fuzz TARGET [libFuzzer's options]`.
@main enum Fuzz {
    static let targets: [(name: String, run: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt)] = [
        ("decoders", { decoders(bytes($0, $1)) }),
        ("ranges", { ranges(bytes($0, $1)) }),
        ("session", { NativeSession.shared.attack(bytes($0, $1)) }),
        ("reconciliation", { ReconciliationSession.shared.attack(bytes($0, $1)) }),
        ("records", { RecordSession.shared.attack(bytes($0, $1)) }),
    ]

    static func main() {
        guard let name = CommandLine.arguments.dropFirst().first, let target = targets.first(where: { $0.name == name })
        else {
            print("usage: Fuzz TARGET [libFuzzer's options], TARGET being one of", targets.map(\.name))
            return
        }
        var count = CommandLine.argc - 1
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
        _ = LLVMFuzzerRunDriver(&count, &arguments, target.run)
    }

    private static func bytes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
        Array(UnsafeBufferPointer(start: start, count: count))
    }
}
