// swift-tools-version: 6.2
import PackageDescription

// Built by `make fuzz`, which adds the flags that libFuzzer needs.
let package = Package(
    name: "tombolo-fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "tombolo", path: "..")],
    targets: [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "CFuzzer",
                .product(name: "TomboloCore", package: "tombolo"),
                .product(name: "TomboloCrypto", package: "tombolo"),
                .product(name: "SetReconciliation", package: "tombolo"),
            ],
            swiftSettings: [
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
    ])
