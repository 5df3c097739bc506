import Glibc

/// What the system has none left of.
package struct ThreadError: Error, Hashable, CustomStringConvertible {
    /// `thread` or `wake-up socket`.
    package let missing: String
    /// The system's error number.
    package let code: Int32

    package var description: String { "no \(missing): \(String(cString: strerror(code)))" }
}

/// A thread of the system's, for work that may block and so must stay away from the pool.
package enum Thread {
    /// Enough for a driver with deep parsing; the system's default of 8 MiB would cost address space on small boards.
    package static let stackBytes = 1 << 20
    /// Longer names are refused by the kernel.
    private static let nameBytes = 15

    /// Runs `body` on a new detached thread. `name` is shown by the system's tools, cut to 15 bytes.
    ///
    /// The thread takes no signals, so that none interrupts a call there: they are for the threads that the program set
    /// aside. Those that tell of a fault of the thread itself stay, or a crash would leave no trace.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(ThreadError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackBytes)
        let start = Unmanaged.passRetained(Start(name: shortened(name), body: body))
        var thread = pthread_t()
        let code = withSignalsBlocked {
            pthread_create(&thread, &attributes, threadBody, start.toOpaque())
        }
        guard code == 0 else {
            start.release()
            throw ThreadError(missing: "thread", code: code)
        }
    }

    /// A new thread takes over what its maker blocks, so that there is no moment in which it takes a signal.
    private static func withSignalsBlocked(_ call: () -> Int32) -> Int32 {
        var blocked = sigset_t()
        var before = sigset_t()
        sigfillset(&blocked)
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT] { sigdelset(&blocked, fault) }
        pthread_sigmask(SIG_SETMASK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return call()
    }

    /// The beginning of `name`, cut between characters.
    private static func shortened(_ name: String) -> String {
        var short = name
        while short.utf8.count > nameBytes { short.removeLast() }
        return short
    }
}

private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func threadBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    nameThisThread(start.name)
    start.body()
    return nil
}

/// Through the kernel's file, because the C call for it is hidden from Swift. Where there is no `/proc`, the thread
/// keeps the process' name: it is for people only.
private func nameThisThread(_ name: String) {
    guard let file = fopen("/proc/thread-self/comm", "we") else { return }
    fputs(name, file)
    fclose(file)
}
