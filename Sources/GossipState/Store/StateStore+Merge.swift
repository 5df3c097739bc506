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
        /// It starts beyond what is known here, or speaks of a stream from before collections that were missed.
        var isGap = false
        /// An entry found no room: the stream is known only up to before it.
        var isRefused = false
    }

    /// Merges a section into an open stream. Safe when repeated, late or out of order.
    ///
    /// | the sender collected beyond what we know to be collected | the section starts | |
    /// |---|---|---|
    /// | no | within what we know | its entries above our version are taken |
    /// | yes | within what we know to be collected | and what it does not list of what we have is dead |
    /// | yes, and beyond our version | later | removals are lost to us: refused as a gap |
    /// | | beyond what we know | refused as a gap |
    mutating func merge(_ section: StateSection, into index: Int, now: MonotonicInstant) -> Merge {
        var merge = Merge()
        let (version, collected) = (writers[index].version, writers[index].collected)
        let lists = section.collected > collected && section.from <= collected
        guard section.from <= version, lists || section.collected <= version || section.writer.isShared else {
            merge.isGap = true
            return merge
        }
        if lists { strike(section, index, &merge) }
        add(section, index, now, &merge)
        if lists {
            let clean = min(section.through, section.collected, writers[index].version)
            note(index) { $0.collected = max($0.collected, clean) }
        }
        return merge
    }

    /// Takes out what another member, that knows a shared stream up to `through`, knows to be dead: what it does not name.
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
        return changes
    }

    /// The entries of a shared stream that stand, in parts of which each fits `room` bytes.
    func listings(_ index: Int, room: Int) -> [StateListing] {
        let record = writers[index]
        let most = max(1, (room - GossipWire.sectionHeaderBytes) / 9)
        var listings: [StateListing] = []
        var versions: [UInt64] = []
        var from: UInt64 = 0
        for (version, place) in record.log {
            guard let at = locate(place, record.id, version), !tables[at.table].rows[at.row].cells[at.cell].isDead
            else { continue }
            versions.append(version)
            guard versions.count == most else { continue }
            listings.append(StateListing(writer: record.id, from: from, through: version, versions: versions))
            from = version
            versions = []
        }
        listings.append(StateListing(writer: record.id, from: from, through: record.version, versions: versions))
        return listings
    }

    /// Takes out what the section's range would hold if it were alive.
    private mutating func strike(_ section: StateSection, _ index: Int, _ merge: inout Merge) {
        let record = writers[index]
        var listed = 0
        var slot = record.slot(above: section.from)
        while slot < record.log.count, record.log[slot].version <= section.through {
            let (version, place) = record.log[slot]
            slot += 1
            while listed < section.entries.count, section.entries[listed].version < version { listed += 1 }
            if listed < section.entries.count, section.entries[listed].version == version { continue }
            guard let at = locate(place, record.id, version) else { continue }
            if !tables[at.table].rows[at.row].cells[at.cell].isDead { merge.changes.append(place) }
            discard(at, of: index)
        }
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
