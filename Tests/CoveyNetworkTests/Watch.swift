import Synchronization
import TestKit

/// Looks, again and again, what each gateway of a fleet thinks of the others, and how long the sink hears nothing from a site.
final class Watch: Sendable {
    struct Sight: Hashable, Comparable, CustomStringConvertible {
        let observer: String
        let subject: String
        let state: String

        var description: String { "\(observer) saw \(subject) \(state)" }
        static func < (one: Sight, other: Sight) -> Bool { one.description < other.description }
    }

    private struct State {
        var sights: Set<Sight> = []
        var looks: [String: Int] = [:]
        var counts: [String: Int] = [:]
        var grown: [String: ContinuousClock.Instant] = [:]
        var silences: [String: Duration] = [:]
    }

    private let state = Mutex(State())
    private let work = Mutex<Task<Void, Never>?>(nil)

    /// Begins to look; a gateway that does not answer is asked again.
    init(_ fleet: Fleet) {
        let started = Task { [weak self] in
            await withTaskGroup(of: Void.self) { group in
                for member in fleet.members {
                    group.addTask { await Self.again(every: .milliseconds(500)) { await self?.look(member) } }
                }
                group.addTask { await Self.again(every: .milliseconds(50)) { self?.listen(to: fleet.receiver) } }
            }
        }
        work.withLock { $0 = started }
    }

    /// Returns when nobody looks any more.
    func stop() async {
        let work = work.withLock { $0 }
        work?.cancel()
        await work?.value
    }

    /// What was seen of others that was not `alive`, once for each observer, subject and state.
    var troubles: [Sight] { state.withLock { $0.sights.filter { $0.state != "alive" } }.sorted() }

    /// Who was taken for dead, by whom.
    var deaths: [Sight] { troubles.filter { $0.state == "dead" || $0.state == "left" } }

    /// How often each gateway has answered.
    var looks: [String: Int] { state.withLock(\.looks) }

    /// The longest time in which the sink got nothing new from that device, up to the last that it got.
    func silence(of device: String) -> Duration { state.withLock { $0.silences[device] ?? .zero } }

    private static func again(every pause: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(for: pause)
        }
    }

    private func look(_ member: Member) async {
        guard let peers = try? await member.peers() else { return }
        state.withLock { state in
            state.looks[member.name, default: 0] += 1
            for peer in peers {
                state.sights.insert(Sight(observer: member.name, subject: peer.name, state: peer.state))
            }
        }
    }

    private func listen(to receiver: HTTPReceiver) {
        let (counts, now) = (receiver.snapshot().byDevice, ContinuousClock.now)
        state.withLock { state in
            for (device, count) in counts where count != state.counts[device] {
                if let last = state.grown[device] {
                    state.silences[device] = max(state.silences[device] ?? .zero, now - last)
                }
                state.counts[device] = count
                state.grown[device] = now
            }
        }
    }
}
