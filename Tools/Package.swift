// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "tombolo-tools",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "tombolo", targets: ["TomboloTool"])],
    dependencies: [
        .package(name: "tombolo", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CMalloc"),
        .executableTarget(
            name: "TomboloTool",
            dependencies: [
                .target(name: "CMalloc", condition: .when(platforms: [.linux])),
                .product(name: "Tombolo", package: "tombolo"),
                .product(name: "TomboloCore", package: "tombolo"),
                .product(name: "TomboloImport", package: "tombolo"),
                .product(name: "TomboloSQLite", package: "tombolo"),
                .product(name: "TomboloSimulation", package: "tombolo"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: strict),
        // Runs the tool that was built beside it.
        .testTarget(name: "TomboloToolTests", dependencies: ["TomboloTool"], swiftSettings: strict),
    ]
)
