import Devices
import Environment
import Model

/// Moments and messages of the tests. Nothing here reads a clock.
let start = MonotonicInstant(nanoseconds: 1_000_000_000)

func after(_ duration: Duration) -> MonotonicInstant { start.advanced(by: duration) }

func stamp(_ milliseconds: Int64 = 0) -> Stamp {
    Stamp(
        boot: BootID(high: 1, low: 2), uptime: Microseconds(milliseconds * 1000),
        wallOffset: Microseconds(1_763_700_000_000_000), isTrusted: true)
}

func message(_ payload: String, topic: String = "a/b", retained: Bool = false) -> Message {
    Message(topic: topic, payload: Array(payload.utf8), isRetained: retained)
}

/// A decoder that gives what the test says, whatever it is given.
struct FixedDecoder: Decoder {
    let decoded: Decoded

    func decode(_ message: Message) -> Decoded { decoded }
}

extension Decoded {
    /// `metric=value unit @time` and `reason: detail`, to compare and to read.
    var lines: [String] {
        measurements.map { found in
            let value =
                switch found.value {
                case .number(let number): "\(number)"
                case .flag(let flag): "\(flag)"
                case .text(let text): "'\(text)'"
                }
            return "\(found.metric)=\(value)" + (found.unit.map { " " + $0 } ?? "")
                + (found.deviceTime.map { " @" + $0.iso8601 } ?? "")
        } + rejections.map { "\($0.reason.rawValue): \($0.detail)" }
    }
}
