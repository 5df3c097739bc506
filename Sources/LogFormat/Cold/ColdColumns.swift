import Model

/// Reads the section of groups. What is not asked for is passed over: a series that nobody wants costs the reading of its head.
struct ColdColumns {
    private struct Group {
        /// Indexes of the tracks.
        var tracks: Range<Int>
        /// Places of its messages among all.
        var messages: Range<Int>
    }

    /// Plain numbers, as most are passed over: what counts references would cost more than all else.
    private struct Track {
        let series: Int
        let form: UInt8
        /// The group's first track.
        let first: Int
        /// Which messages of the group have it, a place in ``marks``; `nil` for all.
        let marks: Int?
        let count: Int
        /// Where its values are in ``bytes``.
        let values: Range<Int>
    }

    /// A track whose values somebody wants.
    private struct Open {
        let values: TrackValues
        let qualities: [Int64]?
        let deviceTimes: DeviceTimeTrack?
    }

    private var groups: [Group] = []
    private var tracks: [Track] = []
    /// Of each track that is not in all messages of its group: 1 for each that has it.
    private var marks: [[Int64]] = []
    private let bytes: [UInt8]
    private var messages = MessageOrder.Groups()
    /// The group of each message, in the order in which they came.
    private var order: [Int32] = []
    /// How many more marks of messages in which a series is may be read.
    private var marksLeft: Int

    /// `readings`: of the block; so many the groups must have.
    init(_ section: ByteReader, readings: Int) throws(FormatError) {
        var reader = section
        bytes = section.bytes
        marksLeft = ColdGroups.marksPerReading * readings
        let base = try reader.signed()
        var hint: Int64 = 0
        var found = 0
        for index in 0..<(try reader.count(limit: readings, "groups")) {
            let head = try reader.count(limit: 3, "head of a group")
            if index == 0 || head & 2 != 0 { messages.logStarts.append(messages.times.count) }
            let start = messages.times.count
            if head & 1 != 0 {
                let back = try reader.count(limit: index, "group of the same times")
                guard back > 0 else { throw .invalid("group of the same times") }
                // One by one: a slice of an array that grows makes a copy of all of it.
                for message in groups[index - back].messages { messages.times.append(messages.times[message]) }
            } else {
                let count = try reader.count(limit: readings, "messages")
                guard count > 0 else { throw .invalid("messages") }
                for time in try IntegerColumn.read(count, hint: &hint, from: &reader) {
                    messages.times.append(base &+ time)
                }
            }
            guard messages.times.count <= readings else { throw .invalid("messages") }
            messages.group.append(contentsOf: repeatElement(Int32(index), count: messages.times.count - start))
            let first = tracks.count
            try readTracks(start..<messages.times.count, readings: readings, &found, from: &reader)
            groups.append(Group(tracks: first..<tracks.count, messages: start..<messages.times.count))
        }
        guard found == readings else { throw .invalid("count of readings") }
        order = try MessageOrder.read(of: messages, from: &reader)
    }

    private mutating func readTracks(
        _ messages: Range<Int>, readings: Int, _ found: inout Int, from reader: inout ByteReader
    ) throws(FormatError) {
        let first = tracks.count
        var next: Int64 = 0
        for _ in 0..<(try reader.count(limit: readings - found, "series of a group")) {
            let head = try reader.varint()
            let series = next &+ (head >> 1).unzigzagged
            guard series >= 0, series < Int64(Limits.series) else { throw .invalid("series index") }
            next = series + 1
            let form = try reader.byte()
            let length = try reader.count(limit: reader.end - reader.position, "length of a series")
            var values = reader.position..<reader.position + length
            var (place, count): (Int?, Int) = (nil, messages.count)
            if head & 1 != 0 {
                marksLeft -= messages.count
                guard marksLeft >= 0 else { throw .invalid("messages of a series") }
                var part = ByteReader(bytes, values)
                let isThere = try IntegerColumn.read(messages.count, from: &part)
                count = isThere.count { $0 == 1 }
                guard count > 0 else { throw .invalid("messages of a series") }
                values = part.position..<values.upperBound
                place = marks.count
                marks.append(isThere)
            }
            _ = try reader.part(length)
            found += count
            guard found <= readings else { throw .invalid("count of readings") }
            tracks.append(
                Track(series: Int(series), form: form, first: first, marks: place, count: count, values: values))
        }
    }

