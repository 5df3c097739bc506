import Environment
import LogFormat
import Membership
package import Model
import Replication
import RingLog

/// What comes from peers for queries that run on this gateway.
package enum QueryNews: Sendable {
    /// From a present member.
    case answer(QuestionID, [UInt8], from: NodeID)
    /// Messages to that member may have been lost.
    case lost(NodeID)
}

// Questions of peers for readings that are here, and the way of this gateway's own to them.
extension GatewayCore {
    mutating func receiveQuery(_ payload: [UInt8], from peer: NodeID, _ directives: inout [GatewayDirective]) {
        if let id = QueryFrame.id(of: payload), !QueryFrame.isQuestion(payload) {
            return directives.append(.query(.answer(id, payload, from: peer)))
        }
        guard case .question(let id, let question)? = try? QueryFrame(decoding: payload) else {
            cluster?.questions.counts.malformed += 1
            return
        }
        guard cluster?.questions.take(AskedQuestion(id: id, peer: peer, question: question)) ?? false else {
            return sayOfQuery(QueryFrame.busy(id).encoded, to: peer, &directives)
        }
        readNextPage(&directives)
    }

    mutating func sayOfQuery(_ payload: [UInt8], to node: NodeID, _ directives: inout [GatewayDirective]) {
        guard let cluster, let peer = cluster.address(of: node) else { return }
        directives.append(.frame(Envelope.seal(.queries, from: cluster.sender, payload), to: peer))
    }

    private mutating func readNextPage(_ directives: inout [GatewayDirective]) {
        while let asked = cluster?.questions.next() {
            let question = asked.question
            var scopes: [LogID: [Range<Offset>]] = [:]
            let held = question.parts.map { part in
                guard name(of: part.name.log) == part.name else { return OffsetRanges() }
                let here = OffsetRanges(ring.ranges(of: part.name.log))
                let held = part.ranges.intersection(here).bounded(to: QueryLimits.ranges)
                scopes[part.name.log] = held.ranges
                return held
            }
            let plan = ring.queryPlan(
                from: question.wish.from, to: question.wish.to, newestFirst: question.wish.newestFirst,
                limit: question.limit, after: question.after, blocks: QueryLimits.blocks
            ) { log in scopes[log].map { .only($0) } ?? .nothing }
            if plan.blocks <= QueryLimits.blocksInAll {
                let read = PageRead(asked: asked, held: held, plan: plan, anchors: ring.clock.anchors)
                return directives.append(.work(ReaderWork(read)))
            }
            answer(asked, with: .failed, &directives)
        }
    }

    /// A page has been read.
    mutating func paged(_ asked: AskedQuestion, _ outcome: PageOutcome, _ directives: inout [GatewayDirective]) {
        answer(asked, with: outcome, &directives)
        readNextPage(&directives)
    }

    private mutating func answer(
        _ asked: AskedQuestion, with outcome: PageOutcome, _ directives: inout [GatewayDirective]
    ) {
        guard cluster?.questions.finish(asked.id) ?? false else { return }
        switch outcome {
        case .page(let held, let end, let bytes):
            cluster?.questions.counts.pages += 1
            cluster?.questions.counts.bytes += UInt64(bytes.count)
            let frame = QueryFrame.answer(asked.id, held: held, end: end, bytes: bytes)
            sayOfQuery(frame.encoded, to: asked.peer, &directives)
        case .failed:
            cluster?.questions.counts.refused += 1
            sayOfQuery(QueryFrame.refused(asked.id).encoded, to: asked.peer, &directives)
        }
    }

    // MARK: Asking

    /// What other gateways say that they have of readings and this one has not on its disk, log by log.
    ///
    /// - Parameter nodes: Whose readings; `nil` for all.
    package func elsewhere(of nodes: Set<NodeID>?) -> [Elsewhere] {
        guard let cluster else { return [] }
        return cluster.replicator.elsewhere.filter { nodes?.contains($0.log.node) ?? true }.map { lacking in
            let holders = lacking.holders.map { node, ranges in
                Elsewhere.Holder(node: node, ranges: ranges, standing: standing(of: node))
            }
            // Whoever answers, then whose log it is: it has the newest of it.
            let ranked = holders.sorted { left, right in
                if left.standing != right.standing { return left.standing < right.standing }
                let (one, other) = (left.node == lacking.log.node, right.node == lacking.log.node)
                return one == other ? left.node < right.node : one
            }
            return Elsewhere(log: lacking.log, holders: ranked)
        }
    }

    private func standing(of node: NodeID) -> Elsewhere.Standing {
        guard let member = cluster?.membership.member(node), member.state.isPresent else { return .gone }
        guard member.identity.features & ClusterFeature.queries != 0 else { return .old }
        return member.state == .alive ? .alive : .suspect
    }

    /// Adds what a query has seen of peers.
    mutating func note(_ counts: AskedCounts) { cluster?.questions.counts.asked.add(counts) }
}
