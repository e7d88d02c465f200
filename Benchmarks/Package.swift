// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "tombolo-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "tombolo", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                .product(name: "Tombolo", package: "tombolo"), .product(name: "TomboloCore", package: "tombolo"),
                .product(name: "TomboloCrypto", package: "tombolo"),
                .product(name: "TomboloImport", package: "tombolo"),
                .product(name: "TomboloSQLite", package: "tombolo"),
                .product(name: "TomboloNIO", package: "tombolo"),
                .product(name: "SetReconciliation", package: "tombolo"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("InternalImportsByDefault"),
            ])
    ])
