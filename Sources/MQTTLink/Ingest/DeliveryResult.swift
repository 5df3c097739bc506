import Synchronization
import Threads

/// What became of a batch, on its way from the task that delivered it to the thread that waits.
final class DeliveryResult: Sendable {
    private let outcome = Mutex<Bool?>(nil)
    private let wakeup: Wakeup

    init(wakeup: Wakeup) {
        self.wakeup = wakeup
    }

    var value: Bool? { outcome.withLock { $0 } }

    func finish(_ isDurable: Bool) {
        outcome.withLock { $0 = isDurable }
        wakeup.signal()
    }
}
