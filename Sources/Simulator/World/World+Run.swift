import GatewayCore
import LogFormat
import Replication
import Model
import RingLog

/// How a history ends, once its bad days are over.
enum Ending: CaseIterable, Sendable {
    /// Everything heals at once.
    case plain
    /// The sinks stay away until all that is pending is copied as often as it should be.
    case copiesFirst
    /// Likewise; then all gateways but one go for good, and that one uploads for all before the others return.
    case loneSurvivor
}

extension World {
    /// Lives through bad days, then heals everything, demands liveness in bounded time, and judges what is left.
    package func run() {
        let badDays = scenario.seconds * SimulatedTime.second
        while let next = heap.nextAt, next < badDays, failures.isEmpty { happen() }
        heal()
        let ending = gateways.count > 1 ? scenario.ending : .plain
        if ending != .plain {
            waitUntil(within: Self.copyingTime) { $0.isCopied }
            checkCopied()
            if ending == .loneSurvivor, failures.isEmpty { loneSurvivor() }
        }
        for index in sinks.indices { sinks[index].mood = .good }
        healedAt = time
        waitUntil(within: Self.patience) { $0.isAtRest }
        guard failures.isEmpty else { return }
        checkRest()
        if gateways.count > 1, failures.isEmpty { checkQuiet() }
        if failures.isEmpty { checkEnd() }
    }

    /// The longest back-offs and sink-named waits are minutes.
    private static let patience = 3600 * SimulatedTime.second
    /// Half a megabyte a second, and rings of one or two.
    private static let copyingTime = 600 * SimulatedTime.second
    private static let survivorTime = 900 * SimulatedTime.second

    /// Goes on until `isDone`, asked once a simulated second, or `limit` has passed.
    func waitUntil(within limit: Int64, _ isDone: (World) -> Bool) {
        let end = time + limit
        var nextLook = time
        while let next = heap.nextAt, next < end, failures.isEmpty {
            if next >= nextLook {
                nextLook = next + SimulatedTime.second
                if isDone(self) { return }
            }
            happen()
        }
    }

    func pass(_ seconds: Int64) { waitUntil(within: seconds * SimulatedTime.second) { _ in false } }

    // MARK: A lone survivor

    /// Who is left must bring all that it holds to the sinks.
    private func loneSurvivor() {
        let sound = gateways.filter { !$0.history.isRotten && $0.core != nil }
        guard !sound.isEmpty else { return }
        let survivor = sound[Int(scenario.seed / 7 % UInt64(sound.count))]
        say("only \(survivor.index) survives")
        for gateway in gateways where gateway.index != survivor.index {
            // A recorded disk keeps all it was given: its power is cut in the replay.
            crash(gateway, powerCut: !options.records)
            gateway.isGone = true
        }
        for index in sinks.indices { sinks[index].mood = .good }
        waitUntil(within: Self.survivorTime) { $0.hasUploadedAll(survivor) }
        if failures.isEmpty, let lacking = firstLacking(survivor) {
            fail(.loneSurvivor, survivor, "\(lacking) is on its disk and not at every sink")
        }
        for gateway in gateways {
            gateway.isGone = false
            if gateway.core == nil { later(0, .start(gateway.index)) }
        }
    }

    private func hasUploadedAll(_ gateway: SimulatedGateway) -> Bool { firstLacking(gateway) == nil }

    private func firstLacking(_ gateway: SimulatedGateway) -> Key? {
        let all = UInt8((1 << sinks.count) - 1)
        for book in truth.books {
            for (offset, fate) in book.fates.enumerated() {
                guard let fate, fate.disks & gateway.bit != 0, fate.sinks != all else { continue }
                if fate.flags.contains(.poison) { continue }
                return Key(book.log, UInt64(offset))
            }
        }
        return nil
    }

    // MARK: Copies

    /// Whether everything that some required sink lacks is on min(K, N) disks.
    private var isCopied: Bool {
        guard isCalm else { return false }
        for gateway in gateways { noteHoldings(gateway) }
        return firstUncopied == nil
    }

