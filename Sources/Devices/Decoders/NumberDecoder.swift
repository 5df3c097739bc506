import Model

/// `number`: the payload is one value as plain text, such as `21.5`, `ON` or `closed`.
package struct NumberDecoder: Decoder {
    private let metric: String
    private let unit: String?

    package init(_ settings: DecoderSettings = DecoderSettings()) {
        metric = settings.metric ?? "value"
        unit = settings.unit ?? settings.units[metric]
    }

    package func decode(_ message: Message) -> Decoded {
        do throws(Rejection) {
            try checkText(message.payload)
            if PlainValue.trimmed(message.payload).isEmpty {
                throw Rejection(.empty, "payload of \(message.payload.count) bytes of white space")
            }
            let value = try PlainValue.read(message.payload)
            // A state has no unit, whatever the device's numbers are counted in.
            if case .flag = value { return Decoded(measurements: [Measurement(metric: metric, value: value)]) }
            return Decoded(measurements: [Measurement(metric: metric, unit: unit, value: value)])
        } catch {
            return Decoded(rejections: [error])
        }
    }
}
