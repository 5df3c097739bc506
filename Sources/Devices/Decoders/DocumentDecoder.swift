import Model

/// `json`: every number, boolean and short text of the document, named by its dotted path, or the paths that the device names.
///
/// `null` is a `not-a-number` of its member: the sender announced a value and gave none. An empty text and a text over
/// ``Limits/textValueBytes`` are rejected alone too. A path that a device names and a document lacks is a `missing-path`.
package struct DocumentDecoder: Decoder {
    private let rules: LeafRules
    private let units: [String: String]

    package init(_ settings: DecoderSettings = DecoderSettings()) {
        rules = LeafRules(paths: settings.paths.map(LeafRules.NamedPath.init))
        units = settings.units
    }

    package func decode(_ message: Message) -> Decoded {
        do throws(Rejection) {
            let leaves = try LeafCollector.collect(message.payload, rules: rules)
            let measurements = leaves.found.map { leaf in
                Measurement(
                    metric: leaf.metric, unit: units.isEmpty ? leaf.unit : units[leaf.metric] ?? leaf.unit,
                    value: leaf.value)
            }
            return Decoded(measurements: measurements, rejections: leaves.rejections)
        } catch {
            return Decoded(rejections: [error])
        }
    }
}
