import Simulator

/// The table of figures, and its JSON.
enum FigureText {
    static let head = """
        | gateways | idle B/s | false deaths | first suspect s | all know s | floor s | copies at once s | copies in 1 s, s | takeover s | doubles | events/s, × real time |
        |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
        """

    static func line(_ row: FigureRow, _ elapsed: Double) -> String {
        let doubles = row.handOffs.doublesAtDeath.max() ?? 0
        let returned = row.handOffs.doublesAtReturn.max() ?? 0
        let speed = Int(Double(row.simulated) / 1e9 / elapsed)
        let cells = [
            "\(row.gateways)",
            "\(Int(row.idle.bytesPerSecond.rounded()))",
            "\(row.loss.deaths) in \(row.loss.seconds) s",
            text(row.detection.suspected),
            text(row.detection.allKnow),
            seconds(row.detection.floor),
            text(row.copiesAtOnce),
            text(row.copiesInSecond),
            text(row.handOffs.takeover),
            "\(doubles) + \(returned) of \(row.handOffs.bound)",
            "\(Int(Double(row.events) / elapsed)), \(speed)",
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// `median / worst`.
    private static func text(_ times: FigureRow.Times) -> String {
        guard let median = times.median, let worst = times.worst else { return "–" }
        return "\(seconds(median)) / \(seconds(worst))"
    }

    private static func seconds(_ time: Int64) -> String {
        let hundredths = (Double(time) / 1e7).rounded() / 100
        return "\(hundredths)"
    }

    static func json(_ row: FigureRow, _ elapsed: Double) -> String {
        let parts = row.idle.parts.map { "\"\($0.name)\":\(rounded($0.bytesPerSecond))" }
        let fields = [
            "\"gateways\":\(row.gateways)",
            "\"joinedSeconds\":\(row.joined.map { "\(rounded(Double($0) / 1e9))" } ?? "null")",
            "\"settledSeconds\":\(row.settled.map { "\(rounded(Double($0) / 1e9))" } ?? "null")",
            "\"idleBytesPerSecond\":\(rounded(row.idle.bytesPerSecond))",
            "\"idleDatagramBytesPerSecond\":\(rounded(row.idle.datagrams))",
            "\"idleStreamBytesPerSecond\":\(rounded(row.idle.streams))",
            "\"idlePayloadBytesPerSecond\":\(rounded(row.idle.payload))",
            "\"idleParts\":{\(parts.joined(separator: ","))}",
            "\"lossPercent\":\(row.loss.percent)",
            "\"lossSeconds\":\(row.loss.seconds)",
            "\"falseDeaths\":\(row.loss.deaths)",
            "\"falseSuspicions\":\(row.loss.suspicions)",
            "\"firstSuspect\":\(array(row.detection.suspected))",
            "\"firstDead\":\(array(row.detection.firstDead))",
            "\"allKnowDead\":\(array(row.detection.allKnow))",
            "\"detectionFloor\":\(seconds(row.detection.floor))",
            "\"copiesAtOnce\":\(array(row.copiesAtOnce))",
            "\"copiesInSecond\":\(array(row.copiesInSecond))",
            "\"takeover\":\(array(row.handOffs.takeover))",
            "\"silence\":\(array(row.handOffs.silence))",
            "\"doublesInPeace\":\(row.handOffs.doublesInPeace)",
            "\"doublesAtDeath\":\(row.handOffs.doublesAtDeath)",
            "\"doublesAtReturn\":\(row.handOffs.doublesAtReturn)",
            "\"doublesBound\":\(row.handOffs.bound)",
            "\"missing\":\(row.handOffs.missing)",
            "\"events\":\(row.events)",
            "\"simulatedSeconds\":\(row.simulated / 1_000_000_000)",
            "\"elapsedSeconds\":\(rounded(elapsed))",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// Seconds, ascending.
    private static func array(_ times: FigureRow.Times) -> String {
        "[" + times.all.sorted().map { seconds($0) }.joined(separator: ",") + "]"
    }
}
