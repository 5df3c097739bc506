// Pure.
import Model

/// A part of one stream: all that its sender holds of the versions above `from` up to `through`.
struct StateSection: Hashable, Sendable {
    let writer: WriterID
    let from: UInt64
    let through: UInt64
    /// How far the sender knows the stream.
    let goal: UInt64
    /// Up to where the sender may have collected removals of a single-writer stream.
    let collected: UInt64
    /// Ascending by version.
    let entries: [Entry]

    struct Entry: Hashable, Sendable {
        let version: UInt64
        let place: Place
        let isRemoval: Bool
        let body: [UInt8]
    }
}

/// All entries that stand of the versions above `from` up to `through` of a shared stream, by version, ascending.
struct StateListing: Hashable, Sendable {
    let writer: WriterID
    let from: UInt64
    let through: UInt64
    let collected: UInt64
    let versions: [UInt64]
}

extension StateStore {
    /// What a member that knows a stream so far lacks of it.
    struct Need: Hashable, Sendable {
        let index: Int
        let from: UInt64
        let upTo: UInt64
    }

    /// - Parameter version: up to where that member knows the stream, 0 where it does not.
    func need(_ index: Int, version: UInt64) -> Need? {
        let record = writers[index]
        return version < record.version ? Need(index: index, from: version, upTo: record.version) : nil
    }

    /// Whether a member that knows a stream so far holds entries of whose ends no delta tells it.
    func lacksEnds(_ index: Int, _ line: Known) -> Bool {
        let record = writers[index]
        if line.version == record.version { return line.alive != record.alive }
        return line.version > 0 && line.version < record.collected && line.collected < record.collected
    }

    /// About how many bytes it takes; stops counting beyond `limit`.
    func cost(_ need: Need, limit: Int) -> Int {
        let record = writers[need.index]
        var cost = 60
        var slot = record.slot(above: need.from)
        while slot < record.log.count, record.log[slot].version <= need.upTo, cost <= limit {
            let (version, place) = record.log[slot]
            if let at = locate(place, record.id, version) {
                cost +=
                    16 + place.key.count + place.element.count + tables[at.table].rows[at.row].cells[at.cell].body.count
            }
            slot += 1
        }
        return cost
    }

    /// The need as a section, and what is left of it. `nil` where it does not fit in `room`.
    ///
    /// A part of a stream lacks what later writes superseded; were its writer then lost with those, members that know equally
    /// much would differ for good. So only what outgrows a frame is cut.
    ///
    /// - Parameter mayCut: cuts it to the room; `nil` then where not even the next entry fits.
    func section(_ need: Need, room: Int, mayCut: Bool) -> (bytes: [UInt8], rest: Need?)? {
        let record = writers[need.index]
        let header = GossipWire.sectionHeaderBytes
        guard header <= room else { return nil }
        var entries: [UInt8] = []
        var count = 0
        var through = need.from
        var slot = record.slot(above: need.from)
        var isCut = false
        while slot < record.log.count, record.log[slot].version <= need.upTo {
            let (version, place) = record.log[slot]
            slot += 1
            guard let at = locate(place, record.id, version) else { continue }
            let size = entries.count
            let cell = tables[at.table].rows[at.row].cells[at.cell]
            GossipWire.append(cell, at: place, after: through, to: &entries)
            if header + entries.count > room || count == GossipLimits.sectionEntries {
                entries.removeLast(entries.count - size)
                isCut = true
                break
            }
            count += 1
            through = version
        }
        if isCut, count == 0 || !mayCut { return nil }
        if !isCut { through = need.upTo }
        var bytes = GossipWire.sectionHeader(record, from: need.from, through: through, count: count)
        bytes += entries
        return (bytes, isCut ? Need(index: need.index, from: through, upTo: need.upTo) : nil)
    }
}
