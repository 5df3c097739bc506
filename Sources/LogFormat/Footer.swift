import Model

/// One block as a footer or a scan lists it.
package struct BlockEntry: Hashable, Sendable {
    /// Position in the segment, in units.
    package let unit: Int
    package let units: Int
    package let runs: [Run]

    package init(unit: Int, units: Int, runs: [Run]) {
        self.unit = unit
        self.units = units
        self.runs = runs
    }
}

/// The index of a sealed segment, at its very end, so that a start need not read the segment: blocks with readings, and the
/// dictionary. It is written as blocks of its own; the last one, a single unit, says where the first one begins.
package struct Footer: Sendable {
    package var blocks: [BlockEntry]
    package var table: SeriesTable

    package init(blocks: [BlockEntry], table: SeriesTable) {
        self.blocks = blocks
        self.table = table
    }

    /// Payload of the last block: a tag, where the parts begin, how many bytes they hold.
    private static let endBytes = 16

    /// Units that a footer takes at most.
    package static func mostUnits(runs: Int, dictionaryBytes: Int, blockBytes: Int) -> Int {
        let bytes = 16 + runs * (Run.mostBytes + 8) + dictionaryBytes
        let part = blockBytes - BlockHeader.bytes
        return 1 + (bytes / part) * (blockBytes / Geometry.unit)
            + Geometry.units(covering: bytes % part + BlockHeader.bytes)
    }

    /// The footer's blocks and the position of the first of them, in bytes from the segment's start.
    package func encoded(store: StoreID, generation: UInt64, geometry: Geometry) -> (position: Int, bytes: [UInt8]) {
        let content = encodedContent()
        let most = geometry.blockBytes - BlockHeader.bytes
        var blocks: [UInt8] = []
        var chain = BlockHeader.chainStart(of: generation)
        var index = 0
        for start in stride(from: 0, to: content.count, by: most) {
            var block = [UInt8](repeating: 0, count: BlockHeader.bytes)
            block.append(contentsOf: content[start..<min(start + most, content.count)])
            let header = BlockHeader(kind: .footer, previous: chain, generation: generation, index: index)
            chain = sealed(&block, header, store)
            blocks.append(contentsOf: block)
            index += 1
        }
        var end = [UInt8](repeating: 0, count: BlockHeader.bytes)
        let position = geometry.segmentBytes - Geometry.unit - blocks.count
        end.append(fixed: UInt64(position))
        end.append(fixed: UInt64(content.count))
        _ = sealed(&end, BlockHeader(kind: .footerEnd, previous: chain, generation: generation, index: index), store)
        return (position, blocks + end)
    }

    private func sealed(_ block: inout [UInt8], _ header: BlockHeader, _ store: StoreID) -> UInt32 {
        var header = header
        header.payload = block.count - BlockHeader.bytes
        return header.seal(&block, store: store)
    }

    private func encodedContent() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: UInt64(blocks.count))
        for block in blocks {
            bytes.append(varint: UInt64(block.unit))
            bytes.append(varint: UInt64(block.units))
            bytes.append(varint: UInt64(block.runs.count))
            for run in block.runs { run.write(to: &bytes) }
        }
        for case (let index, let definition?) in table.definitions.enumerated() {
            definition.write(to: &bytes, index: index)
        }
        return bytes
    }

    /// Where the footer begins, out of the segment's last unit; `nil` where there is no whole footer end of this life.
    package static func start(
        _ lastUnit: [UInt8], store: StoreID, generation: UInt64, geometry: Geometry
    ) -> Int? {
        guard case .whole(let header, _) = BlockState.read(lastUnit, at: 0, store: store, limit: 1),
            header.kind == .footerEnd, header.generation == generation
        else { return nil }
        var reader = ByteReader(lastUnit, BlockHeader.bytes..<BlockHeader.bytes + header.payload)
        guard let position = try? reader.fixed(UInt64.self),
            position >= UInt64(Geometry.headerBytes), position % UInt64(Geometry.unit) == 0,
            position <= UInt64(geometry.segmentBytes - Geometry.unit)
        else { return nil }
        return Int(position)
    }

    /// Reads a footer out of `bytes`, everything from its start to the end of the segment; `nil` where it is not whole.
    package static func read(_ bytes: [UInt8], store: StoreID, generation: UInt64, geometry: Geometry) -> Footer? {
        var content: [UInt8] = []
        var position = 0
        var chain = BlockHeader.chainStart(of: generation)
        let limit = geometry.blockBytes / Geometry.unit
        while position < bytes.count {
            guard
                case .whole(let header, let checksum) = BlockState.read(bytes, at: position, store: store, limit: limit),
                header.generation == generation, header.previous == chain
            else { return nil }
            if header.kind == .footerEnd { return try? decoded(content, geometry) }
            guard header.kind == .footer else { return nil }
            content.append(
                contentsOf: bytes[position + BlockHeader.bytes..<position + BlockHeader.bytes + header.payload])
            chain = checksum
            position += header.units * Geometry.unit
        }
        return nil
    }

    private static func decoded(_ content: [UInt8], _ geometry: Geometry) throws(FormatError) -> Footer {
        var reader = ByteReader(content, 0..<content.count)
        var footer = Footer(blocks: [], table: SeriesTable())
        let count = try reader.count(limit: geometry.segmentUnits, "blocks")
        for _ in 0..<count {
            let unit = try reader.count(limit: geometry.segmentUnits - 1, "unit")
            let units = try reader.count(limit: geometry.blockBytes / Geometry.unit, "units")
            guard unit >= Geometry.firstUnit, units >= 1, unit + units <= geometry.segmentUnits else {
                throw .invalid("place of a block")
            }
            let runCount = try reader.count(limit: BlockHeader.mostReadings, "runs")
            var runs: [Run] = []
            for _ in 0..<runCount { runs.append(try Run.read(from: &reader)) }
            footer.blocks.append(BlockEntry(unit: unit, units: units, runs: runs))
        }
        while !reader.isAtEnd {
            let (index, definition) = try SeriesDefinition.read(from: &reader)
            footer.table.define(index, definition)
        }
        return footer
    }
}
