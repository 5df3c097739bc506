import LogFormat
package import Model

/// Whose readings a send holds, place by place: what the ledger must know of a send to count per stream.
package struct SendDevices: Hashable, Sendable {
    package let log: LogID
    package let range: Range<Offset>
    private var devices: [DeviceID] = []
    /// For each place in the range an index into `devices`.
    private var places: [UInt16] = []
    /// What the readings are: what a receipt says of them.
    let digest: UInt64

    /// - Parameter readings: Neighbours of one log, in order, as a send reads them; `nil` for none, and for more than 65,536.
    package init?(_ readings: [StoredReading]) {
        guard let first = readings.first, readings.count <= 1 << 16 else { return nil }
        log = first.log
        range = first.offset..<first.offset.advanced(by: readings.count)
        places.reserveCapacity(readings.count)
        digest = readings.reduce(into: RunDigest()) { $0.add($1) }.rawValue
        var known: [DeviceID: UInt16] = [:]
        for stored in readings {
            let device = stored.reading.series.device
            if let last = places.last, devices[Int(last)] == device {
                places.append(last)
                continue
            }
            let next = UInt16(devices.count)
            let place = known[device] ?? next
            if place == next {
                known[device] = next
                devices.append(device)
            }
            places.append(place)
        }
    }

    /// How many readings each device has in `part`, which must lie in the range.
    func counts(in part: Range<Offset>) -> [(device: DeviceID, count: UInt64)] {
        var counts = [UInt64](repeating: 0, count: devices.count)
        let start = range.lowerBound.distance(to: part.lowerBound)
        for place in places[start..<start + part.lowerBound.distance(to: part.upperBound)] { counts[Int(place)] += 1 }
        return zip(devices, counts).filter { $0.1 > 0 }.map { (device: $0.0, count: $0.1) }
    }
}
