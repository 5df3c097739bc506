package import Model

/// Where readings go when they leave the gateway.
package protocol Sink: Sendable {
    /// Delivers one batch. Never throws: every way to fail is an outcome that the upload machine knows what to do with.
    func send(_ batch: NativeBatch) async -> SendOutcome
}

/// What became of one batch.
package enum SendOutcome: Hashable, Sendable {
    /// The sink has it, durably as far as it says.
    case accepted
    /// The sink says that this very content is wrong (HTTP 400, 413, 422): splitting finds the reading that it dislikes.
    case refused(reason: String)
    /// Any other answer, or none: a fault of the sink or the way to it. Keep everything and try again, not before `retryAfter` where
    /// the sink named a time.
    case unavailable(reason: String, retryAfter: Duration?)
}
