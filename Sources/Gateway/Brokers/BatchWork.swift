import Devices
import GatewayCore
import LogFormat
import Model

/// One batch on its way through the devices.
struct BatchWork: Sendable {
    struct Share: Sendable {
        let route: Int
        var messages: [RoutedMessage] = []
        /// For each message, its place in the batch.
        var places: [Int] = []
    }

    /// In the order in which the devices first appear, so that equal input gives equal logs.
    private(set) var order: [DeviceID] = []
    private(set) var shares: [DeviceID: Share] = [:]
    /// What each message of the batch came to, for all its devices.
    private(set) var readings: [[Reading]]
    var counts: [(device: DeviceID, counts: StreamCounts)] = []

    init(messages: Int) {
        readings = Array(repeating: [], count: messages)
    }

    mutating func add(_ message: RoutedMessage, at place: Int, for device: DeviceID, route: Int) {
        if shares[device] == nil {
            order.append(device)
            shares[device] = Share(route: route)
        }
        shares[device]?.messages.append(message)
        shares[device]?.places.append(place)
    }

    mutating func countDuplicate(_ device: DeviceID) {
        var duplicate = StreamCounts()
        duplicate.received = 1
        duplicate.duplicate = 1
        counts.append((device, duplicate))
    }

    mutating func settle(_ device: DeviceID, _ share: Share, _ outcome: DeviceOutcome) {
        for (index, place) in share.places.enumerated() {
            readings[place].append(contentsOf: outcome.readings(ofInput: index))
        }
        let lost = StreamCounts(lostIn: outcome.counts)
        if lost.received > 0 { counts.append((device, lost)) }
    }
}
