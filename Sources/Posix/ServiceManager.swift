import Glibc

/// Talks to systemd over `$NOTIFY_SOCKET` (`sd_notify`); does nothing where no service manager listens.
package struct ServiceManager: Sendable {
    private let socketPath: String?
    /// How often the watchdog wants to be fed at the latest; `nil` where none is set.
    package let watchdogInterval: Duration?

    package init() {
        socketPath = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let microseconds = getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) }
        let isForUs = getenv("WATCHDOG_PID").map { Int32(String(cString: $0)) == getpid() } ?? true
        watchdogInterval = isForUs ? microseconds.map { .microseconds($0) } : nil
    }

    /// Whether there is one.
    package var isPresent: Bool { socketPath != nil }

    package func ready(status: String) { send("READY=1\nSTATUS=\(status)\n") }
    /// ``ready(status:)`` ends it.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)\n")
    }
    package func status(_ text: String) { send("STATUS=\(text)\n") }
    package func stopping() { send("STOPPING=1\n") }
    package func feedWatchdog() { send("WATCHDOG=1\n") }

    private func send(_ message: String) {
        guard let socketPath, let first = socketPath.utf8.first,
            first == UInt8(ascii: "/") || first == UInt8(ascii: "@")
        else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketPath.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        if first == UInt8(ascii: "@") { name[0] = 0 }  // an abstract socket
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bytes = Array(message.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), target, length)
            }
        }
    }
}
