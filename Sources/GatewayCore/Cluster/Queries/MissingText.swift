package import Model
import Replication

extension Missing {
    /// Sentences that one answer is told; more would hide the first.
    private static let mostSentences = 8
    /// Ranges that a sentence names.
    private static let mostRanges = 6

    /// What a person should know of an answer that lacks these, a sentence for those of one gateway that are missing for one reason.
    package static func sentences(_ missing: [Missing], name: (NodeID) -> String) -> [String] {
        var groups: [(owner: NodeID, holders: [Holder], parts: [Missing])] = []
        for part in missing {
            if let index = groups.firstIndex(where: { $0.owner == part.log.node && $0.holders == part.holders }) {
                groups[index].parts.append(part)
            } else {
                groups.append((part.log.node, part.holders, [part]))
            }
        }
        var sentences = groups.prefix(mostSentences).map { group in
            sentence(of: group.owner, group.holders, group.parts, name)
        }
        if groups.count > mostSentences {
            let rest = groups.dropFirst(mostSentences).flatMap(\.parts).reduce(0) { $0 + $1.ranges.readings }
            sentences.append("the answer may be partial: \(rest) more readings are missing")
        }
        return sentences
    }

    private static func sentence(
        of owner: NodeID, _ holders: [Holder], _ parts: [Missing], _ name: (NodeID) -> String
    ) -> String {
        let readings = parts.reduce(0) { $0 + $1.ranges.readings }
        let ranges = parts.flatMap { part in part.ranges.ranges.map { (log: part.log.log, range: $0) } }
        var places = ranges.prefix(mostRanges).map { place in
            "log \(place.log) from \(place.range.lowerBound) to \(place.range.upperBound.rawValue - 1)"
        }
        if ranges.count > mostRanges { places.append("\(ranges.count - mostRanges) more ranges") }
        let reasons = holders.prefix(8).map { "\(name($0.node)) (\($0.reason.rawValue))" }
        let more = holders.count > 8 ? " and \(holders.count - 8) more" : ""
        return
            "the answer may be partial: \(readings) readings of \(name(owner)) are not on this disk; they are held by "
            + reasons.joined(separator: ", ") + more + ": " + places.joined(separator: ", ")
    }
}
