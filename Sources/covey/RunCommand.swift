import ArgumentParser
import Gateway
import Glibc
import Logging
import Posix
import ServiceLifecycle
import TOMLConfiguration
import UnixSignals

/// `covey run`: the daemon, in the foreground.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the gateway in the foreground until SIGTERM or Ctrl-C.")

    @Option(help: "The configuration file.", completion: .file(extensions: ["toml"]))
    var config = "/etc/covey/covey.toml"

    /// By then everything runs, and whatever the start alone has read is not needed again.
    private static let settlingTime = Duration.seconds(10)

    func run() async throws {
        let configuration: GatewayConfiguration
        // A missing certificate costs its link, not the gateway, so files are only noted here; `covey check` insists on them.
        switch GatewayConfiguration.load(path: config, files: .note) {
        case .success(let loaded): configuration = loaded
        case .failure(let faults):
            for line in faults.lines { tell(printable(line)) }
            throw ExitCode(Failure.Code.notWell.rawValue)
        }
        let threshold = LogThreshold(Logger.Level(rawValue: configuration.log.level.rawValue) ?? .notice)
        let logger = Logger(label: "covey") { _ in LogOutput(threshold) }
        for note in configuration.notes { logger.warning("\(note.text(path: config))") }
        // A peer that hangs up is an error of one write, never the end of the gateway.
        signal(SIGPIPE, SIG_IGN)
        // Nor is the end of the terminal that it was started from.
        signal(SIGHUP, SIG_IGN)  // until the reload listens for it
        do {
            let gateway = try await Gateway.open(configuration, logger: logger, threshold: threshold)
            var quiet = logger
            quiet.logLevel = .error
            let service = ServiceGroupConfiguration.ServiceConfiguration(
                service: GatewayService(gateway: gateway, file: config),
                successTerminationBehavior: .gracefullyShutdownGroup)
            let group = ServiceGroup(
                configuration: .init(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
            let settling = Task {
                try await Task.sleep(for: Self.settlingTime)
                ProcessMemory.dropCodePages()
            }
            defer { settling.cancel() }
            try await group.run()
        } catch {
            logger.critical("\(error)")
            throw ExitCode(Failure.Code.notWell.rawValue)
        }
    }
}

/// The supervision tree as the one service of the process.
private struct GatewayService: Service {
    let gateway: Gateway
    let file: String

    func run() async throws {
        let hangUps = await UnixSignalsSequence(trapping: .sighup)
        let reloads = Task {
            for await _ in hangUps { await gateway.reload { GatewayConfiguration.load(path: file) } }
        }
        defer { reloads.cancel() }
        try await cancelWhenGracefulShutdown { try await gateway.run() }
    }
}
