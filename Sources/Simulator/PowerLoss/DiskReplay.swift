import LogFormat

/// A sector of 512 bytes that a write brought, and that no sync has made durable yet.
struct PendingSector {
    /// Bytes from the start of the disk divided by ``SimulatedDisk/sectorBytes``.
    let place: Int
    let bytes: ArraySlice<UInt8>
    let hash: UInt64
    /// Number of the write among those pending.
    let write: Int
}

/// A trace's disk, carried on step by step, out of which the images of power cuts are made.
struct DiskReplay {
    private(set) var durable: PagedBytes
    private(set) var pending: [PendingSector] = []
    private(set) var pendingWrites = 0
    /// Of the durable contents: by sector, and summed up by segment.
    private var hashes: [UInt64]
    private var sums: [UInt64]
    private let segmentBytes: Int

    init(size: Int, geometry: Geometry) {
        durable = PagedBytes(zeros: size)
        segmentBytes = geometry.segmentBytes
        hashes = Array(repeating: 0, count: size / SimulatedDisk.sectorBytes)
        sums = Array(repeating: 0, count: size / geometry.segmentBytes)
    }

    /// What a power cut left.
    struct Image {
        fileprivate(set) var contents: PagedBytes
        /// One for each segment: equal contents have equal hashes.
        fileprivate(set) var sums: [UInt64]

        func sum(of segment: Int) -> UInt64 { sums[segment] }

        /// Tells this image from all others of the same size.
        var identity: UInt64 { sums.indices.reduce(0) { Self.mix($0 ^ sums[$1] &+ UInt64($1)) } }

        fileprivate static func mix(_ word: UInt64) -> UInt64 {
            var mixed = word &* 0x9E37_79B9_7F4A_7C15
            mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
            return mixed ^ (mixed >> 29)
        }
    }

    mutating func write(_ bytes: [UInt8], at position: Int) {
        let sector = SimulatedDisk.sectorBytes
        precondition(position % sector == 0 && bytes.count % sector == 0, "\(bytes.count) bytes at \(position)")
        for start in stride(from: 0, to: bytes.count, by: sector) {
            let part = bytes[start..<start + sector]
            let place = (position + start) / sector
            pending.append(
                PendingSector(place: place, bytes: part, hash: Self.hash(part, place), write: pendingWrites))
        }
        pendingWrites += 1
    }

    mutating func sync() {
        let image = image { _ in true }
        for sector in pending { hashes[sector.place] = sector.hash }
        durable = image.contents
        sums = image.sums
        pending = []
        pendingWrites = 0
    }

    /// The disk after a power cut now. `isKept` says of each pending sector, in order, whether it had arrived.
    func image(keeping isKept: (Int) -> Bool) -> Image {
        var image = Image(contents: durable, sums: sums)
        var replaced: [Int: UInt64] = [:]
        for (index, sector) in pending.enumerated() where isKept(index) {
            let before = replaced[sector.place] ?? hashes[sector.place]
            guard before != sector.hash else { continue }
            replaced[sector.place] = sector.hash
            let position = sector.place * SimulatedDisk.sectorBytes
            image.contents.replace(at: position, with: sector.bytes)
            image.sums[position / segmentBytes] = image.sums[position / segmentBytes] &- before &+ sector.hash
        }
        return image
    }

    /// The pending sectors that differ from what is durable, by their numbers: the others change nothing.
    var telling: [Int] {
        var replaced: [Int: UInt64] = [:]
        return pending.indices.filter { index in
            let sector = pending[index]
            let before = replaced[sector.place] ?? hashes[sector.place]
            replaced[sector.place] = sector.hash
            return before != sector.hash
        }
    }

    /// Zeros are 0, so that a blank disk needs no walk.
    private static func hash(_ bytes: ArraySlice<UInt8>, _ place: Int) -> UInt64 {
        bytes.withUnsafeBytes { buffer in
            var hash: UInt64 = 0
            var seen: UInt64 = 0
            for start in stride(from: 0, to: buffer.count, by: 8) {
                let word = buffer.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                seen |= word
                hash = Image.mix(hash ^ word)
            }
            return seen == 0 ? 0 : Image.mix(hash ^ UInt64(place))
        }
    }
}
