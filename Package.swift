// swift-tools-version: 6.2
import PackageDescription

/// Every target is built the same way: warnings are errors, imports are explicit.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "covey",
    targets: [
        // Floor 1
        .target(name: "Model", swiftSettings: strict),
        .target(name: "Environment", dependencies: ["Model"], swiftSettings: strict),
        .target(name: "Devices", dependencies: ["Model", "Environment"], swiftSettings: strict),
        .target(name: "Sinks", dependencies: ["Model", "Environment"], swiftSettings: strict),
    ]
)
