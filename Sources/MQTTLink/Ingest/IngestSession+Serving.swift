import CMosquitto
import Environment
import Glibc
import Model
import Synchronization

extension IngestSession {
    /// Packets read before looking at the clock again.
    private static let packetsPerTurn = 512
    /// How long a stop waits for the last batch: within the second that a stop may take.
    private static let stopPatience = Duration.milliseconds(600)

    /// From the broker's acceptance to the end of the connection; always ends by throwing.
    func serve() throws(LinkEnd) {
        guard let connection, let answer = connection.answer else {
            throw .failure(LinkFailure(.lost, "the broker has not answered"))
        }
        begin(connection, answer)
        while true {
            let now = monotonicNow()
            thread.beat()
            if thread.isStopping { try finish(connection) }
            if messages.isEmpty {
                try subscribeChanges(connection)
                // Only between batches: whatever is queued beside acknowledgements goes out here, and they cannot.
                if connection.wantsWrite { try connection.write() }
            }
            let deadline: MonotonicInstant
            switch policy.decision(now: now) {
            case .idle: deadline = now.advanced(by: .seconds(1))
            case .collect(let until): deadline = until
            case .close(let reason):
                try commit(connection, reason: reason)
                continue
            }
            let mustWrite = messages.isEmpty && connection.wantsWrite
            let ready = thread.wait(socket: connection.socket, read: !mustWrite, write: mustWrite, until: deadline)
            if ready.isReadable || ready.isBroken { try drain(connection) }
            try tick(connection)
        }
    }

    private func begin(_ connection: Connection, _ answer: Connection.Answer) {
        let now = monotonicNow()
        lastHeard = now
        lastTick = now
        if !answer.isSessionPresent { watch.connected(sessionPresent: false) }
        connection.listenToLog(watch.needsLog)
        book.connected(sessionPresent: answer.isSessionPresent)
        bookEdition = -1
        var isForgotten = false
        link.update {
            isForgotten = $0.connects > 0 && !answer.isSessionPresent
            $0.state = .connected
            $0.since = now
            $0.version = connection.version
            $0.isSessionPresent = answer.isSessionPresent
            $0.connects += 1
            if isForgotten { $0.sessionsForgotten += 1 }
            $0.refusedFilters = []
        }
        link.events(.connected(sessionPresent: answer.isSessionPresent, version: connection.version))
        if isForgotten { link.events(.sessionForgotten) }
        noteArrivals(now)
    }

    private func subscribeChanges(_ connection: Connection) throws(LinkEnd) {
        let (edition, filters) = link.shared.withLock { ($0.edition, $0.filters) }
        guard edition != bookEdition else { return }
        bookEdition = edition
        book.change(to: filters)
        for request in book.requests() {
            switch request {
            case .subscribe(let filters): subscribe(filters, connection)
            case .unsubscribe(let filters): _ = connection.unsubscribe(filters)
            }
        }
    }

    /// Where the library refuses a packet, each of its filters is tried alone, so that a bad one costs no other.
    private func subscribe(_ filters: [String], _ connection: Connection) {
        switch connection.subscribe(filters) {
        case .success(let messageID): book.sent(filters, messageID: messageID)
        case .failure(let failure):
            guard filters.count > 1 else { return refuse(filters[0], failure.message) }
            for filter in filters { subscribe([filter], connection) }
        }
    }

    /// Reads what has come, up to the room in the batch.
    private func drain(_ connection: Connection) throws(LinkEnd) {
        let room = min(policy.room, Self.packetsPerTurn)
        let start = messages.count
        defer { noteArrivals(monotonicNow()) }
        repeat {
            let before = messages.count
            try connection.read()
            if messages.count == before { return }
        } while messages.count - start < room && messageBytes < policy.byteLimit
    }

    private func noteArrivals(_ now: MonotonicInstant) {
        let new = messages.count - policy.count
        guard new > 0 else { return }
        if policy.count == 0 { link.update { $0.waiting = new } }
        let newAcknowledgeable = acknowledgeable - policy.acknowledgeable
        policy.arrived(
            acknowledgeable: newAcknowledgeable, others: new - newAcknowledgeable, bytes: messageBytes - policy.bytes,
            now: now)
        lastHeard = now
        if !watch.needsLog { connection?.listenToLog(false) }
        guard isSilent else { return }
        isSilent = false
        link.update { $0.isSilent = false }
        link.events(.heard)
    }

    private func tick(_ connection: Connection) throws(LinkEnd) {
        let now = monotonicNow()
        guard lastTick.duration(to: now) >= .milliseconds(500) else { return }
        lastTick = now
        try connection.tick()
        link.update {
            $0.waiting = messages.count
            $0.lastMessageAt = lastHeard
        }
        guard let alarm = settings.silentAlarm, !isSilent, lastHeard.duration(to: now) >= alarm else { return }
        isSilent = true
        link.update { $0.isSilent = true }
        link.events(.silent(lastHeard.duration(to: now)))
    }

