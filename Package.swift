// swift-tools-version: 6.2
import PackageDescription

// One strictness for every target of ours: Swift 6 mode, upcoming features on, warnings are errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "tombolo",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .library(name: "SetReconciliation", targets: ["SetReconciliation"]),
        .library(name: "TomboloCore", targets: ["TomboloCore"]),
        .library(name: "TomboloCrypto", targets: ["TomboloCrypto"]),
        .library(name: "TomboloSQLite", targets: ["TomboloSQLite"]),
        .library(name: "TomboloNIO", targets: ["TomboloNIO"]),
        .library(name: "Tombolo", targets: ["Tombolo"]),
        .library(name: "TomboloObservation", targets: ["TomboloObservation"]),
        .library(name: "TomboloImport", targets: ["TomboloImport"]),
        .library(name: "TomboloSimulation", targets: ["TomboloSimulation"]),
        .library(name: "TomboloTesting", targets: ["TomboloTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
    ],
    targets: [
        .target(name: "SetReconciliation", swiftSettings: strict),
        .target(name: "TomboloCore", dependencies: ["SetReconciliation"], swiftSettings: strict),
        .target(
            name: "TomboloCrypto",
            dependencies: ["TomboloCore", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .target(
            name: "TomboloSQLite",
            dependencies: [
                "TomboloCore", "CFileBirth", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .systemLibrary(name: "CLibdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CFileBirth"),
        .target(
            name: "TomboloNIO",
            dependencies: [
                "TomboloCore",
                .target(name: "CLibdeflate", condition: .when(platforms: [.linux])),
                .target(name: "CZlib", condition: .when(platforms: [.macOS, .iOS])),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Tombolo",
            dependencies: [
                "TomboloCore", "TomboloCrypto", "TomboloSQLite", "TomboloNIO",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .target(name: "TomboloObservation", dependencies: ["Tombolo"], swiftSettings: strict),
        .target(
            name: "TomboloImport", dependencies: ["Tombolo", "TomboloCore", "TomboloCrypto"], swiftSettings: strict),
        .target(
            name: "TomboloSimulation", dependencies: ["SetReconciliation", "TomboloCore", "TomboloCrypto"],
            swiftSettings: strict),
        .target(
            name: "TomboloTesting", dependencies: ["Tombolo", "TomboloCore", "TomboloSimulation"],
            swiftSettings: strict),
        .executableTarget(
            name: "CrashTestDevice", dependencies: ["Tombolo", "TomboloCore"], path: "Tests/CrashTestDevice",
            swiftSettings: strict),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(
            name: "SetReconciliationTests",
            dependencies: ["SetReconciliation", "TestSupport", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .testTarget(
            name: "TomboloSimulationTests", dependencies: ["TomboloSimulation", "TomboloCore", "TestSupport"],
            exclude: ["Frozen/transcripts.txt"], swiftSettings: strict),
        .testTarget(
            name: "TomboloCoreTests", dependencies: ["TomboloCore", "TomboloCrypto", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "TomboloNIOTests",
            dependencies: [
                "TomboloNIO", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TomboloTestingTests", dependencies: ["Tombolo", "TomboloTesting", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "TomboloTests",
            dependencies: [
                "Tombolo", "TomboloSQLite", "TomboloNIO", "TomboloCrypto", "TomboloTesting", "TomboloSimulation",
                "TomboloObservation", "TomboloImport",
                "TestSupport", "CrashTestDevice", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: strict),
    ]
)
