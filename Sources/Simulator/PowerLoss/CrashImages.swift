import Environment

// Which images one moment gives. `telling`: pending sectors that differ from what is durable.
//
// | image                                                        | how many                                   |
// |--------------------------------------------------------------|--------------------------------------------|
// | nothing that is pending arrived, and all of it               | 2                                          |
// | the last write torn: so many of its sectors from the front,  | one for each telling sector of 512 bytes   |
// | or all but so many, earlier writes whole                     | (each 4 KiB is among them)                 |
// | any subset of telling sectors                                | all of them up to 2^6                      |
// | random subsets of sectors of 512 bytes                       | `variety`, where there are more            |
// | random subsets of pages of 4 KiB                             | half of that, where there are several      |
//
// "Every prefix" comes from asking at every write.

/// Says, image by image, which pending sectors arrived.
struct CrashImages {
    /// Random subsets for each moment.
    let variety: Int
    private static let exhaustive = 6

    func forEach(
        _ replay: DiskReplay, using random: inout SeededRandom, _ body: (DiskReplay.Image) -> Void
    ) {
        body(replay.image { _ in false })
        let pending = replay.pending
        guard !pending.isEmpty else { return }
        body(replay.image { _ in true })
        let telling = replay.telling
        let last = telling.filter { pending[$0].write == replay.pendingWrites - 1 }
        for sector in last {
            body(replay.image { $0 < sector })
            body(replay.image { pending[$0].write != replay.pendingWrites - 1 || $0 >= sector })
        }
        guard telling.count > Self.exhaustive else {
            for subset in 0..<1 << telling.count {
                var kept = Set<Int>()
                for (place, sector) in telling.enumerated() where subset >> place & 1 == 1 { kept.insert(sector) }
                body(replay.image { kept.contains($0) })
            }
            return
        }
        for _ in 0..<variety {
            let bias = random.next() % 7 + 1
            let draws = pending.map { _ in random.next() % 8 < bias }
            body(replay.image { draws[$0] })
        }
        let page = PagedBytes.pageBytes / SimulatedDisk.sectorBytes
        let pages = Set(telling.map { pending[$0].place / page }).count
        guard pages > 1 else { return }
        for _ in 0..<variety / 2 {
            let seed = random.next()
            // A page arrives or not, however often it was written.
            body(replay.image { isHeads(seed ^ UInt64(pending[$0].place / page)) })
        }
    }
}

private func isHeads(_ seed: UInt64) -> Bool {
    var random = SeededRandom(seed: seed)
    return random.next() & 1 == 1
}
