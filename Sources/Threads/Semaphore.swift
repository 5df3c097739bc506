import Glibc

/// A counting semaphore of the C library: what a thread of its own sleeps on.
package final class Semaphore: @unchecked Sendable {
    /// It must not move in memory.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    package init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Lets one waiter go on, now or later; from any thread.
    package func post() {
        sem_post(semaphore)
    }

    /// Blocks the calling thread until there is a post for it. A signal handler may interrupt the wait: then it goes on.
    package func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}