    /// Of all series that the readings have, each once.
    var series: [Int] {
        var known = [Bool](repeating: false, count: (tracks.map { $0.series }.max() ?? -1) + 1)
        return tracks.compactMap { track in
            defer { known[track.series] = true }
            return known[track.series] ? nil : track.series
        }
    }

    /// Calls `take` with each reading at `places` whose series `isWanted` takes, in order: its place, the series' index, uptime, value,
    /// quality and device's time.
    func forEach(
        at places: Range<Int>, isWanted: (Int) -> Bool,
        _ take: (Int, Int, Int64, Value, Quality, Milliseconds?) throws(FormatError) -> Void
    ) throws(FormatError) {
        let wanted = tracks.map { isWanted($0.series) }
        // Of a group that nobody wants, and whose series are in all of its messages, what one of them brings; else 0.
        let passed = groups.map { group in
            group.tracks.allSatisfy { !wanted[$0] && tracks[$0].marks == nil } ? group.tracks.count : 0
        }
        var open = [Open?](repeating: nil, count: tracks.count)
        var cursors = [Int](repeating: 0, count: tracks.count)
        var heads = groups.map { $0.messages.lowerBound }
        var next = 0
        for message in order {
            let count = passed[Int(message)]
            if count > 0 {
                next += count
                continue
            }
            if next >= places.upperBound { return }
            let group = groups[Int(message)]
            let head = heads[Int(message)]
            heads[Int(message)] += 1
            for track in group.tracks {
                if let place = tracks[track].marks, marks[place][head - group.messages.lowerBound] != 1 { continue }
                let (place, cursor) = (next, cursors[track])
                next += 1
                cursors[track] += 1
                guard wanted[track], places.contains(place) else { continue }
                if open[track] == nil { open[track] = try self.open(track, group, first: open[tracks[track].first]) }
                guard let column = open[track] else { continue }
                var quality = Quality.good
                if let qualities = column.qualities {
                    guard let known = UInt8(exactly: qualities[cursor]).flatMap({ Quality(rawValue: $0) }) else {
                        throw .invalid("quality")
                    }
                    quality = known
                }
                try take(
                    place, tracks[track].series, messages.times[head], column.values[cursor], quality,
                    column.deviceTimes?.times[cursor].map { Milliseconds($0) })
            }
        }
    }

    /// `first`: the group's first track, where it is open.
    private func open(_ index: Int, _ group: Group, first known: Open?) throws(FormatError) -> Open {
        let track = tracks[index]
        var reader = ByteReader(bytes, track.values)
        let values = try TrackValues.read(track.form, track.count, from: &reader)
        var qualities: [Int64]?
        if track.form & TrackForm.hasQualities != 0 { qualities = try IntegerColumn.read(track.count, from: &reader) }
        let form = track.form >> TrackForm.deviceTimes
        var first: DeviceTimeTrack?
        if form == DeviceTimeTrack.shared {
            guard index != track.first else { throw .invalid("times of a device") }
            first = if let known { known.deviceTimes } else { try open(track.first, group, first: nil).deviceTimes }
        }
        let uptimes = form == 0 ? [] : uptimes(of: track, group)
        let deviceTimes = try DeviceTimeTrack.read(form, uptimes: uptimes, first: first, from: &reader)
        return Open(values: values, qualities: qualities, deviceTimes: deviceTimes)
    }

    private func uptimes(of track: Track, _ group: Group) -> [Int64] {
        let times = messages.times[group.messages]
        guard let place = track.marks else { return Array(times) }
        return zip(times, marks[place]).compactMap { $1 == 1 ? $0 : nil }
    }
}
