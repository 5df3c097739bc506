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

/// A target of ours, named after its folder.
func floor(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle: [Target.Dependency] = [
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]
let certificates: [Target.Dependency] = [
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
    .product(name: "X509", package: "swift-certificates"),
]
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "covey",
    products: [.executable(name: "covey", targets: ["covey"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // Floor 0: C and C++
        .target(name: "CCovey"),
        .target(name: "CGPIOD", cSettings: [.define("_GNU_SOURCE")], linkerSettings: [.linkedLibrary("gpiod")]),
        .target(name: "CAvahi", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CTOML"),
        .systemLibrary(name: "CMosquitto"),
        .systemLibrary(name: "CSQLite"),
        .systemLibrary(name: "CZlib"),

        // Floor 1: words, and the seams to the machine
        floor("Model"),
        floor("Environment", ["Model"]),
        floor("Threads"),

        // Floor 2: pure codecs and state machines
        floor("LogFormat", ["CCovey", "CZlib", "Model"]),
        floor("SupervisionCore", ["Environment", "Model"]),
        floor("Membership", ["Environment", "Model"]),
        floor("GossipState", ["Environment", "Model"]),
        floor("Replication", ["Environment", "Model"]),

        // Floor 3: what decides, and the shells that need no machine
        floor("Supervision", ["Environment", "Model", "SupervisionCore", "Threads"]),
        floor("RingLog", ["Environment", "LogFormat", "Model"]),
        floor("KeyValue"),
        floor("PrometheusMetrics", [metrics]),
        floor("Devices", ["Environment", "Model"]),
        floor("SharedFeeds", ["Environment", "Model", "Replication"]),
        floor("Sinks", ["Environment", "Model"]),
        floor(
            "GatewayCore",
            [
                "Environment", "GossipState", "LogFormat", "Membership", "Model", "Replication", "RingLog", "Sinks",
            ]),

        // Floor 4: the machine
        floor("Posix", ["CCovey", "Environment", "Model"]),
        floor("SQLiteStore", ["CSQLite", "KeyValue", "Threads"]),
        floor("GPIODriver", ["CGPIOD", "Devices", "Environment", "Model", "Threads"]),
        floor("MQTTLink", ["CMosquitto", "Devices", "Environment", "Model", "Threads"]),
        floor("LocalSinks", ["Model", "Sinks", "Threads"]),
        floor("HTTPSinks", ["CZlib", "Model", "Sinks", httpClient, nioSSL] + nio),
        floor("ControlAPI", ["Model"] + nio),
        floor("ClusterLink", ["Model", nioSSL, nioTLS] + certificates + nio),
        floor("MDNS", ["CAvahi", "Model"]),
        floor("TOMLConfiguration", ["CTOML", "Devices", "Model"]),

        // Floor 5: wiring
        floor(
            "Gateway",
            [
                "ClusterLink", "ControlAPI", "Devices", "Environment", "GPIODriver", "GatewayCore", "HTTPSinks",
                "KeyValue",
                "LocalSinks", "LogFormat", "MDNS", "MQTTLink", "Membership", "Model", "Posix", "PrometheusMetrics",
                "Replication",
                "RingLog", "SQLiteStore", "SharedFeeds", "Sinks", "Supervision", "SupervisionCore", "TOMLConfiguration",
                "Threads",
                logging, metrics,
            ]),

        // Floor 6: programs
        program(
            "covey",
            [
                "ControlAPI", "Environment", "Gateway", "GatewayCore", "Model", "Posix", "RingLog",
                "TOMLConfiguration", argumentParser, logging,
            ]
                + lifecycle + nio),
        program("covey-demo", ["TestKit"]),

        // Beside the house
        floor(
            "Simulator",
            [
                "Environment", "GatewayCore", "GossipState", "LogFormat", "Membership", "Model", "Replication",
                "RingLog", "Sinks",
            ]),
        program("covey-sim", ["Simulator", argumentParser]),
        floor(
            "TestKit",
            ["CCovey", "CMosquitto", "CZlib", "Environment", "KeyValue", "Model", "Threads", nioSSL] + nio),
        .target(
            name: "BenchmarkKit", dependencies: ["Environment", "Model", "TestKit"], path: "Benchmarks/Kit",
            swiftSettings: strict),
        program("ingest-benchmark", ["BenchmarkKit", "CMosquitto", "TestKit"], path: "Benchmarks/Ingest"),
        program(
            "store-benchmark",
            [
                "BenchmarkKit", "CSQLite", "Environment", "GatewayCore", "LogFormat", "Model", "Posix", "RingLog",
                "Sinks",
                "TestKit",
            ], path: "Benchmarks/Store"),
        program(
            "footprint-benchmark",
            ["BenchmarkKit", "Environment", "LogFormat", "Model", "Posix", "RingLog", "TestKit"],
            path: "Benchmarks/Footprint"),
        program("membership-benchmark", ["BenchmarkKit", "TestKit"], path: "Benchmarks/Membership"),
        program("covey-benchmark", ["BenchmarkKit", "TestKit"], path: "Benchmarks/Covey"),
        program("soak", ["BenchmarkKit", "Model", "TestKit"], path: "Benchmarks/Soak"),

        tests("ModelTests", ["Model"]),
        tests(
            "ClusterLinkTests",
            ["ClusterLink", "Environment", "Model", "TestKit", nioSSL, nioTLS] + certificates + nio),
        tests("ThreadsTests", ["TestKit", "Threads"]),
        tests("LogFormatTests", ["Environment", "LogFormat", "Model"]),
        tests("SupervisionCoreTests", ["Environment", "Model", "SupervisionCore"]),
        tests("SupervisionTests", ["Environment", "Model", "Supervision", "SupervisionCore", "TestKit", "Threads"]),
        tests("MembershipTests", ["Environment", "Membership", "Model"]),
        tests("GossipStateTests", ["Environment", "GossipState", "Model"]),
        tests("ReplicationTests", ["Environment", "Model", "Replication", "Sinks"]),
        tests("SharedFeedsTests", ["Environment", "Model", "SharedFeeds"]),
        tests("RingLogTests", ["Environment", "LogFormat", "Model", "RingLog", "Simulator"]),
        tests("KeyValueTests", ["KeyValue", "TestKit"]),
        tests("DevicesTests", ["Devices", "Environment", "Model"]),
        tests("SinksTests", ["Environment", "Model", "Sinks"]),
        tests(
            "GatewayCoreTests",
            [
                "Environment", "GatewayCore", "LogFormat", "Membership", "Model", "Replication", "RingLog", "Simulator",
                "Sinks",
            ]),
        tests("SimulatorTests", ["Environment", "LogFormat", "Model", "RingLog", "Simulator", "covey-sim"]),
        tests("PrometheusMetricsTests", ["PrometheusMetrics", "TestKit", metrics]),
        tests("PosixTests", ["Environment", "Model", "Posix"]),
        .target(
            name: "CSQLiteTrace", path: "Tests/CSQLiteTrace", linkerSettings: [.linkedLibrary("sqlite3")]),
        tests("SQLiteStoreTests", ["CSQLite", "CSQLiteTrace", "KeyValue", "SQLiteStore", "TestKit"]),
        tests("GPIODriverTests", ["Environment", "GPIODriver", "Model"]),
        tests("GPIOChipTests", ["Devices", "Environment", "GPIODriver", "Model", "Posix", "Threads"]),
        tests("MQTTLinkTests", ["Devices", "Environment", "MQTTLink", "Model", "TestKit"]),
        tests("LocalSinksTests", ["LocalSinks", "Model", "Sinks"]),
        tests("HTTPSinksTests", ["Environment", "HTTPSinks", "Model", "Sinks", "TestKit"]),
        tests("TOMLConfigurationTests", ["Environment", "Model", "TOMLConfiguration"]),
        tests("ControlAPITests", ["ControlAPI", "Model", "TestKit"]),
        tests(
            "CommandLineTests",
            ["ControlAPI", "Environment", "LogFormat", "Model", "Posix", "RingLog", "TestKit", "covey"]),
        tests(
            "GatewayTests",
            [
                "ClusterLink", "Devices", "Environment", "Gateway", "LogFormat", "Model", "PrometheusMetrics",
                "Replication", "RingLog", "SharedFeeds", "Simulator", "Supervision",
                "SupervisionCore",
                "TestKit",
                "TOMLConfiguration", "covey",
                logging,
            ]),
        tests("BadInputTests", ["LogFormat", "Model", "TestKit", "covey"]),
        tests("CoveyProcessTests", ["ClusterLink", "Environment", "Model", "TestKit", "covey"]),
        tests("CoveyNetworkTests", ["Environment", "Model", "TestKit", "covey"]),
    ],
    cxxLanguageStandard: .cxx17
)
