package import Model
package import Sinks
import Threads

/// Appends each batch as one line of JSON to a file, on a thread of its own, synced before it counts as accepted.
///
/// A full file is renamed to `PATH.1`, `PATH.2`, … and never removed: what was delivered belongs to its reader. A batch whose sync failed
/// may stand there twice; readers remove doubles by (node, log, offset), as every receiver does.
package final class FileSink: Sink {
    private let writer: Result<Writer, ThreadError>

    /// - Parameters:
    ///   - path: a file, or a directory that gets a `readings.jsonl`.
    ///   - rotateAt: the size that a file does not grow beyond, but for a single larger batch.
    package init(path: String, rotateAt: ByteCount = .mebibytes(64)) {
        writer = Result { () throws(ThreadError) in
            Writer(LineFile(path: path, rotateAt: rotateAt.rawValue), on: try ThreadExecutor(name: "covey-file"))
        }
    }

    package func send(_ batch: NativeBatch) async -> SendOutcome {
        switch writer {
        case .success(let writer): await writer.append(batch)
        case .failure(let error): .unavailable(reason: "the file cannot be written: \(error)", retryAfter: nil)
        }
    }

    /// Waits for batches under way and closes the file. Later sends are `unavailable`.
    package func close() async {
        if case .success(let writer) = writer { await writer.close() }
    }
}

/// Writes the file, on the thread that may block. No more batches wait for it than the upload machine has under way.
private actor Writer {
    private let executor: ThreadExecutor
    private var file: LineFile
    private var isClosed = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ file: consuming LineFile, on executor: ThreadExecutor) {
        self.executor = executor
        self.file = file
    }

    deinit {
        executor.retire()
    }

    func append(_ batch: NativeBatch) -> SendOutcome {
        if isClosed { return .unavailable(reason: "the file is closed", retryAfter: nil) }
        do throws(FileFailure) {
            try file.append(batch.json)
            return .accepted
        } catch {
            return .unavailable(reason: error.message, retryAfter: nil)
        }
    }

    func close() {
        isClosed = true
        file.close()
    }
}
