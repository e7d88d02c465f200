// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "tombolo-examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "tombolo", path: ".."),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .executableTarget(
            name: "Search",
            dependencies: [
                .product(name: "Tombolo", package: "tombolo"), .product(name: "TomboloImport", package: "tombolo"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .executableTarget(name: "SmallChat", dependencies: [.product(name: "Tombolo", package: "tombolo")]),
        .target(name: "ShoppingList", dependencies: [.product(name: "Tombolo", package: "tombolo")]),
        .testTarget(
            name: "ShoppingListTests",
            dependencies: ["ShoppingList", .product(name: "TomboloTesting", package: "tombolo")]),
    ]
)
