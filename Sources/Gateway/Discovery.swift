import TOMLConfiguration
import Devices
import Environment
import KeyValue
import Logging
import Model
import Supervision

/// Devices that a topic with `{device}` brought: they get a place in the tree and are remembered, so that after a restart they are known,
/// and known to be silent, before they speak again.
struct Discovery: Sendable {
    struct Find: Sendable {
        let device: DeviceID
        /// The configured id that it came by, such as `z-{device}`.
        let pattern: String
    }

    let store: any KeyValueStore
    let logger: Logger
    /// As many as a gateway may have: none is lost between the feed that finds it and the child that places it.
    let finds = Mailbox<Find>(capacity: Limits.devices, overflow: .refuse)

    /// The supervised child: places and remembers what was found, many at a time.
    func run(_ context: ChildContext, place: @Sendable (DeviceID) async throws -> Void) async throws {
        while let batch = try await finds.next(upTo: 256) {
            context.heartbeat()
            announce(batch)
            for find in batch { try await place(find.device) }
            do {
                try await store.apply(
                    batch.map { .put(.devices, key: $0.device.rawValue, value: Array($0.pattern.utf8)) })
            } catch {
                logger.warning("\(batch.count) new devices could not be remembered: \(error.message)")
            }
        }
    }

    /// So many lines at a time can still be read; a wide filter on a busy broker brings thousands of devices at once.
    private static let namedAtOnce = 16

    private func announce(_ batch: [Find]) {
        for find in batch.prefix(Self.namedAtOnce) { logger.info("device \(find.device) appeared (\(find.pattern))") }
        let others = batch.count - Self.namedAtOnce
        if others > 0 { logger.info("\(others) more devices appeared; covey devices has them all") }
    }

    /// The devices found in earlier runs, by name.
    func remembered() async throws(KeyValueError) -> [Find] {
        try await store.scan(.devices, prefix: "", limit: Limits.devices).compactMap { entry in
            DeviceID(validating: entry.key).map {
                Find(device: $0, pattern: String(decoding: entry.value, as: UTF8.self))
            }
        }
    }
}
