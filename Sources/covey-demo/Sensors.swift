import Synchronization
import TestKit

/// Sensors of several makes, as they speak on a real site: the same ones at each gateway.
final class Sensors: Sendable {
    private let publisher: CountingPublisher

    private let sites: [String]

    init(port: Int, sites: [String]) {
        self.sites = sites
        publisher = CountingPublisher(port: port, clientID: "demo-sensors")
    }

    /// Messages that the broker has acknowledged.
    var published: Int { publisher.acknowledged }

    /// Publishes ``rate`` messages a second until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await publisher.publish(count: Self.rate, rate: Double(Self.rate)) { [sites] number in
                    let (topic, text) = Self.message(number / sites.count)
                    return ("\(sites[number % sites.count])/\(topic)", Array(text.utf8))
                }
            } catch {
                // The broker was slow or busy; sensors try again.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Messages a second, of all sites together.
    static let rate = 21

    private static func message(_ number: Int) -> (topic: String, payload: String) {
        // A slow triangle, so that the table moves without randomness.
        let swing = Double(abs(number % 400 - 200)) / 20
        switch number % 6 {
        case 0:
            let values = "\"DS18B20\":{\"Temperature\":\(tenths(15 + swing))},\"TempUnit\":\"C\""
            return ("tele/soil-3/SENSOR", "{\"Time\":\"2026-01-01T00:00:00\",\(values)}")
        case 1:
            let values = "\"temperature\":\(tenths(18 + swing)),\"humidity\":\(tenths(60 - swing)),\"linkquality\":120"
            return ("zigbee2mqtt/bedroom", "{\(values)}")
        case 2: return ("zigbee2mqtt/window", "{\"contact\":\(number % 60 < 30),\"battery\":97}")
        case 3: return ("site/shed/env", "{\"temperature\":\(tenths(12 + swing)),\"meta\":{\"rssi\":-70}}")
        case 4: return ("plant/boiler/temp", "\(tenths(55 + swing))")
        default: return ("plant/tank/temp", "\(tenths(21 - swing / 2))")
        }
    }

    private static func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