    /// Hands the batch over, waits until it is durable, and only then lets its acknowledgements out.
    private func commit(_ connection: Connection, reason: CloseReason) throws(LinkEnd) {
        let first = policy.first
        let closed = monotonicNow()
        policy.closed(reason, now: closed)
        let batch = LinkBatch(messages: messages, reason: reason)
        let hasOthers = acknowledgeable < messages.count
        let handed = Handed(
            count: messages.count, bytes: messageBytes, redeliveries: redeliveries, oversize: oversize)
        link.update { $0.waiting = handed.count }
        let isDurable = try wait(for: batch, on: connection)
        let durable = monotonicNow()
        guard isDurable else {
            link.update { $0.abandonedBatches += 1 }
            throw .failure(
                LinkFailure(
                    .notDurable,
                    "\(handed.count) messages could not be made durable and stay with the broker: see the ring's state")
            )
        }
        let moreWaited = connection.hasMoreToAcknowledge(sawOthers: hasOthers)
        messages.removeAll(keepingCapacity: true)
        messageBytes = 0
        acknowledgeable = 0
        redeliveries = 0
        oversize = 0
        try flush(connection, within: settings.keepAlive)
        let now = monotonicNow()
        policy.acknowledged(moreWaited: moreWaited, roundTrip: connection.roundTrip, now: now)
        count(handed)
        link.events(
            .batch(
                count: handed.count, reason: reason, window: first.duration(to: now),
                commit: closed.duration(to: durable)))
    }

    private struct Handed {
        let count: Int
        let bytes: Int
        let redeliveries: UInt64
        let oversize: UInt64
    }

    private func count(_ handed: Handed) {
        link.update {
            $0.waiting = 0
            $0.batches += 1
            $0.messages += UInt64(handed.count)
            $0.bytes += UInt64(handed.bytes)
            $0.redeliveries += handed.redeliveries
            $0.oversize += handed.oversize
            $0.learnedInFlight = policy.learnedInFlight
            $0.lastMessageAt = lastHeard
        }
    }

    private func wait(for batch: LinkBatch, on connection: Connection) throws(LinkEnd) -> Bool {
        let result = DeliveryResult(wakeup: thread.wakeup)
        let deliver = link.deliver
        Task { result.finish(await deliver(batch)) }
        var socket = connection.socket
        var giveUp: MonotonicInstant?
        while true {
            if let isDurable = result.value { return isDurable }
            let now = monotonicNow()
            thread.beat()
            if thread.isStopping {
                giveUp = giveUp ?? now.advanced(by: Self.stopPatience)
                if let giveUp, now >= giveUp { throw .stopped }
            }
            let ready = thread.wait(
                socket: socket, read: false, write: false, until: giveUp ?? now.advanced(by: .seconds(1)))
            // The commit goes on: what it made durable need not be stored again when the broker redelivers it.
            if ready.isBroken { socket = -1 }
        }
    }

    /// Sends all that is queued.
    private func flush(_ connection: Connection, within limit: Duration) throws(LinkEnd) {
        let start = monotonicNow()
        let deadline = start.advanced(by: limit)
        connection.hold(true)
        while connection.wantsWrite {
            try connection.write()
            guard connection.wantsWrite else { break }
            thread.beat()
            let now = monotonicNow()
            guard now < deadline else {
                throw .failure(
                    LinkFailure(.timeout, "the broker takes no acknowledgements: it hangs, or the network does"))
            }
            if thread.isStopping, start.duration(to: now) >= Self.stopPatience { throw .stopped }
            _ = thread.wait(
                socket: connection.socket, read: false, write: true,
                until: min(deadline, now.advanced(by: .milliseconds(200))))
        }
        connection.hold(false)
    }

    /// A stop commits and acknowledges what was read, and says good-bye, as far as both are quick.
    private func finish(_ connection: Connection) throws(LinkEnd) {
        if !messages.isEmpty { try commit(connection, reason: .stop) }
        connection.sendDisconnect()
        // The library reports the end of a connection that it was told to end, too.
        do { try flush(connection, within: .milliseconds(100)) } catch {}
        throw .stopped
    }
}

extension Connection {
    /// Whether a further message that must be acknowledged has come in, unread. Over plain TCP the next packet's first byte tells; over TLS
    /// only that something is there, which counts unless the sender also sends what needs no acknowledgement (`sawOthers`).
    func hasMoreToAcknowledge(sawOthers: Bool) -> Bool {
        var byte: UInt8 = 0
        guard recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 1 else { return false }
        guard settings.tls == nil else { return !sawOthers }
        return byte & 0xF6 == UInt8(CMD_PUBLISH) | 0x02
    }
}
