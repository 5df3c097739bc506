import Environment
import Model
import Replication
import RingLog

@testable import GatewayCore

/// A query that runs on one of the gateways, as the shell would run it.
final class QueryRun {
    var query: CoveyQuery
    let index: Int
    var told: [ToldReading] = []
    /// Pages are small, so that there are many.
    var pageReadings = 64
    fileprivate var pager: QueryPager
    fileprivate let wish: QueryWish

    init(_ query: CoveyQuery, _ wish: QueryWish, on index: Int) {
        (self.query, self.wish, self.index) = (query, wish, index)
        pager = QueryPager(from: wish.from)
    }

    var keys: [String] { told.map { "\($0.reading.stored.log)/\($0.reading.stored.offset.rawValue)" } }
    var isInOrder: Bool {
        let places = told.map(\.reading.place)
        return places == places.sorted { $0.comes(before: $1, newestFirst: wish.newestFirst) }
    }
    func count(of log: LogID?) -> Int { told.count { $0.reading.stored.log == log } }
    var reasons: Set<Missing.Reason> { Set(query.missing.flatMap(\.holders).map(\.reason)) }
    var missingReadings: UInt64 { query.missing.reduce(0) { $0 + $1.ranges.readings } }
}

extension CoveyBench {
    static let everything = QueryWish(globs: [], from: nil, to: nil, newestFirst: false)

    /// - Parameter limit: Readings that are wanted, which are those of a page, too.
    func query(_ index: Int, _ wish: QueryWish = everything, limit: Int = .max) -> QueryRun {
        queryNews[index] = []
        let elsewhere = core(index).elsewhere(of: nil)
        return QueryRun(CoveyQuery(wish, elsewhere: elsewhere, limit: limit), wish, on: index)
    }

    /// Goes on until the query is done, `enough` is true, or the time is over; how many seconds that took.
    @discardableResult
    func go(on run: QueryRun, seconds: Double = 60, until enough: (QueryRun) -> Bool = { _ in false }) -> Double {
        let start = time
        while Double(time - start) < seconds * Double(Self.second) {
            run.told += run.query.take(run.pageReadings)
            if run.query.isDone || enough(run) { break }
            var directives: [CoveyQueryDirective] = []
            for news in queryNews[run.index] ?? [] {
                directives += run.query.step(.news(news), now: now, using: &random)
            }
            queryNews[run.index] = []
            directives += run.query.step(.tick, now: now, using: &random)
            perform(directives, run)
            self.run(seconds: 0.003)
        }
        return Double(time - start) / Double(Self.second)
    }

    private func perform(_ directives: [CoveyQueryDirective], _ run: QueryRun) {
        for directive in directives {
            switch directive {
            case .send(let bytes, let node): step(.queryMessage(bytes, to: node), run.index)
            case .readOwn:
                let (readings, isLast) = own(run)
                perform(run.query.step(.own(readings, isLast: isLast), now: now, using: &random), run)
            }
        }
    }

    private func own(_ run: QueryRun) -> ([TimedReading], Bool) {
        let (wish, scope) = (run.wish, run.query.ownScope)
        let limit = wish.newestFirst ? 1_000_000 : run.pager.limit
        let plan = core(run.index).ring.queryPlan(
            from: wish.newestFirst ? wish.from : run.pager.from, to: wish.to, newestFirst: wish.newestFirst,
            limit: limit
        ) { scope[$0] }
        let result = plan.perform(on: boxes[run.index].disk) { wish.matches($0) }
        if wish.newestFirst { return (result.readings, true) }
        let readings = run.pager.take(result)
        return (readings, run.pager.isDone)
    }
}
