import Model

/// Rows of a block sorted into groups: series of one log and device that come in the same messages, and so share one column of times.
///
/// A message is what came from one device at one moment; where its series are in another order than in the messages before, it counts as two.
struct ColdGroups {
    struct Group {
        let log: Int32
        var times: [Int64] = []
        var tracks: [Track] = []
    }

    struct Track {
        let series: Int32
        /// Places of its rows.
        var rows: [Int32] = []
        /// Of each row the message of the group that brought it.
        var messages: [Int32] = []
    }

    private(set) var groups: [Group] = []
    /// Group and message of it, as they came in.
    private(set) var sequence: [(group: Int32, message: Int32)] = []

    /// One series of one log.
    private struct Node {
        let series: Int32
        var parent: Int
        var group = -1
        var track = -1
    }

    private var nodes: [Node] = []

    /// So many marks per reading, all in all, may say in which messages of their groups series are: bounds what a reader allocates. A device
    /// whose messages have less in common than that gets a group for each of its series.
    static let marksPerReading = 32

    /// `rows`: by log, and by offset within a log. `devices`: of each series of the dictionary, a number of its device.
    init(_ rows: ArraySlice<ColdRow>, devices: [Int32]) {
        sort(rows, connect(rows, devices))
        var marks = 0
        for group in groups {
            for track in group.tracks where track.messages.count < group.times.count { marks += group.times.count }
        }
        guard marks > Self.marksPerReading * rows.count else { return }
        (nodes, groups, sequence) = ([], [], [])
        sort(rows, connect(rows, devices.indices.map { Int32($0) }))
    }

    private mutating func sort(_ rows: ArraySlice<ColdRow>, _ nodeOf: [Int]) {
        var last = (group: -1, track: -1, time: Int64(0))
        for (place, row) in zip(rows.indices, rows) {
            let node = nodeOf[place - rows.startIndex]
            let root = find(node)
            if nodes[root].group < 0 {
                nodes[root].group = groups.count
                groups.append(Group(log: row.log))
            }
            let group = nodes[root].group
            if nodes[node].track < 0 {
                nodes[node].track = groups[group].tracks.count
                groups[group].tracks.append(Track(series: row.series))
            }
            let track = nodes[node].track
            if group != last.group || row.uptime != last.time || track <= last.track {
                sequence.append((Int32(group), Int32(groups[group].times.count)))
                groups[group].times.append(row.uptime)
            }
            groups[group].tracks[track].rows.append(Int32(place))
            groups[group].tracks[track].messages.append(Int32(groups[group].times.count - 1))
            last = (group, track, row.uptime)
        }
    }

    /// The node of each row; series that came together belong to one tree then.
    private mutating func connect(_ rows: ArraySlice<ColdRow>, _ devices: [Int32]) -> [Int] {
        var nodeOf: [Int] = []
        nodeOf.reserveCapacity(rows.count)
        var known = [Int32](repeating: -1, count: devices.count)
        var last: (row: ColdRow, node: Int)?
        for row in rows {
            if let last, last.row.log != row.log { known = [Int32](repeating: -1, count: devices.count) }
            if known[Int(row.series)] < 0 {
                known[Int(row.series)] = Int32(nodes.count)
                nodes.append(Node(series: row.series, parent: nodes.count))
            }
            let node = Int(known[Int(row.series)])
            if let last, last.row.log == row.log, last.row.uptime == row.uptime,
                devices[Int(last.row.series)] == devices[Int(row.series)]
            {
                let (one, other) = (find(last.node), find(node))
                nodes[max(one, other)].parent = min(one, other)
            }
            nodeOf.append(node)
            last = (row, node)
        }
        return nodeOf
    }

    private mutating func find(_ node: Int) -> Int {
        var node = node
        while nodes[node].parent != node {
            nodes[node].parent = nodes[nodes[node].parent].parent
            node = nodes[node].parent
        }
        return node
    }

    /// The messages' order as ``MessageOrder`` takes it.
    var messages: (groups: MessageOrder.Groups, order: [Int32]) {
        var all = MessageOrder.Groups()
        var starts: [Int32] = []
        for (index, group) in groups.enumerated() {
            if index == 0 || group.log != groups[index - 1].log { all.logStarts.append(all.times.count) }
            starts.append(Int32(all.times.count))
            all.times.append(contentsOf: group.times)
            all.group.append(contentsOf: repeatElement(Int32(index), count: group.times.count))
        }
        return (all, sequence.map { starts[Int($0.group)] + $0.message })
    }
}

// The section of groups:
//
// | field            | form                                  |                                                                         |
// |------------------|---------------------------------------|-------------------------------------------------------------------------|
// | base             | signed                                | the earliest uptime, from which those of the groups are reckoned        |
// | groups           | unsigned                              |                                                                         |
// | for each: head   | unsigned                              | bit 0: its times are those of an earlier group; bit 1: the next log's   |
// | times            | messages, column; or steps back       | the group before is one step back                                       |
// | series           | unsigned                              |                                                                         |
// | for each: head   | unsigned                              | bit 0: not in all messages; the rest: zigzag step from index before + 1 |
// | form             | 1 byte                                | ``TrackForm``                                                           |
// | length           | unsigned                              | bytes that follow for this series                                       |
// | where            | column of 0 and 1                     | where it is not in all messages                                         |
// | values           | as the form says                      | then qualities, then times of devices                                   |
// | order            | ``MessageOrder``                      |                                                                         |
extension ColdGroups {
    func encoded(_ rows: ArraySlice<ColdRow>, texts: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        let base = groups.reduce(Int64.max) { min($0, $1.times.min() ?? .max) }
        bytes.append(signed: base)
        bytes.append(varint: UInt64(groups.count))
        var hint: Int64 = 0
        var known: [[Int64]: Int] = [:]
        for (index, group) in groups.enumerated() {
            let isNextLog = index > 0 && groups[index - 1].log != group.log
            let earlier = known[group.times]
            bytes.append(varint: (earlier == nil ? 0 : 1) | (isNextLog ? 2 : 0))
            if let earlier {
                bytes.append(varint: UInt64(index - earlier))
            } else {
                known[group.times] = index
                bytes.append(varint: UInt64(group.times.count))
                IntegerColumn.write(group.times.map { $0 &- base }, isSteady: true, hint: &hint, to: &bytes)
            }
            write(group, rows, texts, to: &bytes)
        }
        let (messages, order) = messages
        MessageOrder.write(order, of: messages, to: &bytes)
        return bytes
    }

    private func write(_ group: Group, _ rows: ArraySlice<ColdRow>, _ texts: [String], to bytes: inout [UInt8]) {
        bytes.append(varint: UInt64(group.tracks.count))
        var next: Int32 = 0
        var first: DeviceTimeTrack?
        for track in group.tracks {
            let isEverywhere = track.messages.count == group.times.count
            bytes.append(varint: Int64(track.series - next).zigzagged << 1 | (isEverywhere ? 0 : 1))
            next = track.series + 1
            var content: [UInt8] = []
            if !isEverywhere {
                var isThere = [Int64](repeating: 0, count: group.times.count)
                for message in track.messages { isThere[Int(message)] = 1 }
                IntegerColumn.write(isThere, to: &content)
            }
            let own = track.rows.map { rows[Int($0)] }
            let values = TrackWriter(own, texts: texts, first: first)
            if first == nil { first = DeviceTimeTrack(times: own.map { $0.deviceTime }) }
            bytes.append(values.form)
            bytes.append(varint: UInt64(content.count + values.bytes.count))
            bytes.append(contentsOf: content)
            bytes.append(contentsOf: values.bytes)
        }
    }
}