    /// Sources are silent, and all processes run.
    private var isCalm: Bool {
        gateways.allSatisfy { gateway in
            (gateway.core?.isQuiet ?? false) && gateway.sources.allSatisfy { $0.isSilent && $0.ticket == nil }
        }
    }

    /// Not all may know yet of one that came back under a new id.
    private var copiesWanted: Int { gateways.map { copiesWanted(by: $0) }.min() ?? 0 }

    private var firstUncopied: Key? {
        // Where no sink is required nothing is pending.
        guard judges != 0 else { return nil }
        let wanted = copiesWanted
        for book in truth.books {
            var barred: UInt16?
            for (offset, fate) in book.fates.enumerated() {
                guard let fate, fate.disks != 0, fate.disks.nonzeroBitCount < wanted else { continue }
                if fate.sinks & judges == judges || fate.flags.contains(.poison) { continue }
                let unable = barred ?? gateways.filter { isBarred($0, book.log) }.reduce(0) { $0 | $1.bit }
                barred = unable
                let able = gateways.reduce(0) { $0 | (isSpoilt(Key(book.log, UInt64(offset)), at: $1) ? $1.bit : 0) }
                let lacking = unable & ~able & ~fate.disks
                guard fate.disks.nonzeroBitCount < wanted - lacking.nonzeroBitCount else { continue }
                return Key(book.log, UInt64(offset))
            }
        }
        return nil
    }

    /// Whether the gateway should hold the log and cannot take what it lacks of it.
    private func isBarred(_ gateway: SimulatedGateway, _ log: LogID) -> Bool {
        guard let core = gateway.core, let cluster = core.cluster else { return false }
        // A ring takes nothing into a log that it wrote itself, but what damage took of it: an old image may have made that shorter.
        if core.ring.logIDs.contains(log) { return true }
        guard let name = cluster.replicator.knownLogs.first(where: { $0.log == log }),
            cluster.replicator.placement(of: name).contains(cluster.node)
        else { return false }
        // One that is full of what nobody has uploaded takes no copies too, nor back what it had to let go.
        var ring = core.ring
        return gateway.hasEvicted || ring.statistics.evictedPending > 0 || !ring.hasRoomForCopies()
    }

    /// Whether damage took it from the gateway that wrote it, and nothing keeps that from taking it back.
    private func isSpoilt(_ key: Key, at gateway: SimulatedGateway) -> Bool {
        guard let core = gateway.core, core.ring.isOwn(key.log) else { return false }
        let gaps = core.ring.gaps(of: key.log)
        guard gaps.contains(where: { $0.reason == .damaged && $0.range.contains(Offset(key.offset)) }) else {
            return false
        }
        var ring = core.ring
        return !gateway.hasEvicted && ring.statistics.evictedPending == 0 && ring.hasRoomForCopies()
    }

    private func checkCopied() {
        guard failures.isEmpty else { return }
        for gateway in gateways { noteHoldings(gateway) }
        guard let key = firstUncopied else { return }
        let disks = truth.fate(key).map { String($0.disks, radix: 2) } ?? ""
        for gateway in gateways { say("gateway \(gateway.index): \(replicationText(gateway, key))") }
        fail(.fullyReplicated, nil, "\(key) is on disks \(disks), wanted are \(copiesWanted)")
    }

    private func replicationText(_ gateway: SimulatedGateway, _ key: Key) -> String {
        guard let cluster = gateway.core?.cluster, let owner = truth.book(key.log)?.owner,
            let node = gateways[owner].core?.cluster?.node
        else { return "none" }
        let log = LogName(node: node, log: key.log)
        let replicator = cluster.replicator
        return "holds \(replicator.held(of: log)) of \(replicator.end(of: log)), closed \(replicator.isClosed(log)), "
            + "wants it on \(replicator.placement(of: log).count), lacks \(replicator.underReplicated), "
            + "settled \(String(describing: cluster.duty.settledRanges(log))), ring \(gateway.core?.ring.ranges(of: key.log) ?? []),"
            + "stats \(gateway.core?.ring.statistics.freeSegments ?? 0) holdings \(gateway.holdings[key.log] ?? OffsetRanges())"
    }
}
