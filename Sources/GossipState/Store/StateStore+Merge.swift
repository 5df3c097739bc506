// Pure.
import Environment
import Model

extension StateStore {
    /// What became of a section.
    struct Merge: Sendable {
        /// Where what is read may have changed.
        var changes: [Place] = []
        /// It brought something.
        var isNews = false
        /// It starts beyond what is known here, or its sender collected removals that were missed here.
        var isGap = false
        /// An entry found no room: the stream is known only up to before it.
        var isRefused = false
    }

    /// Merges a section into an open stream. Safe when repeated, late or out of order.
    ///
    /// | the section starts | the sender's collections are | |
    /// |---|---|---|
    /// | within what we know | within what we know, or known to us by a listing | its entries above our version are taken |
    /// | within what we know | beyond both | we may hold entries whose removals are lost to us: refused as a gap |
    /// | at 0, where we know nothing | anywhere | all is taken, and its collections with it |
    /// | beyond what we know | | refused as a gap |
    mutating func merge(_ section: StateSection, into index: Int, now: MonotonicInstant) -> Merge {
        var merge = Merge()
        let version = writers[index].version
        guard section.from <= version, version == 0 || section.collected <= max(version, writers[index].collected)
        else {
            merge.isGap = true
            return merge
        }
        add(section, index, now, &merge)
        if version == 0, merge.isNews { note(index) { $0.collected = max($0.collected, section.collected) } }
        return merge
    }

    /// Takes out what another member, that knows a stream up to `through`, knows to be dead: what it does not name.
    mutating func strike(_ listing: StateListing, _ index: Int) -> [Place] {
        var changes: [Place] = []
        let record = writers[index]
        var listed = 0
        var slot = record.slot(above: listing.from)
        while slot < record.log.count, record.log[slot].version <= listing.through {
            let (version, place) = record.log[slot]
            slot += 1
            while listed < listing.versions.count, listing.versions[listed] < version { listed += 1 }
            if listed < listing.versions.count, listing.versions[listed] == version { continue }
            guard let at = locate(place, record.id, version), !tables[at.table].rows[at.row].cells[at.cell].isDead
            else { continue }
            changes.append(place)
            discard(at, of: index)
        }
        if listing.from == 0, listing.through >= record.version {
            note(index) { $0.collected = max($0.collected, listing.collected) }
        }
        return changes
    }

    /// The entries of a stream that stand, in parts of which each fits `room` bytes.
    func listings(_ index: Int, room: Int) -> [StateListing] {
        let record = writers[index]
        var listings: [StateListing] = []
        var versions: [UInt64] = []
        var from: UInt64 = 0
        var last: UInt64 = 0
        var left = room - GossipWire.sectionHeaderBytes
        func part(through: UInt64) -> StateListing {
            StateListing(
                writer: record.id, from: from, through: through, collected: record.collected, versions: versions)
        }
        for (version, place) in record.log {
            guard let at = locate(place, record.id, version), !tables[at.table].rows[at.row].cells[at.cell].isDead
            else { continue }
            let bytes = GossipWire.width(version - last)
            if bytes > left {
                listings.append(part(through: last))
                (from, versions) = (last, [])
                left = room - GossipWire.sectionHeaderBytes
            }
            versions.append(version)
            left -= bytes
            last = version
        }
        return listings + [part(through: record.version)]
    }

    private mutating func add(
        _ section: StateSection, _ index: Int, _ now: MonotonicInstant, _ merge: inout Merge
    ) {
        let known = writers[index].version
        guard section.through > known else { return }
        var through = section.through
        for entry in section.entries where entry.version > known {
            if refusal(index, entry.place, bytes: entry.body.count, isRemoval: entry.isRemoval) != nil {
                merge.isRefused = true
                through = entry.version - 1
                break
            }
            let cell = StateCell(
                writer: section.writer, version: entry.version, isRemoval: entry.isRemoval, body: entry.body)
            insert(cell, at: entry.place, of: index, now: now)
            merge.changes.append(entry.place)
        }
        guard through > known else { return }
        merge.isNews = true
        update(index) {
            $0.version = through
            $0.goal = max($0.goal, section.goal)
        }
    }
}
