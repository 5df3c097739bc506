import Glibc
import TestKit
import Testing
import Threads

/// What the system calls the calling thread.
func threadName() -> String {
    guard let file = fopen("/proc/thread-self/comm", "re") else { return "" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 32)
    guard fgets(&line, 32, file) != nil else { return "" }
    return String(decoding: line.prefix { $0 != 10 && $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

@Suite(.timeLimit(.minutes(1))) struct ThreadTests {
    /// Runs `body` on a thread of that name.
    private func run<Value: Sendable>(_ name: String, _ body: @escaping @Sendable () -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { done in
            do {
                try Thread.start(name) { done.resume(returning: body()) }
            } catch {
                done.resume(throwing: error)
            }
        }
    }

    @Test("A thread bears its name, cut between characters to what the kernel shows")
    func names() async throws {
        #expect(try await run("short") { threadName() } == "short")
        #expect(try await run("gpio-line-number-17") { threadName() } == "gpio-line-numbe")
        #expect(try await run("gewächshäuser-süd") { threadName() } == "gewächshäuser")
    }

    @Test("A thread takes no signals but those that tell of its own faults, and leaves its maker's as they were")
    func signals() async throws {
        let (blocked, before, after) = try await run("maker") { () -> ([Int32], [Int32], [Int32]) in
            let before = blockedSignals()
            let isDone = Semaphore()
            nonisolated(unsafe) var blocked: [Int32] = []
            try? Thread.start("signals") {
                blocked = blockedSignals()
                isDone.post()
            }
            isDone.wait()
            return (blocked, before, blockedSignals())
        }
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1] { #expect(blocked.contains(signal)) }
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { #expect(!blocked.contains(fault)) }
        #expect(before == after)
    }

    @Test("A wake-up ends a wait from another thread, once for any number of signals")
    func wakeup() async throws {
        let wakeup = try Wakeup()
        #expect(!isReadable(wakeup.descriptor))
        for _ in 0..<1000 { wakeup.signal() }
        #expect(isReadable(wakeup.descriptor))
        wakeup.clear()
        #expect(!isReadable(wakeup.descriptor))
        let waiting = Task {
            await onThread {
                var request = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
                return poll(&request, 1, 20_000)
            }
        }
        wakeup.signal()
        #expect(await waiting.value == 1)
    }

    private func isReadable(_ descriptor: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1
    }
}

/// Those that the calling thread does not take.
private func blockedSignals() -> [Int32] {
    var set = sigset_t()
    pthread_sigmask(SIG_SETMASK, nil, &set)
    return (1..<32).filter { sigismember(&set, $0) == 1 }
}
