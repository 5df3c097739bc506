import Environment
import GatewayCore
import Logging
import Posix
import Supervision
import Synchronization

/// How a gateway leaves its covey for good: it takes no more readings, waits until none of those that it holds is here alone, says
/// good-bye, and stays idle. It does not end by itself: systemd would start it again, and it would join again.
final class Departure: Sendable {
    enum State: String, Sendable {
        case staying
        /// Takes no readings any more; some are still here alone.
        case emptying
        /// Says good-bye.
        case leaving
        /// Idle, until somebody stops it or starts it anew.
        case left
    }

    private let held = Mutex(State.staying)

    var state: State { held.withLock(\.self) }

    /// Whether it begins with this call.
    func begin() -> Bool {
        held.withLock { state in
            guard state == .staying else { return false }
            state = .emptying
            return true
        }
    }

    fileprivate func enter(_ state: State) { held.withLock { $0 = state } }

    /// The covey knows that this gateway goes.
    func said() { enter(.left) }
}

extension Gateway {
    /// Does what ``Departure`` says, step by step.
    struct Farewell: Sendable {
        let parts: Parts
        let supervisor: Supervisor
        let logger: Logger

        private static let look = Duration.milliseconds(250)
        /// The core says good-bye within two seconds; a link that is down may not hold it up.
        private static let longestGoodBye = Duration.seconds(10)

        func run() async throws {
            logger.notice("leaving the covey: no more readings are taken")
            for source in ["discovery", "devices", "brokers"] { await stop(source) }
            let clock = parts.clock
            while await parts.gateway.read({ !$0.isQuiet || $0.heldHereAlone > 0 }) {
                try await clock.sleep(until: clock.now.advanced(by: Self.look))
            }
            parts.departure.enter(.leaving)
            // From here on others upload what is pending.
            await stop("uploads")
            await parts.gateway.handle(.leave)
            let end = clock.now.advanced(by: Self.longestGoodBye)
            while parts.departure.state != .left, clock.now < end {
                try await clock.sleep(until: clock.now.advanced(by: Self.look))
            }
            // What was said last is on its way.
            try await clock.sleep(until: clock.now.advanced(by: .seconds(1)))
            for part in ["seeds", "link"] { await stop(part, under: ["covey"]) }
            await parts.joined.clear(store: parts.store, log: parts.log)
            parts.departure.said()
            logger.notice("this gateway has left its covey and is idle: stop it, or restart it to join again")
        }

        private func stop(_ child: String, under: [String] = []) async {
            do {
                try await supervisor.remove(child, under: under)
            } catch {
                logger.warning("\(child) was not stopped: \(error)")
            }
        }
    }
}
