import Environment
import LogFormat

/// How a ring is told from another one that lies in its place: a file that was lost and is there again may be an older image of the same
/// card, or a stranger's.
struct RingHome: Sendable {
    let store: StoreID
    let geometry: Geometry
    let segments: Int
    /// Segments that hold readings, the newest first, with their generations; ``mostMarks`` at most.
    let marks: [(segment: Int, generation: UInt64)]
    /// Nothing was ever written to it.
    let isBlank: Bool

    static let mostMarks = 8

    /// Reads some headers of `disk`; all of them, where the ring holds nothing.
    func lies(on disk: any Disk) -> Bool {
        guard disk.size / geometry.segmentBytes == segments else { return false }
        for mark in marks {
            // A header that is lost says nothing; the next one does.
            guard case .found(let header, _) = header(on: disk, of: mark.segment) else { continue }
            return header.store == store && header.generation == mark.generation
        }
        guard marks.isEmpty else { return false }
        let found = (0..<segments).map { header(on: disk, of: $0) }
        return found.allSatisfy { state in
            switch state {
            case .found(let header, _): !isBlank && header.store == store
            case .newer: false
            default: true
            }
        }
    }

    private func header(on disk: any Disk, of segment: Int) -> SegmentHeaderState {
        guard let bytes = try? disk.read(at: segment * geometry.segmentBytes, count: Geometry.headerBytes) else {
            return .unreadable
        }
        return SegmentHeaderState.read(bytes)
    }
}

extension RingLog {
    var home: RingHome {
        let held = segments.indices.filter { segments[$0].held > 0 }
            .sorted { segments[$0].generation > segments[$1].generation }
        return RingHome(
            store: store, geometry: options.geometry, segments: segments.count,
            marks: held.prefix(RingHome.mostMarks).map { ($0, segments[$0].generation) },
            isBlank: isBlank)
    }
}
