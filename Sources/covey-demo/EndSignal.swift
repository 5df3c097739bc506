import Glibc
import Synchronization

/// Ctrl-C, SIGTERM, a closed terminal or the end of the time, whichever comes first.
final class EndSignal: Sendable {
    /// Thrown out of the story when the end was asked for.
    struct Asked: Error {}

    private let deadline: ContinuousClock.Instant?

    init(seconds: Int?) {
        deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { _ in endWasAsked.store(true, ordering: .relaxed) }
        }
        // Who reads along may go: then a write fails, which says it.
        signal(SIGPIPE, SIG_IGN)
    }

    static func ask() { endWasAsked.store(true, ordering: .relaxed) }

    var isAsked: Bool {
        endWasAsked.load(ordering: .relaxed) || deadline.map { ContinuousClock.now >= $0 } ?? false
    }

    /// Waits so long, or throws ``Asked``.
    func pause(_ duration: Duration) async throws {
        let wake = ContinuousClock.now + duration
        repeat {
            if isAsked { throw Asked() }
            try? await Task.sleep(for: min(.milliseconds(50), max(.zero, wake - ContinuousClock.now)))
        } while ContinuousClock.now < wake
    }
}

/// A signal handler may touch nothing but such a flag.
private let endWasAsked = Atomic(false)
