import Glibc
import Synchronization

/// One thread of its own for calls that block, such as `fdatasync` on a slow card. Work runs in the order in which it came.
final class SerialThread: Sendable {
    /// More than the machine ever has under way; a caller beyond that is told so.
    static let queueLimit = 16

    private struct State {
        var queue: [@Sendable () -> Void] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    /// Counts queued work; a semaphore must not move in memory, hence the allocation.
    private let signal = Signal()

    /// `nil` where the system has no thread left.
    init?() {
        var thread = pthread_t()
        let itself = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<SerialThread>.fromOpaque(argument).takeRetainedValue().loop()
                return nil
            }, itself.toOpaque())
        guard result == 0 else {
            itself.release()
            return nil
        }
        pthread_detach(thread)
    }

    /// Returns `false`, without running it, where too much waits or the thread is stopping.
    func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isStopping, state.queue.count < Self.queueLimit else { return false }
            state.queue.append(work)
            return true
        }
        if isTaken { signal.post() }
        return isTaken
    }

    /// Lets queued work finish, then ends the thread.
    func stop() {
        state.withLock { $0.isStopping = true }
        signal.post()
    }

    private func loop() {
        while true {
            signal.wait()
            let (work, isOver) = state.withLock { state in
                state.queue.isEmpty ? (nil, state.isStopping) : (state.queue.removeFirst(), false)
            }
            work?()
            if isOver { return }
        }
    }

    private final class Signal: @unchecked Sendable {
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init() { sem_init(semaphore, 0, 0) }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        func post() { sem_post(semaphore) }

        func wait() {
            while sem_wait(semaphore) != 0 && errno == EINTR {}
        }
    }
}
