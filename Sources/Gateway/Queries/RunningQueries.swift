import Environment
import GatewayCore
import Synchronization

/// The queries that run on this gateway, and what peers have for them. Each knows its own questions.
final class RunningQueries: Sendable {
    private struct State {
        var next: UInt64 = 0
        var mails: [(id: UInt64, mail: QueryMail)] = []
    }

    private let state = Mutex(State())

    /// Until ``remove(_:)``; callers of the control interface are as many as its connections at most.
    func add(_ mail: QueryMail) -> UInt64 {
        state.withLock { state in
            state.next += 1
            state.mails.append((state.next, mail))
            return state.next
        }
    }

    func remove(_ id: UInt64) { state.withLock { $0.mails.removeAll { $0.id == id } } }

    func tell(_ news: QueryNews) {
        for (_, mail) in state.withLock(\.mails) { mail.offer(news) }
    }
}

/// What has come for one query and was not looked at yet.
final class QueryMail: Sendable {
    private struct State {
        var news: [QueryNews] = []
        /// Questions whose answers are still to come.
        var expected: [QuestionID] = []
        var waiter: CheckedContinuation<Void, Never>?
        /// Something has come since somebody looked last.
        var isRung = false
    }

    /// Beside the answers, which are as many as were asked for: broken streams that wait to be looked at. Beyond, they are forgotten, and
    /// who was asked over them counts as silent.
    private static let mostNews = 64

    private let state = Mutex(State())

    /// Takes it where it is for this query.
    func offer(_ news: QueryNews) {
        let isTaken = state.withLock { state in
            switch news {
            case .answer(let id, _, _):
                guard let index = state.expected.firstIndex(of: id) else { return false }
                state.expected.remove(at: index)
            case .lost: if state.news.count >= Self.mostNews { return false }
            }
            state.news.append(news)
            return true
        }
        if isTaken { ring() }
    }

    /// Before the questions are sent.
    func expect(_ questions: [QuestionID]) { state.withLock { $0.expected = questions } }

    func take() -> [QueryNews] {
        state.withLock { state in
            defer { (state.news, state.isRung) = ([], false) }
            return state.news
        }
    }

    /// Returns when something comes, at that moment, or when the task is cancelled.
    func wait(until moment: MonotonicInstant, _ clock: any Clock) async {
        let timer = Task {
            try? await clock.sleep(until: moment)
            ring()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRung = state.withLock { state in
                    if !state.isRung { state.waiter = continuation }
                    return state.isRung
                }
                if isRung { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
        timer.cancel()
    }

    private func ring() {
        let waiter = state.withLock { state in
            state.isRung = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
