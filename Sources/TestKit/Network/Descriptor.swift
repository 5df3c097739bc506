import Glibc

/// A socket that is closed with its last holder: a number that is closed while a thread waits on it soon means another file to that thread.
package final class Descriptor: Sendable {
    package let number: Int32

    package init(_ number: Int32) {
        precondition(number >= 0, "no socket: \(errno)")
        self.number = number
    }

    deinit { _ = close(number) }

    /// Wakes whoever waits on it.
    package func shutdown() {
        _ = Glibc.shutdown(number, Int32(SHUT_RDWR))
    }
}
