import Synchronization

/// How many streams from each host have not shown yet that they are a peer's. A stranger who opens thousands takes only his own places.
final class Doorstep: Sendable {
    /// More than any gateway opens at once.
    static let mostPerHost = 32

    private let hosts = Mutex<[String: Int]>([:])

    /// Whether `host` may have one more; who enters leaves.
    func enter(_ host: String) -> Bool {
        hosts.withLock { hosts in
            let count = hosts[host, default: 0]
            guard count < Self.mostPerHost else { return false }
            hosts[host] = count + 1
            return true
        }
    }

    func leave(_ host: String) {
        hosts.withLock { hosts in
            guard let count = hosts[host] else { return }
            hosts[host] = count > 1 ? count - 1 : nil
        }
    }
}
