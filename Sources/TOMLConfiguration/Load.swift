import Model

extension GatewayConfiguration {
    /// Reads the configuration at `path`, at most 4 MiB. Paths in it are relative to its folder. Finds every fault in one run.
    ///
    /// - Parameter inspect: Is asked about the certificates where missing files are faults.
    package static func load(
        path: String, files: FileCheck = .fault, inspect: @escaping CertificateInspection = { _ in [] }
    ) -> Result<GatewayConfiguration, ConfigurationFaults> {
        switch Paths.read(path, limit: Bounds.fileBytes) {
        case .success(let text): return load(bytes: text, path: path, files: files, inspect: inspect)
        case .failure(let error):
            return .failure(
                ConfigurationFaults(path: path, faults: [Fault(line: 1, column: 1, message: error.message)]))
        }
    }

    /// Reads a configuration's text as if it lay at `path`.
    package static func load(
        text: String, path: String, files: FileCheck = .fault
    ) -> Result<GatewayConfiguration, ConfigurationFaults> {
        load(bytes: Array(text.utf8), path: path, files: files)
    }

    /// Reads a configuration's text, whatever bytes it holds, as if it lay at `path`.
    package static func load(
        bytes: [UInt8], path: String, files: FileCheck = .fault,
        inspect: @escaping CertificateInspection = { _ in [] }
    ) -> Result<GatewayConfiguration, ConfigurationFaults> {
        guard bytes.count <= Bounds.fileBytes else {
            let fault = Fault(
                line: 1, column: 1, message: "it is larger than \(Bounds.fileBytes >> 20) MiB; is it a configuration?")
            return .failure(ConfigurationFaults(path: path, faults: [fault]))
        }
        let text = SyntaxRepair.parse(bytes)
        let findings = Findings(files: files, inspect: inspect, repairedLines: text.lines, faults: text.faults)
        var configuration: GatewayConfiguration?
        if let root = text.root {
            configuration = RootReader(findings: findings, folder: Paths.folder(of: path), isWhole: text.isWhole).read(
                root)
        }
        guard findings.faults.isEmpty, var configuration else {
            let faults = Findings.inOrder(findings.faults)
            return .failure(ConfigurationFaults(path: path, faults: limited(faults)))
        }
        configuration.notes = Findings.inOrder(findings.notes)
        return .success(configuration)
    }

    private static func limited(_ faults: [Fault]) -> [Fault] {
        guard faults.count > Bounds.faults else { return faults }
        let rest = faults[Bounds.faults]
        let message = "and \(faults.count - Bounds.faults) faults more from here on"
        return faults[..<Bounds.faults] + [Fault(line: rest.line, column: rest.column, message: message)]
    }
}
