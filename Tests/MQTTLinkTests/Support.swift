import Glibc
import Synchronization
import TestKit

@testable import MQTTLink

/// Values in the order in which they came, from any thread, and a way to wait for one.
final class Log<Element: Sendable>: Sendable {
    private struct Waiter {
        let id: Int
        let isMet: @Sendable ([Element]) -> Bool
        let wake: CheckedContinuation<[Element], Never>
    }

    private struct State {
        var elements: [Element] = []
        var waiters: [Waiter] = []
        var waits = 0
    }

    private let state = Mutex(State())

    var elements: [Element] { state.withLock { $0.elements } }

    func append(_ element: Element) {
        append(contentsOf: [element])
    }

    func append(contentsOf new: [Element]) {
        let (met, elements) = state.withLock { state in
            state.elements += new
            let elements = state.elements
            let met = state.waiters.filter { $0.isMet(elements) }
            state.waiters.removeAll { $0.isMet(elements) }
            return (met, elements)
        }
        for waiter in met { waiter.wake.resume(returning: elements) }
    }

    /// Returns when the values so far meet the condition, or when a test's time limit ends the wait: then with what there
    /// is, so that the test can tell what it saw instead.
    @discardableResult
    func wait(until isMet: @escaping @Sendable ([Element]) -> Bool) async -> [Element] {
        let id = state.withLock { state in
            state.waits += 1
            return state.waits
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { wake in
                let met = state.withLock { state -> [Element]? in
                    if Task.isCancelled || isMet(state.elements) { return state.elements }
                    state.waiters.append(Waiter(id: id, isMet: isMet, wake: wake))
                    return nil
                }
                if let met { wake.resume(returning: met) }
            }
        } onCancel: {
            let (cancelled, elements) = state.withLock { state in
                defer { state.waiters.removeAll { $0.id == id } }
                return (state.waiters.first { $0.id == id }, state.elements)
            }
            cancelled?.wake.resume(returning: elements)
        }
    }

    func wait(count: Int) async -> [Element] {
        await wait { $0.count >= count }
    }
}

extension Log where Element == LinkEvent {
    @discardableResult
    func waitForConnection(number: Int = 1) async -> LinkEvent? {
        let events = await wait { $0.filter(\.isConnected).count >= number }
        return events.filter(\.isConnected).dropFirst(number - 1).first
    }

    /// The first failure that the link tells.
    func waitForFailure() async -> LinkFailure? {
        let events = await wait { $0.contains { $0.failure != nil } }
        return events.compactMap(\.failure).first
    }

    func waitForSubscription(_ filter: String) async {
        await wait {
            $0.contains { if case .subscribed(filter, _) = $0 { true } else { false } }
        }
    }
}

extension LinkEvent {
    var isConnected: Bool { if case .connected = self { true } else { false } }
    var failure: LinkFailure? { if case .disconnected(let failure, _) = self { failure } else { nil } }
}

/// Lets nobody through until it is opened.
final class Gate: Sendable {
    private let log = Log<Bool>()
    let arrivals = Log<Int>()

    func pass() async {
        arrivals.append(arrivals.elements.count)
        await log.wait { !$0.isEmpty }
    }

    func open() { log.append(true) }
}

/// A link that runs in a task, what it told, and what it delivered.
final class RunningLink: Sendable {
    let link: IngestLink
    let events: Log<LinkEvent>
    let messages: Log<InboundMessage>
    private let task: Task<Void, any Error>

    init(
        _ settings: BrokerSettings, filters: [String] = ["t/#"],
        deliver: @escaping @Sendable (LinkBatch) async -> Bool = { _ in true }
    ) {
        let events = Log<LinkEvent>()
        let messages = Log<InboundMessage>()
        let link = IngestLink(settings: settings, filters: filters, seed: 1, events: { events.append($0) }) { batch in
            messages.append(contentsOf: batch.messages)
            return await deliver(batch)
        }
        self.link = link
        self.events = events
        self.messages = messages
        task = Task { try await link.run(heartbeat: {}) }
    }

    deinit { task.cancel() }

    func stop() async throws {
        task.cancel()
        try await task.value
    }
}

/// A publishing link that runs in a task.
final class RunningPublisher: Sendable {
    let link: PublishLink
    let events: Log<LinkEvent>
    private let task: Task<Void, any Error>

    init(_ settings: BrokerSettings, presence: PublishLink.Presence? = nil, limits: PublishLimits = PublishLimits()) {
        let events = Log<LinkEvent>()
        let link = PublishLink(settings: settings, presence: presence, limits: limits, seed: 1) { events.append($0) }
        self.link = link
        self.events = events
        task = Task { try await link.run(heartbeat: {}) }
    }

    deinit { task.cancel() }

    func stop() async throws {
        task.cancel()
        try await task.value
    }
}

extension BrokerSettings {
    /// Quick to reconnect, and with a window that no test notices.
    static func test(port: Int, clientID: String = "link", host: String = "127.0.0.1") -> BrokerSettings {
        var settings = BrokerSettings(name: "test", host: host, port: port, clientID: clientID)
        settings.commitWindow = .milliseconds(20)
        settings.reconnect.base = .milliseconds(50)
        settings.reconnect.cap = .milliseconds(200)
        // Brokers that a test plays answer when the test gets its turn.
        settings.reconnect.connectTimeout = .seconds(60)
        return settings
    }
}
