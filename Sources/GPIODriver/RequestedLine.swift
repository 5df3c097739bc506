import CGPIOD
import Glibc
import Threads

/// An input line that is ours until this value ends. For one thread.
struct RequestedLine: ~Copyable {
    let isDebouncedByKernel: Bool
    /// Whether one read emptied a buffer that had been full, so that edges without numbers may be lost.
    private let bufferSize: Int
    private let place: String
    private let line: OpaquePointer
    private let descriptor: Int32
    private let events: UnsafeMutableBufferPointer<covey_gpio_event>

    init(_ line: OpaquePointer, place: String) {
        self.line = line
        self.place = place
        descriptor = covey_gpio_line_get_fd(line)
        isDebouncedByKernel = covey_gpio_line_is_debounced(line)
        bufferSize = Int(covey_gpio_line_get_buffer_size(line))
        events = .allocate(capacity: Int(COVEY_GPIO_EVENTS_MAX))
    }

    deinit {
        events.deallocate()
        covey_gpio_line_release(line)
    }

    /// Whether the level is the active one.
    func level() throws(GPIOError) -> Bool {
        let value = covey_gpio_line_get_value(line)
        guard value >= 0 else { throw failure(errno) }
        return value == 1
    }

    /// Waits for an edge, the wake-up or the time-out, whatever comes first.
    func wait(for wakeup: Wakeup, atMost nanoseconds: Int64) throws(GPIOError) {
        // Rounded up: a wait that ends before its deadline would spin until it comes.
        let milliseconds = Int32(clamping: (max(nanoseconds, 0) + 999_999) / 1_000_000)
        // A negative descriptor is passed over, which is what a line without edges needs.
        let polled: [pollfd] = [
            pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var descriptors = polled
        guard poll(&descriptors, nfds_t(descriptors.count), milliseconds) >= 0 else {
            if errno == EINTR { return }
            throw GPIOError(.system, place: place, message: "cannot wait for edges: \(describe(errno: errno))")
        }
        let gone = Int16(POLLERR | POLLHUP | POLLNVAL)
        guard descriptors[1].revents & gone == 0 else { throw failure(ENODEV) }
    }

    /// A flood must not keep the thread from hearing that it is cancelled: some full buffers at a time.
    private static let readsPerRound = 16

    /// Brings the edges that wait to the machine, oldest first.
    func drain(into machine: inout LineMachine) throws(GPIOError) {
        guard descriptor >= 0 else { return }
        for _ in 0..<Self.readsPerRound {
            let read = covey_gpio_line_read_events(line, events.baseAddress, events.count)
            guard read >= 0 else { throw failure(errno) }
            let batch = events.prefix(Int(read))
            for event in batch {
                machine.edge(
                    EdgeEvent(
                        nanoseconds: Int64(event.timestamp_ns), isRising: event.is_rising, sequence: event.sequence))
            }
            // The kernel drops the newest when it is full, so what was lost came after these.
            if batch.count == bufferSize, batch.last?.sequence == 0 { machine.bufferWasFull() }
            if batch.count < bufferSize { return }
        }
    }

    private func failure(_ code: Int32) -> GPIOError {
        switch code {
        case ENODEV, EBADF, EIO:
            GPIOError(
                .chipVanished, place: place,
                message: "the chip has vanished (\(describe(errno: code))): was its driver or overlay unloaded?")
        default:
            GPIOError(.system, place: place, message: "cannot read the line: \(describe(errno: code))")
        }
    }
}
