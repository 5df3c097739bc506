import Glibc
import Synchronization
import TestKit
import Testing

@Suite("A gateway under a service manager", .serialized)
struct ServiceTests {
    @Test("It says once that it is ready, feeds the watchdog, tells how it is in words, and says that it stops")
    func notifies() async throws {
        let site = try await Site(more: "[[device]]\nid = \"tide\"\ndriver = \"simulated\"\ninterval = \"100 ms\"\n")
        let socket = try NotifySocket(path: site.directory + "/notify")
        try await site.start(under: ["/usr/bin/env", "NOTIFY_SOCKET=\(socket.path)", "WATCHDOG_USEC=600000"])
        await socket.wait { $0.contains { $0.hasPrefix("STATUS=ok: ") } }
        let told = socket.messages
        let status = told.first { $0.hasPrefix("STATUS=ok: ") } ?? ""
        #expect(status.hasPrefix("STATUS=ok: 1 device, "), "\(status)")
        #expect(status.contains(" readings/s, cloud "), "\(status)")
        #expect(status.hasSuffix(" pending\n"), "\(status)")
        #expect(told.filter { $0.hasPrefix("READY=1\nSTATUS=") }.count == 1)
        // Three times within each interval, for the ten seconds until the status; half of that on the busiest of machines.
        #expect(told.filter { $0 == "WATCHDOG=1\n" }.count >= 25)

        await site.broker.stop()
        await socket.wait { $0.contains { $0.hasPrefix("STATUS=degraded: broker local is ") } }
        #expect(await site.terminate() == .exited(0))
        let all = socket.messages
        #expect(all.filter { $0.hasPrefix("READY=1") }.count == 1)
        #expect(all.filter { $0 == "STOPPING=1\n" }.count == 1)
        await site.end()
    }

    @Test("Its lines carry priorities where standard error is the journal's stream, and the time elsewhere")
    func journal() async throws {
        let site = try await Site()
        let script = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\""
        try await site.start(under: ["/bin/sh", "-c", script, "sh"])
        #expect(
            site.gateway?.log.contains("<5>gateway site is ready; ask it over \(site.directory)/covey.sock") == true)
        #expect(await site.terminate() == .exited(0))
        #expect(site.gateway?.log.allSatisfy { $0.hasPrefix("<") } == true)

        // The variable is inherited by whoever is started from a service; the stream often is not.
        try await site.start(under: ["/usr/bin/env", "JOURNAL_STREAM=1:2"])
        #expect(site.gateway?.log.contains { $0.hasPrefix("<") } == false)
        await site.end()
    }
}

/// What systemd would hear.
private final class NotifySocket: Sendable {
    private struct State {
        var messages: [String] = []
        var waiters: [(isDue: @Sendable ([String]) -> Bool, wake: CheckedContinuation<Void, Never>)] = []
    }

    let path: String
    private let descriptor: Int32
    private let state = Mutex(State())

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard descriptor >= 0, bound == 0 else { throw ChildFailure(description: "\(path): errno \(errno)") }
        let reader = descriptor
        startThread { [weak self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(reader, &buffer, buffer.count, 0)
                guard count > 0, let self else { break }
                self.took(String(decoding: buffer[..<count], as: UTF8.self))
            }
            _ = close(reader)
        }
    }

    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    var messages: [String] { state.withLock(\.messages) }

    /// Returns when the messages so far satisfy `condition`.
    func wait(_ condition: @escaping @Sendable ([String]) -> Bool) async {
        await withCheckedContinuation { wake in
            let isDue = state.withLock { state in
                if condition(state.messages) { return true }
                state.waiters.append((condition, wake))
                return false
            }
            if isDue { wake.resume() }
        }
    }

    private func took(_ message: String) {
        let due = state.withLock { state in
            state.messages.append(message)
            let messages = state.messages
            let due = state.waiters.filter { $0.isDue(messages) }
            state.waiters.removeAll { $0.isDue(messages) }
            return due
        }
        for waiter in due { waiter.wake.resume() }
    }
}
