import CMosquitto
import Environment
import Glibc
import Model

extension Connection {
    /// Opens the connection and waits for the broker's answer to CONNECT.
    func open(_ target: Resolver.Target, on thread: LinkThread, deadline: MonotonicInstant) throws(LinkEnd) {
        listenToLog(true)
        let keepAlive = Int32(settings.keepAlive.components.seconds)
        var systemError: Int32 = 0
        let result = thread.blocking {
            defer { systemError = errno }
            guard target.needsSearch else {
                return mosquitto_connect_bind_async(client, target.host, Int32(settings.port), keepAlive, nil)
            }
            return mosquitto_connect(client, target.host, Int32(settings.port), keepAlive)
        }
        if thread.isStopping { throw .stopped }
        guard result == MOSQ_ERR_SUCCESS.result || result == MOSQ_ERR_CONN_PENDING.result else {
            throw openingFailed(result, systemError: systemError)
        }
        try waitForTransport(on: thread, deadline: deadline)
        watchTransport()
        try waitForAnswer(on: thread, deadline: deadline)
    }

    private func waitForTransport(on thread: LinkThread, deadline: MonotonicInstant) throws(LinkEnd) {
        while true {
            let ready = try wait(on: thread, write: true, deadline: deadline)
            guard ready.isWritable || ready.isBroken else { continue }
            let error = covey_socket_error(socket)
            guard error == 0 else { throw .failure(LinkFailure.system(error)) }
            return
        }
    }

    /// TLS, CONNECT and CONNACK. The library's handshake goes on in its read, whichever way it waits for.
    private func waitForAnswer(on thread: LinkThread, deadline: MonotonicInstant) throws(LinkEnd) {
        try read()
        while answer == nil {
            if wantsWrite { try write() }
            let ready = try wait(on: thread, write: wantsWrite, deadline: deadline)
            if ready.isReadable || ready.isWritable || ready.isBroken { try read() }
        }
        guard let answer, answer.code == 0 else { throw .failure(failure(MOSQ_ERR_SUCCESS.result, systemError: 0)) }
    }

    private func wait(
        on thread: LinkThread, write: Bool, deadline: MonotonicInstant
    ) throws(LinkEnd) -> LinkThread.Readiness {
        thread.beat()
        if thread.isStopping { throw .stopped }
        guard monotonicNow() < deadline else {
            throw .failure(
                LinkFailure(
                    .timeout,
                    "no answer from \(settings.host):\(settings.port) within \(settings.reconnect.connectTimeout.text): check host and port, and that the broker is well"
                ))
        }
        return thread.wait(socket: socket, read: true, write: write, until: deadline)
    }

    /// Lets the kernel notice a peer that is gone, also while a commit keeps this thread from reading or writing.
    private func watchTransport() {
        // The library leaves it open to children, which would keep a connection alive that this process has given up.
        covey_close_on_exec(socket)
        let seconds = Int32(settings.keepAlive.components.seconds)
        _ = covey_set_keepalive(socket, 1)
        _ = covey_set_tcp_option(socket, TCP_KEEPIDLE, max(1, seconds / 2))
        _ = covey_set_tcp_option(socket, TCP_KEEPINTVL, max(1, seconds / 6))
        _ = covey_set_tcp_option(socket, TCP_KEEPCNT, 3)
        _ = covey_set_tcp_option(socket, TCP_USER_TIMEOUT, seconds * 1000)
    }

    private func openingFailed(_ result: Int32, systemError: Int32) -> LinkEnd {
        // The library could not use a file that could be opened: no retry will help.
        if result == MOSQ_ERR_TLS.result,
            let note = notes.first(where: { $0.contains("Unable to load") || $0.contains("inconsistent") })
        {
            return .configuration(LinkConfigurationError(message: "broker \(settings.name): \(note)"))
        }
        return .failure(failure(result, systemError: systemError))
    }
}
